//! Earnings statements: what is in them, what is refused, and that the Python verifier says the same.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test a panic is the verdict"
)]
mod bends;
mod mutations;
mod python;
mod size;
mod sound;
mod strangers;
