//! How far a host is: for the program that it runs in.
use std::path::PathBuf;

/// What a host says of itself once it serves.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Ready {
    /// The home folder.
    pub home: PathBuf,
    /// Market identity, as hexadecimal text.
    pub pubkey: String,
    /// The wallet's node.
    pub node_id: String,
    /// Where it listens for peers.
    pub node_addresses: Vec<String>,
    /// `bitcoin`, `testnet`, `signet` or `regtest`.
    pub network: String,
}

/// How far a host is. A face that connects earlier than [`Stage::Starting`] finds nobody.
#[derive(Clone, Debug, Default)]
pub enum Stage {
    /// The ledger is opened; nobody answers yet.
    #[default]
    Opening,
    /// The control socket answers, and `status` says what the wallet waits for. It is tried until it runs.
    Starting,
    /// Everything runs.
    Serving(Ready),
    /// It was asked to stop: offline first, then wallet and model, the ledger last.
    Stopping,
    /// It has stopped; no process of its own is left.
    Ended,
}
