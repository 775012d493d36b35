//! Tests of the store on real files. One program: each more would link everything again.
#![allow(clippy::unwrap_used, clippy::expect_used)] // In tests a panic is the verdict.
mod anchor;
mod append;
mod beside;
mod edits;
mod forget;
mod mutation;
mod open;
mod pages;
mod support;
mod tree;
