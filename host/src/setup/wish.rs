//! What a person chooses in a first run, and whether it can be had: each field judged on its own.
use std::path::PathBuf;

use autopilot_core::policy;

use super::{Field, SetupError};
use crate::{
    config::{Chain, Config, Model, ModelServer, Provider, Wallet},
    models,
    net::DEFAULT_RELAYS,
    secrets::{SecretString, check_passphrase},
};

/// The networks. One is chosen by a person, and never guessed.
pub const NETWORKS: [&str; 4] = ["bitcoin", "testnet", "signet", "regtest"];

/// What a person says yes to before anything starts on the real network.
pub const RISKS: &str = "On the Bitcoin network these are real sats:
  - a channel can be force-closed (by the peer, or after a crash); fees are yours, and money is locked for days
  - sums below 354 sat in flight can't be enforced on chain
  - the words alone restore no channel: keep the home folder, and never run two copies of it";

/// What serves the jobs.
#[derive(Clone, Debug, PartialEq)]
pub enum Serve {
    /// A model of the pinned list, by its name; fetched after the home is made.
    Pinned(String),
    /// A GGUF file that is here.
    File(PathBuf),
    /// A GGUF file elsewhere, with the SHA-256 that it must have.
    Address {
        /// https address.
        url: String,
        /// Its digest.
        sha256: [u8; 32],
    },
    /// An OpenAI-compatible server.
    Server(ModelServer),
    /// Nothing yet: the home is made, and earns nothing before a model is chosen.
    Later,
}

/// What protects a new identity.
#[derive(Clone, Debug)]
pub enum Protect {
    /// A random passphrase in the desktop's keyring.
    Keyring,
    /// A passphrase that a person typed.
    Passphrase(SecretString),
    /// The home folder's permissions alone.
    Folder,
}

/// The choices of a first run.
#[derive(Clone, Debug)]
pub struct Wish {
    /// One of [`NETWORKS`].
    pub network: String,
    /// Whether [`RISKS`] were read; only the real network asks.
    pub risks_accepted: bool,
    /// Relays, `wss://…`.
    pub relays: Vec<String>,
    /// Where the wallet gets blocks from; none: not chosen yet.
    pub blocks: Option<Chain>,
    /// Peers that the wallet stays connected to, `node-id@host:port`.
    pub peers: Vec<String>,
    /// Node ids, of these or others, whose channels are used before they are confirmed.
    pub trusted_0conf: Vec<String>,
    /// What serves.
    pub serve: Serve,
    /// Price of a job.
    pub price_msat: u64,
    /// What protects the identity.
    pub protect: Protect,
}

impl Wish {
    /// What this program proposes for a network: relays where there are default ones, and nothing that somebody would
    /// have to be trusted for.
    pub fn of(network: &str) -> Wish {
        let relays = match network {
            "regtest" => Vec::new(),
            _ => DEFAULT_RELAYS.iter().map(|relay| (*relay).to_owned()).collect(),
        };
        Wish {
            network: network.to_owned(),
            risks_accepted: false,
            relays,
            blocks: None,
            peers: Vec::new(),
            trusted_0conf: Vec::new(),
            serve: Serve::Later,
            price_msat: Provider::default().price_msat,
            protect: Protect::Keyring,
        }
    }

    /// Everything that is wrong with it, field by field; nothing is asked or made.
    pub fn problems(&self) -> Vec<SetupError> {
        let checks = [
            self.check_network(),
            self.check_relays(),
            self.check_blocks(),
            self.check_peers(),
            self.check_model(),
            self.check_price(),
            self.check_protection(),
        ];
        checks.into_iter().filter_map(Result::err).collect()
    }

    fn check_network(&self) -> Result<(), SetupError> {
        match self.network.as_str() {
            "" => wrong(Field::Network, "choose a network: it is never guessed"),
            "bitcoin" if !self.risks_accepted => wrong(
                Field::Risks,
                "these are real sats: read what can happen to them, and say yes to it",
            ),
            known if NETWORKS.contains(&known) => Ok(()),
            other => wrong(
                Field::Network,
                format!("{other:?} is none of bitcoin, testnet, signet, regtest"),
            ),
        }
    }

    fn check_relays(&self) -> Result<(), SetupError> {
        if self.relays.is_empty() {
            return wrong(Field::Relays, "at least one relay is needed: jobs come over it");
        }
        let bare = Config {
            relays: self.relays.clone(),
            ..Config::bare("regtest")
        };
        bare.check().or_else(|sentence| wrong(Field::Relays, sentence))
    }

    fn check_blocks(&self) -> Result<(), SetupError> {
        let Some(blocks) = &self.blocks else {
            return wrong(
                Field::Blocks,
                "a wallet needs a source of blocks: an Esplora or Electrum server, or Bitcoin Core",
            );
        };
        match blocks {
            Chain::Esplora { url } | Chain::Electrum { url } => match blocks_of(url) {
                Ok(same) if same.name() == blocks.name() => Ok(()),
                Ok(other) => wrong(
                    Field::Blocks,
                    format!("{url:?} is the address of an {} server", other.name()),
                ),
                Err(error) => Err(error),
            },
            Chain::Bitcoind { host, port, user, .. } => {
                match host.trim().is_empty() || *port == 0 || user.is_empty() {
                    true => wrong(
                        Field::Blocks,
                        "Bitcoin Core needs a host, a port and a user of its RPC",
                    ),
                    false => Ok(()),
                }
            }
        }
    }

    fn check_peers(&self) -> Result<(), SetupError> {
        let bare = Config {
            wallet: Wallet {
                peers: self.peers.clone(),
                ..Wallet::default()
            },
            ..Config::bare("regtest")
        };
        bare.check().or_else(|sentence| wrong(Field::Peers, sentence))?;
        let is_id = |id: &&String| hex::decode(id).is_ok_and(|id| id.len() == 33);
        match self.trusted_0conf.iter().find(|id| !is_id(id)) {
            Some(id) => wrong(
                Field::Peers,
                format!("{id:?} is no node id: it has 66 hexadecimal digits"),
            ),
            None => Ok(()),
        }
    }

    fn check_model(&self) -> Result<(), SetupError> {
        match &self.serve {
            Serve::Later => Ok(()),
            Serve::Pinned(name) => {
                let known =
                    models::known().map_err(|error| SetupError::new(Field::Model, error.to_string()))?;
                match known.iter().any(|model| model.name == *name) {
                    true => Ok(()),
                    false => wrong(Field::Model, format!("{name:?} is not in the list of models")),
                }
            }
            Serve::File(path) if path.is_file() => Ok(()),
            Serve::File(path) => wrong(Field::Model, format!("there is no file at {}", path.display())),
            Serve::Address { url, .. } if models::name_of(url).is_some() => Ok(()),
            Serve::Address { url, .. } => wrong(
                Field::Model,
                format!("{url:?} is no address of a file: https://…/NAME.gguf"),
            ),
            Serve::Server(server) => {
                let checked = Model::Server(server.clone()).check();
                checked.or_else(|sentence| wrong(Field::Model, sentence))
            }
        }
    }

    fn check_price(&self) -> Result<(), SetupError> {
        let checked = policy::check(&policy::default_policy(self.price_msat));
        checked.or_else(|refusal| wrong(Field::Price, refusal.sentence))
    }

    fn check_protection(&self) -> Result<(), SetupError> {
        match &self.protect {
            Protect::Passphrase(passphrase) => {
                check_passphrase(passphrase).or_else(|error| wrong(Field::Protection, error.to_string()))
            }
            Protect::Keyring | Protect::Folder => Ok(()),
        }
    }
}

fn wrong(field: Field, sentence: impl Into<String>) -> Result<(), SetupError> {
    Err(SetupError::new(field, sentence))
}

/// The source of blocks that an address means: `https://…` an Esplora server, `ssl://host:port` an Electrum server.
///
/// # Errors
/// [`SetupError`] of [`Field::Blocks`].
pub fn blocks_of(address: &str) -> Result<Chain, SetupError> {
    let address = address.trim();
    let rest = |schemes: &[&str]| {
        let rest = schemes.iter().find_map(|scheme| address.strip_prefix(scheme));
        rest.filter(|rest| !rest.is_empty() && !rest.starts_with(['/', ':']))
    };
    let with_port = |rest: &str| {
        rest.rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok())
    };
    let url = address.to_owned();
    if rest(&["https://", "http://"]).is_some() {
        Ok(Chain::Esplora { url })
    } else if rest(&["ssl://", "tcp://"]).is_some_and(with_port) {
        Ok(Chain::Electrum { url })
    } else {
        Err(SetupError::new(
            Field::Blocks,
            format!(
                "{address:?} is no source of blocks: write https://… for Esplora, ssl://host:port for Electrum"
            ),
        ))
    }
}
