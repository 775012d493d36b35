//! A real Bitcoin Core in regtest for tests: [`Bitcoind::start`] gives a node with free ports, a data folder of its
//! own and fresh credentials; dropping it kills and reaps the process. It has no wallet: mine to the address of
//! whoever shall be paid.
//!
//! All calls block. In async tests call them inside `tokio::task::spawn_blocking`, or directly where a few
//! milliseconds do not matter.

mod keeper;
mod node;
mod rpc;

pub use node::{Bitcoind, Options};
pub use rpc::{Rpc, RpcError};

use std::{io, path::PathBuf, time::Duration};

/// Why a node could not be started, or stopped answering.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No program at the place named by `BITCOIND`, nor in the cache.
    #[error("no bitcoind at {0}: run scripts/bitcoind.sh, or set BITCOIND to the program")]
    Missing(PathBuf),
    /// The data folder, a port or the process could not be had.
    #[error("bitcoind could not be started: {0}")]
    Start(#[from] io::Error),
    /// The process ended before it answered.
    #[error("bitcoind ended at once; its last words: {0}")]
    Ended(String),
    /// It runs, and did not answer within the limit.
    #[error("bitcoind did not answer within {0:?}")]
    Silent(Duration),
    /// A call to the running node failed.
    #[error(transparent)]
    Rpc(#[from] RpcError),
}
