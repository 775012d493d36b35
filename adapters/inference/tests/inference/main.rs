//! Tests with the real worker and the real test model. One program: each more would link everything again.
#![allow(clippy::unwrap_used, clippy::expect_used)] // In tests a panic is the verdict.
mod common;
mod embed;
mod faults;
mod generate;
mod pull;
mod together;
