//! Properties of ledgers. One program: each more would link everything again.
#![allow(clippy::unwrap_used, clippy::expect_used)] // In tests a panic is the verdict.
mod activity;
mod byte_layout;
mod golden;
mod ledger_kill;
mod ledger_properties;
