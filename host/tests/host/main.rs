//! A host as the program that embeds it meets it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test a panic is the verdict"
)]
mod agreeing;
mod keyring;
mod starting;
