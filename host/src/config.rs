//! What has to be known before the ledger can be read: network, relays, chain source, model. One small file, private,
//! since a chain source's password may stand in it. Everything that decides is policy, and policy is a fact.
mod model;

use std::path::{Path, PathBuf};

use autopilot_core::ports::wallet::NodeId;
use serde::{Deserialize, Serialize};

pub use model::{Missing, Model, ModelServer};

use crate::home::{HomeError, write_private};

/// The file's content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `bitcoin`, `testnet`, `signet` or `regtest`. Never guessed.
    pub network: String,
    /// Whether somebody read the risks of the real network and went on; only `bitcoin` asks for it.
    #[serde(default)]
    pub risks_accepted: bool,
    /// Relay addresses, `ws://` or `wss://`.
    pub relays: Vec<String>,
    /// Where the wallet gets blocks from.
    pub chain: Chain,
    /// The wallet.
    #[serde(default)]
    pub wallet: Wallet,
    /// The model to serve; none for a buyer.
    #[serde(default)]
    pub model: Option<Model>,
    /// The model to embed texts with; none: embeddings are not served.
    #[serde(default)]
    pub embedding: Option<Model>,
    /// First policy of a new ledger.
    #[serde(default)]
    pub provider: Provider,
}

/// Where blocks come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "source", rename_all = "kebab-case")]
pub enum Chain {
    /// Bitcoin Core's RPC, or the simulated chain which answers the same calls.
    Bitcoind {
        /// Host.
        host: String,
        /// Port.
        port: u16,
        /// User.
        user: String,
        /// Password.
        password: String,
    },
    /// An Esplora server.
    Esplora {
        /// Address.
        url: String,
    },
    /// An Electrum server.
    Electrum {
        /// Address, `ssl://host:port` or `tcp://host:port`.
        url: String,
    },
}

impl Chain {
    /// Short name.
    pub fn name(&self) -> &'static str {
        match self {
            Chain::Bitcoind { .. } => "bitcoind",
            Chain::Esplora { .. } => "esplora",
            Chain::Electrum { .. } => "electrum",
        }
    }

    /// Name and place, for people; no password.
    pub fn words(&self) -> String {
        match self {
            Chain::Bitcoind { host, port, .. } => format!("bitcoind, {host}:{port}"),
            Chain::Esplora { url } => format!("esplora, {url}"),
            Chain::Electrum { url } => format!("electrum, {url}"),
        }
    }
}

/// The wallet's settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wallet {
    /// Addresses to listen on, `host:port`; port 0 takes a free one. Empty: none.
    pub listen: Vec<String>,
    /// Node ids whose channels are used before they are confirmed.
    pub trusted_peers_0conf: Vec<String>,
    /// Peers to stay connected to, `node id@host:port`: whoever has channels with us.
    pub peers: Vec<String>,
    /// Node alias; a hub needs one.
    pub alias: String,
    /// Forward payments to the peers behind our channels: what a hub does.
    pub forwarding: bool,
    /// A recursive DNS resolver, `address:port`, that is asked for names of payees (BIP353) and their proofs. Empty: the
    /// first of this machine.
    pub dns: String,
}

/// First policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Provider {
    /// Whether to serve at all.
    pub enabled: bool,
    /// Price of a job, in millisatoshi.
    pub price_msat: u64,
    /// `work-first` or `pay-first`.
    pub order: String,
}

impl Default for Provider {
    fn default() -> Self {
        Provider {
            enabled: false,
            price_msat: 10_000,
            order: "work-first".to_owned(),
        }
    }
}

/// Why there is no usable configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not there.
    #[error(
        "there is no configuration at {0}: start with `autopilot-headless provider --network … --relay … --home …`, or try `autopilot-headless sandbox`"
    )]
    Missing(PathBuf),
    /// Not readable.
    #[error("{path}: {cause}")]
    Unreadable {
        /// Where.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// Makes no sense.
    #[error("{path}: {what}")]
    Invalid {
        /// Where.
        path: PathBuf,
        /// What is wrong, and what would be right.
        what: String,
    },
    /// Not writable.
    #[error(transparent)]
    Home(#[from] HomeError),
}

impl Config {
    /// A network, and nothing else chosen: it serves nobody, and its wallet has no source of blocks yet.
    pub fn bare(network: &str) -> Config {
        Config {
            network: network.to_owned(),
            risks_accepted: false,
            relays: Vec::new(),
            chain: Chain::Esplora { url: String::new() },
            wallet: Wallet::default(),
            model: None,
            embedding: None,
            provider: Provider::default(),
        }
    }

    /// Whether the risks of its network are still to be read.
    pub fn risks_unread(&self) -> bool {
        self.network == "bitcoin" && !self.risks_accepted
    }

    /// The peers to stay connected to: node id and address. Malformed ones were refused by the check.
    pub fn peers(&self) -> Vec<(NodeId, String)> {
        self.wallet
            .peers
            .iter()
            .filter_map(|peer| peer_of(peer))
            .collect()
    }

    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`ConfigError`], with the place.
    pub fn read(path: &Path) -> Result<Config, ConfigError> {
        let text = match std::fs::read_to_string(path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(ConfigError::Missing(path.to_owned()));
            }
            Err(e) => {
                return Err(ConfigError::Unreadable {
                    path: path.to_owned(),
                    cause: e.to_string(),
                });
            }
            Ok(text) => text,
        };
        let config: Config = toml::from_str(&text).map_err(|e| ConfigError::Unreadable {
            path: path.to_owned(),
            cause: e.to_string(),
        })?;
        config.check().map_err(|what| ConfigError::Invalid {
            path: path.to_owned(),
            what,
        })?;
        Ok(config)
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn write(&self, path: &Path) -> Result<(), ConfigError> {
        self.check().map_err(|what| ConfigError::Invalid {
            path: path.to_owned(),
            what,
        })?;
        let text = toml::to_string_pretty(self).map_err(|e| ConfigError::Invalid {
            path: path.to_owned(),
            what: e.to_string(),
        })?;
        Ok(write_private(path, text.as_bytes())?)
    }

    /// Whether it makes sense.
    ///
    /// # Errors
    /// What does not, in a sentence.
    pub fn check(&self) -> Result<(), String> {
        if !["bitcoin", "testnet", "signet", "regtest"].contains(&self.network.as_str()) {
            return Err(format!(
                "network {:?} is none of bitcoin, testnet, signet, regtest",
                self.network
            ));
        }
        if let Some(peer) = self.wallet.peers.iter().find(|peer| peer_of(peer).is_none()) {
            return Err(format!("peer {peer:?} is not of the form node-id@host:port"));
        }
        let dns = self.wallet.dns.as_str();
        if !dns.is_empty() && dns.parse::<std::net::SocketAddr>().is_err() {
            return Err(format!(
                "dns {dns:?} is not of the form address:port, such as 9.9.9.9:53"
            ));
        }
        let is_none = |relay: &&String| {
            let host = relay
                .strip_prefix("ws://")
                .or_else(|| relay.strip_prefix("wss://"));
            host.is_none_or(|host| host.is_empty() || host.starts_with('/'))
        };
        if let Some(relay) = self.relays.iter().find(is_none) {
            return Err(format!("{relay:?} is no relay address: write ws://… or wss://…"));
        }
        if let Some(model) = &self.model {
            model.check()?;
        }
        if let Some(Model::Server(_)) = &self.embedding {
            return Err("embeddings come from a file: [embedding] needs a path".to_owned());
        }
        if self.relays.is_empty() && self.provider.enabled {
            return Err("a provider needs at least one relay".to_owned());
        }
        if !["work-first", "pay-first"].contains(&self.provider.order.as_str()) {
            return Err(format!(
                "order {:?} is neither work-first nor pay-first",
                self.provider.order
            ));
        }
        Ok(())
    }
}

fn peer_of(text: &str) -> Option<(NodeId, String)> {
    let (id, address) = text.split_once('@')?;
    let mut node_id: NodeId = [0; 33];
    hex::decode_to_slice(id, &mut node_id).ok()?;
    address.contains(':').then(|| (node_id, address.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_nonsense_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        let config = Config {
            network: "regtest".into(),
            relays: vec!["ws://127.0.0.1:1".into()],
            chain: Chain::Bitcoind {
                host: "127.0.0.1".into(),
                port: 1,
                user: "u".into(),
                password: "p".into(),
            },
            wallet: Wallet {
                listen: vec!["127.0.0.1:0".into()],
                ..Wallet::default()
            },
            model: Some(Model::file("/m.gguf")),
            provider: Provider {
                enabled: true,
                ..Provider::default()
            },
            ..Config::bare("regtest")
        };
        config.write(&path).unwrap();
        assert_eq!(Config::read(&path).unwrap(), config);
        let broken = Config {
            network: "mainnet".into(),
            ..config
        };
        assert!(
            broken
                .write(&path)
                .unwrap_err()
                .to_string()
                .contains("none of bitcoin")
        );
    }
}
