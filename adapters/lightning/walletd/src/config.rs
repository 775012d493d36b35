//! The configuration: one line of JSON on stdin. It carries the seed, so it is never an argument, a file or a log line.
use std::path::PathBuf;

use ldk_node::bitcoin::{Network, secp256k1::PublicKey};
use serde::Deserialize;

/// The longest configuration line.
pub(crate) const LINE_LIMIT: u64 = 64 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// 64 bytes in hexadecimal.
    pub(crate) seed_hex: Seed,
    pub(crate) wallet_dir: PathBuf,
    pub(crate) socket: PathBuf,
    pub(crate) network: Network,
    pub(crate) chain: ChainSource,
    /// `host:port`; port 0 takes a free one and keeps it over restarts. Empty: no inbound connections.
    #[serde(default)]
    pub(crate) listen: Vec<String>,
    /// Peers whose channels are used before their funding confirms.
    #[serde(default)]
    pub(crate) trusted_peers_0conf: Vec<PublicKey>,
    #[serde(default)]
    pub(crate) alias: Option<String>,
    /// Forward payments to unannounced channels: what a hub does. Needs `alias` and `listen`.
    #[serde(default)]
    pub(crate) forwarding: bool,
    /// How long to wait for the chain source at start.
    #[serde(default = "default_start_timeout_s")]
    pub(crate) start_timeout_s: u64,
    /// How long to wait for another process to leave the wallet folder.
    #[serde(default = "default_lock_timeout_s")]
    pub(crate) lock_timeout_s: u64,
    /// How long after a start an earlier payment to an offer counts as under way. The engine itself gives up on a payee
    /// that does not answer at its second timer tick, after one to two minutes.
    #[serde(default = "default_doubt_after_s")]
    pub(crate) doubt_after_s: u64,
}

fn default_doubt_after_s() -> u64 {
    180
}

fn default_start_timeout_s() -> u64 {
    60
}

fn default_lock_timeout_s() -> u64 {
    30
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, tag = "kind", rename_all = "kebab-case")]
pub(crate) enum ChainSource {
    BitcoindRpc {
        host: String,
        port: u16,
        user: String,
        password: String,
    },
    Esplora {
        url: String,
    },
    Electrum {
        url: String,
    },
}

impl ChainSource {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::BitcoindRpc { .. } => "bitcoind-rpc",
            Self::Esplora { .. } => "esplora",
            Self::Electrum { .. } => "electrum",
        }
    }

    /// How old, in seconds, a pass over the chain may be before the chain counts as lost.
    pub(crate) fn fresh_for_s(&self) -> u64 {
        match self {
            Self::BitcoindRpc { .. } => 60,
            Self::Esplora { .. } | Self::Electrum { .. } => 180,
        }
    }
}

/// Seed bytes that print as nothing.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Seed(pub(crate) [u8; 64]);

impl TryFrom<String> for Seed {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut bytes = [0; 64];
        // The error must not repeat what it could not read.
        hex::decode_to_slice(text, &mut bytes).map_err(|_| "the seed is not 64 bytes in hexadecimal")?;
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::Config;

    #[test]
    fn a_bad_seed_is_not_repeated() {
        let line = r#"{"seed_hex":"abandon","wallet_dir":"/w","socket":"/s","network":"regtest","chain":{"kind":"esplora","url":"http://x"}}"#;
        let error = serde_json::from_str::<Config>(line)
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default();
        assert!(
            error.contains("64 bytes") && !error.contains("abandon"),
            "{error}"
        );
    }
}
