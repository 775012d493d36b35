//! `autopilot`: the window.
fn main() {}
