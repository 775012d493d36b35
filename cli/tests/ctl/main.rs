//! Tests of `autopilotctl` as a program. One program: each more would link everything again.
#![allow(clippy::unwrap_used, clippy::expect_used)] // In tests a panic is the verdict.
mod books;
mod chat;
mod control;
mod desk;
mod forget;
mod heads;
#[path = "support/host.rs"]
mod host;
mod identity;
mod leaving;
mod ledger;
mod starting;
mod statement;
mod support;
mod terminal;
mod usage;
mod waiting;
