//! A simulated regtest chain: blocks, a mempool and the part of bitcoind's JSON-RPC that wallets read, on loopback.
//!
//! It checks that inputs exist, are unspent, mature and past their locks, and that no value is created. It runs **no
//! scripts and checks no signatures**, so it says "simulated" wherever it names itself. For tests and the sandbox.
mod chain;
mod mining;
mod rpc;
mod store;

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
};

use bitcoin::{Address, Network, Txid, address::NetworkUnchecked};
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle};

use chain::Chain;
pub use chain::Rejected;

/// Blocks mined to the faucet before anything else, so that its first coinbase is mature.
pub const FIRST_BLOCKS: u32 = 101;

/// Why the simulated chain failed.
#[derive(Debug, thiserror::Error)]
pub enum SimChainError {
    /// The address cannot be listened on.
    #[error("the simulated chain cannot listen on {address}: {source}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The block file cannot be read or written.
    #[error("the simulated chain's block file {path}: {source}")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The block file holds something that is no chain of ours.
    #[error(
        "the simulated chain's block file {0} is damaged; remove it, and the wallets that stood on it, to start anew"
    )]
    Damaged(String),
    /// Not an address of regtest.
    #[error("{0} is not a regtest address")]
    Address(String),
    /// A transaction was refused.
    #[error(transparent)]
    Rejected(#[from] Rejected),
}

struct Shared {
    chain: Mutex<Chain>,
    mempool_changed: Notify,
}

impl Shared {
    /// The chain. A panic elsewhere cannot leave it half-changed: every change is made after all checks.
    fn chain(&self) -> MutexGuard<'_, Chain> {
        self.chain.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// How to run a simulated chain.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// Keep the blocks in this file, and continue from it. `None`: memory only.
    pub blocks: Option<&'a Path>,
    /// Mine a block whenever a transaction enters the mempool.
    pub auto_mine: bool,
}

/// A running simulated chain. Dropping it stops its server.
pub struct SimChain {
    /// Always loopback unless the caller chose otherwise.
    pub host: String,
    /// The port in use.
    pub port: u16,
    /// Basic-auth user, random per instance.
    pub user: String,
    /// Basic-auth password, random per instance.
    pub password: String,
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

impl SimChain {
    /// Starts an in-memory chain on `address` (port 0: a free one) with [`FIRST_BLOCKS`] blocks.
    pub async fn start(address: SocketAddr) -> Result<Self, SimChainError> {
        Self::start_with(address, Options::default()).await
    }

    /// Starts a chain as `options` say.
    ///
    /// # Errors
    /// When the address is taken or the block file cannot be read, written or understood.
    pub async fn start_with(address: SocketAddr, options: Options<'_>) -> Result<Self, SimChainError> {
        let mut chain = Chain::open(options.blocks)?;
        if chain.height() < FIRST_BLOCKS {
            chain.mine(FIRST_BLOCKS - chain.height(), None)?;
        }
        let shared = Arc::new(Shared {
            chain: Mutex::new(chain),
            mempool_changed: Notify::new(),
        });
        let listen = |source| SimChainError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let bound = listener.local_addr().map_err(listen)?;
        let user = "simulated".to_owned();
        let password = hex::encode(rand::random::<[u8; 16]>());
        let mut tasks = vec![tokio::spawn(rpc::serve(
            listener,
            shared.clone(),
            user.clone(),
            password.clone(),
        ))];
        if options.auto_mine {
            tasks.push(tokio::spawn(mine_when_asked(shared.clone())));
        }
        Ok(Self {
            host: bound.ip().to_string(),
            port: bound.port(),
            user,
            password,
            shared,
            tasks,
        })
    }

    /// `http://host:port`, without the credentials.
    pub fn rpc_url(&self) -> String {
        format!("http://{}:{}", self.host, self.port)
    }

    /// Mines `count` blocks to the faucet, with everything in the mempool in the first. Returns the new height.
    pub fn mine(&self, count: u32) -> Result<u32, SimChainError> {
        self.shared.chain().mine(count, None)
    }

    /// Mines `count` blocks whose coinbase pays `address`. Returns the new height.
    pub fn mine_to(&self, address: &str, count: u32) -> Result<u32, SimChainError> {
        let script = regtest_address(address)?.script_pubkey();
        self.shared.chain().mine(count, Some(script))
    }

    /// Sends `amount_sat` from the faucet to `address`; the transaction waits in the mempool.
    pub fn fund(&self, address: &str, amount_sat: u64) -> Result<Txid, SimChainError> {
        let script = regtest_address(address)?.script_pubkey();
        let txid = self.shared.chain().fund(script, amount_sat)?;
        self.shared.mempool_changed.notify_one();
        Ok(txid)
    }

    /// Height and hash of the tip.
    pub fn tip(&self) -> (u32, bitcoin::BlockHash) {
        let chain = self.shared.chain();
        (chain.height(), chain.tip_hash())
    }

    /// How many transactions wait for a block.
    pub fn mempool_len(&self) -> usize {
        self.shared.chain().mempool_len()
    }

    /// Is the transaction in a block?
    pub fn is_confirmed(&self, txid: &Txid) -> bool {
        self.shared.chain().confirmed_height(txid).is_some()
    }
}

impl Drop for SimChain {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn mine_when_asked(shared: Arc<Shared>) {
    loop {
        shared.mempool_changed.notified().await;
        if shared.chain().mempool_len() > 0
            && let Err(error) = shared.chain().mine(1, None)
        {
            tracing::error!(%error, "the simulated chain could not mine");
        }
    }
}

fn regtest_address(text: &str) -> Result<Address, SimChainError> {
    text.parse::<Address<NetworkUnchecked>>()
        .ok()
        .and_then(|address| address.require_network(Network::Regtest).ok())
        .ok_or_else(|| SimChainError::Address(text.to_owned()))
}
