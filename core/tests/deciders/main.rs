//! The deciders through the engine, as the host drives it: inputs in, facts out, virtual time, no outside world.
#![allow(clippy::unwrap_used, clippy::expect_used)] // in tests a panic is the verdict

mod admission;
mod alerts;
mod arbitrary;
mod buy_mode;
mod buyer;
mod canary;
mod carried;
mod chat;
mod clock;
mod content;
mod diagnosis;
mod effects;
mod forget;
mod given;
mod heads;
mod inputs;
mod jobs;
mod keeping;
mod ledger;
mod limits;
mod presence;
mod promises;
mod properties;
mod race;
mod receipts;
mod refunds;
mod said;
mod settlement;
mod windowed;
mod withdrawals;
