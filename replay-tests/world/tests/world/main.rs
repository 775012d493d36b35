//! End to end. Each test builds its own world: free ports, a temporary home, nothing left behind.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test a panic is the verdict"
)]
mod adversity;
mod agents;
mod chat;
mod core;
mod crash;
mod disk;
mod facts;
mod heads;
mod life;
mod market;
mod model_chosen;
mod model_faults;
mod model_server;
mod paid_loop;
mod programs;
mod refunds;
mod services;
mod statement;
mod stranger;
mod wallet;
mod window;
