//! Panes as they look and answer, without a display: each gets answers as a host gives them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test a panic is the verdict"
)]
mod activity;
mod alerts;
mod chat;
mod earnings;
mod elsewhere;
mod history;
mod inbox;
mod provider;
mod relays;
mod requests;
mod stage;
mod tailnet;
