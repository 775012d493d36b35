//! `control/v1` over a local socket: faces read views and hand in commands; nothing is decided here.
mod bought;
mod buy;
pub(crate) mod buy_mode;
mod canary;
mod client;
mod debts;
mod errors;
mod follow;
mod forget;
mod heads;
mod identity;
mod model;
mod pay;
mod prices;
mod refusals;
mod serve;
mod service;
mod terms;
mod views;
mod wallet;
mod why;
mod withdraw;

pub use client::{Client, client};
pub use errors::{CODE_KEY, NEXT_KEY, coded};
pub(crate) use identity::custody_note;
pub use serve::{bind, serve};
pub use service::Service;
