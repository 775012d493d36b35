//! The window without a display: drawn by software, driven by messages, with a real host and a real ledger behind it.
//! What goes wrong goes wrong at the ports of that host.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test a panic is the verdict"
)]
mod errors;
mod journeys;
mod panes;
mod pictures;
mod pilot;
mod presets;
mod speaker;
mod wallet;
