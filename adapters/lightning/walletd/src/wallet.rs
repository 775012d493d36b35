//! The wallet: the engine, its books, and what every part needs of both.
use std::{
    sync::{Mutex, MutexGuard},
    time::{SystemTime, UNIX_EPOCH},
};

use autopilot_proto::wallet::v1::{FailureCode, Info, Peer};
use ldk_node::{Node, bitcoin::secp256k1::PublicKey};

use crate::{
    books::Books,
    config::{ChainSource, Config},
    failure::{Answer, Failed, failed, invalid},
};

/// The longest idempotency key, in bytes.
const KEY_LIMIT: usize = 200;

/// The engine and its books. Calls block: run them on a blocking thread.
pub(crate) struct Wallet {
    pub(crate) node: Node,
    pub(crate) books: Books,
    network: String,
    chain: ChainSource,
    started_at_s: u64,
    doubt_after_s: u64,
    /// Keyed effects run one at a time: look, record, act.
    effects: Mutex<()>,
}

impl Wallet {
    pub(crate) fn new(node: Node, config: &Config) -> std::io::Result<Self> {
        let books = Books::open(&config.wallet_dir)?;
        let network = config.network.to_string();
        Ok(Self {
            node,
            books,
            network,
            chain: config.chain.clone(),
            started_at_s: now_s(),
            doubt_after_s: config.doubt_after_s,
            effects: Mutex::new(()),
        })
    }

    /// Holds back other keyed effects. What it guards is on disk, so a panic elsewhere leaves nothing half-done here.
    pub(crate) fn one_effect(&self) -> MutexGuard<'_, ()> {
        self.effects
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Unix seconds at which this process began.
    pub(crate) fn started_at_s(&self) -> u64 {
        self.started_at_s
    }

    /// Seconds after a start in which an earlier payment to an offer may still go on by itself.
    pub(crate) fn doubt_after_s(&self) -> u64 {
        self.doubt_after_s
    }

    /// Follows the chain to its tip.
    pub(crate) fn sync(&self) -> Answer<()> {
        let pass = || {
            self.node.sync_wallets().map_err(|error| {
                failed(
                    FailureCode::ChainBehind,
                    format!("the chain source does not answer: {error}"),
                )
            })
        };
        pass()?;
        match self.chain {
            // The first may have joined a pass that began before this call; the second cannot have.
            ChainSource::BitcoindRpc { .. } => pass(),
            ChainSource::Esplora { .. } | ChainSource::Electrum { .. } => Ok(()),
        }
    }

    /// Makes sure that a payment is not started on an old view of the chain.
    pub(crate) fn at_tip(&self) -> Answer<()> {
        // bitcoind answers at once; the others are asked again only when their last pass is getting old.
        let age_s = now_s().saturating_sub(
            self.node
                .status()
                .latest_lightning_wallet_sync_timestamp
                .unwrap_or(0),
        );
        match self.chain {
            ChainSource::BitcoindRpc { .. } => self.sync(),
            ChainSource::Esplora { .. } | ChainSource::Electrum { .. } if age_s > 30 => self.sync(),
            ChainSource::Esplora { .. } | ChainSource::Electrum { .. } => Ok(()),
        }
    }

    pub(crate) fn info(&self) -> Info {
        let status = self.node.status();
        let synced = status.latest_lightning_wallet_sync_timestamp.unwrap_or(0);
        let fresh = now_s().saturating_sub(synced) <= self.chain.fresh_for_s();
        let listening = self.node.listening_addresses().unwrap_or_default();
        let peers = self.node.list_peers().into_iter().map(|peer| Peer {
            node_id: peer.node_id.serialize().to_vec(),
            address: peer.address.to_string(),
            connected: peer.is_connected,
        });
        Info {
            node_id: self.node.node_id().serialize().to_vec(),
            network: self.network.clone(),
            version: env!("CARGO_PKG_VERSION").into(),
            engine: "ldk-node 0.7.1".into(),
            running: status.is_running,
            tip_height: status.current_best_block.height,
            tip_hash: AsRef::<[u8]>::as_ref(&status.current_best_block.block_hash).to_vec(),
            lightning_synced_at_s: synced,
            onchain_synced_at_s: status.latest_onchain_wallet_sync_timestamp.unwrap_or(0),
            fees_updated_at_s: status.latest_fee_rate_cache_update_timestamp.unwrap_or(0),
            listening: listening.iter().map(ToString::to_string).collect(),
            peers: peers.collect(),
            connected: fresh && self.node.list_channels().iter().any(|channel| channel.is_usable),
            chain_source: self.chain.name().into(),
        }
    }

    pub(crate) fn tip_height(&self) -> u32 {
        self.node.status().current_best_block.height
    }
}

/// Unix seconds now.
pub(crate) fn now_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

pub(crate) fn check_key(key: &str) -> Answer<()> {
    match key.len() {
        1..=KEY_LIMIT => Ok(()),
        _ => Err(invalid(format!("a key has 1 to {KEY_LIMIT} bytes"))),
    }
}

pub(crate) fn thirty_two(bytes: &[u8], what: &str) -> Answer<[u8; 32]> {
    bytes
        .try_into()
        .map_err(|_| invalid(format!("{what} has 32 bytes")))
}

pub(crate) fn node_id(bytes: &[u8]) -> Answer<PublicKey> {
    PublicKey::from_slice(bytes).map_err(|_| invalid("a node id is a public key of 33 bytes"))
}

pub(crate) fn address<T: std::str::FromStr>(text: &str) -> Answer<T> {
    text.parse()
        .map_err(|_| -> Failed { invalid(format!("{text:?} is no host:port")) })
}
