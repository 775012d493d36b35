//! The command line of the desk, and of what a host costs.
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum Pane {
    /// All panes: which are open, and how each is.
    List,
    /// Opens a pane, or brings it to the front.
    Open {
        /// Its id, with or without `pane.` before it, e.g. wallet.
        id: String,
    },
    /// Closes a pane.
    Close {
        /// Its id.
        id: String,
    },
    /// How a pane is: ready, empty with what to do, or broken with what helps.
    Status {
        /// Its id [default: all].
        id: Option<String>,
    },
}

#[derive(Debug, Args)]
pub struct Perf {
    /// Seconds that facts and processor time are measured over.
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u64).range(0..=60))]
    pub over: u64,
}
