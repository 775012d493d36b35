//! The shell around the engine: the only room that links adapters.

pub mod audit;
pub mod books;
pub mod clock;
pub mod config;
pub mod control;
pub mod crash;
pub mod desk;
mod effects;
pub mod forget;
pub mod heads;
pub mod home;
pub mod identity;
mod intake;
pub mod ledger;
pub mod models;
pub mod net;
pub mod outside;
mod pulse;
mod readiness;
pub mod run;
pub mod sandbox;
pub mod secrets;
pub mod serving;
pub mod session;
pub mod setup;
pub mod statement;
mod treasury;
