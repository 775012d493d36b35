//! What is wrong, and what happened.
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum Alerts {
    /// What is or was wrong, gravest first, and what to do.
    List,
    /// Says that you know. Where it happens again, it is active again.
    Ack {
        /// As `alerts list` names it.
        id: String,
    },
}

#[derive(Debug, Args)]
pub struct Activity {
    /// Lines at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
    pub limit: u32,
    /// Only facts before this number.
    #[arg(long, value_name = "FACT", default_value_t = 0)]
    pub before: u64,
    /// Only facts about this.
    #[arg(long, value_parser = ["chat", "job", "wallet", "network", "sync", "ledger"])]
    pub domain: Option<String>,
}
