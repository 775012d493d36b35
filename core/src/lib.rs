//! The deciders, the engine that drives them, and the ports. Pure: time and randomness arrive as inputs.

pub mod admission;
pub mod buy_mode;
mod buyer;
pub mod canary;
mod chain;
mod choice;
pub mod content;
pub mod demand;
pub mod diagnosis;
mod draft;
pub mod effects;
pub mod embedding;
pub mod engine;
pub mod forget;
pub mod group;
pub mod heads;
pub mod input;
mod jobs;
mod keys;
mod missed;
mod money;
pub mod offers;
pub mod policy;
pub mod ports;
pub mod presence;
mod prices;
pub mod receipts;
pub mod refund;
pub mod refusal;
pub mod standing;
pub mod tick;
pub mod told;

pub use effects::Effect;
pub use engine::Engine;
pub use input::Input;
pub use refusal::Refusal;
