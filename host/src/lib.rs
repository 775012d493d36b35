//! The shell around the engine: the only room that links adapters.

pub mod audit;
pub mod books;
pub mod clock;
pub mod config;
pub mod control;
pub mod crash;
pub mod desk;
mod effects;
mod fetching;
pub mod forget;
pub mod heads;
pub mod home;
pub mod http;
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
#[cfg(test)]
mod specimens;
pub mod statement;
pub mod tailnet;
mod talk;
mod treasury;
