//! The simulator: the real engine, deciders, folds and recovery in a world that one seed makes: relays, buyers, sellers, an
//! owner, a wallet, a worker, a disk and a clock, with faults in all of them. After every step a small model of its own is
//! held against the ledger. `docs/SIMULATOR.md` says what is simulated and what is not.

pub mod bug;
pub mod chance;
pub mod disk;
mod effects;
mod host;
pub mod oracle;
mod people;
pub mod soak;
mod treasury;
mod trouble;
pub mod wallet;
mod world;

pub use bug::Bug;
pub use world::{Broken, Summary, World};
