//! The command line of `autopilot-headless`.
use std::{net::SocketAddr, path::PathBuf};

use clap::{Parser, Subcommand, ValueEnum};

/// Hosts without a window, a relay, and a whole local world to try it in.
#[derive(Debug, Parser)]
#[command(name = "autopilot-headless", version, about)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// A Nostr relay that keeps events in memory
    Relay(Relay),
    /// A wallet that opens channels and forwards payments
    Hub(Host),
    /// A wallet, a model and a place in the market: what earns
    Provider(Host),
    /// The app's host without its window: panes open and close by command. A new home folder is made as for `provider`
    Desktop(Host),
    /// A wallet that buys jobs
    Buyer(Host),
    /// A local world (chain, relay, hub, provider, buyer) until Ctrl-C; prints one JSON line. Regtest: no value
    Sandbox(Sandbox),
    /// The sandbox plus jobs and a story, then an end
    Demo(Demo),
    /// The sandbox with paid jobs one way, then the roles flip and the earned sats are spent back; leaves a summary
    Roundtrip(Roundtrip),
    /// Writes a completion script
    Completions {
        /// Whose
        shell: autopilot_cli::manual::Shell,
    },
    /// Writes the manual page, or with a folder one for each command
    Man {
        /// Folder for the pages
        folder: Option<PathBuf>,
    },
}

#[derive(Debug, clap::Args)]
pub struct Relay {
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Stop when standard input closes
    #[arg(long, hide = true)]
    pub leash: bool,
}

#[derive(Debug, clap::Args)]
pub struct Host {
    /// Home folder: one identity, one wallet, one ledger
    #[arg(long, env = "AUTOPILOT_HOME", hide_env_values = true)]
    pub home: Option<PathBuf>,
    /// File with the passphrase of the identity; without it the home folder's own is used
    #[arg(long, env = "AUTOPILOT_PASSPHRASE_FILE", hide_env_values = true)]
    pub passphrase_file: Option<PathBuf>,
    /// The passphrase of the identity is in the desktop's keyring; a new identity gets a random one there
    #[arg(long, conflicts_with = "passphrase_file")]
    pub keyring: bool,
    /// Bitcoin network of a new home folder; never guessed
    #[arg(long, value_enum)]
    pub network: Option<Network>,
    /// Relay address, repeatable; on real networks a default set is used
    #[arg(long)]
    pub relay: Vec<String>,
    /// Where a new home folder's wallet gets blocks: an Esplora address
    #[arg(long, conflicts_with_all = ["electrum", "bitcoind"])]
    pub esplora: Option<String>,
    /// The same: an Electrum server, ssl://host:port
    #[arg(long, conflicts_with = "bitcoind")]
    pub electrum: Option<String>,
    /// The same: Bitcoin Core's RPC, host:port; user and password come from AUTOPILOT_BITCOIND_USER and _PASSWORD
    #[arg(long)]
    pub bitcoind: Option<SocketAddr>,
    /// Where the wallet listens for peers
    #[arg(long)]
    pub listen: Vec<String>,
    /// Peer to stay connected to, node-id@host:port, repeatable
    #[arg(long)]
    pub peer: Vec<String>,
    /// Node id of a peer whose channels are used before they are confirmed
    #[arg(long)]
    pub trust_0conf: Vec<String>,
    /// GGUF file to serve
    #[arg(long, env = "AUTOPILOT_MODEL", hide_env_values = true)]
    pub model: Option<PathBuf>,
    /// Instead of a file: an OpenAI-compatible server (https, or http on this machine), http://127.0.0.1:8080/v1
    #[arg(long)]
    pub model_url: Option<String>,
    /// The name that the server knows the model by, where it serves several
    #[arg(long, requires = "model_url")]
    pub model_name: Option<String>,
    /// File with the server's key, mode 0600
    #[arg(long, requires = "model_url")]
    pub model_key_file: Option<PathBuf>,
    /// GGUF file of an embedding model: serves embeddings (kind 5075) too
    #[arg(long)]
    pub embedding_model: Option<PathBuf>,
    /// Price of a job in a new ledger, in sats
    #[arg(long, default_value_t = 10)]
    pub price_sats: u64,
    /// Whether the work or the payment comes first, in a new ledger
    #[arg(long, value_enum, default_value = "work-first")]
    pub order: Order,
    /// Go online as soon as everything is ready
    #[arg(long)]
    pub online: bool,
    /// I know the risks on the real network (they are printed without this); kept for later starts
    #[arg(long)]
    pub accept_risks: bool,
    /// Never ask for a passphrase: where one is needed and not named, exit code 11
    #[arg(long, env = "AUTOPILOT_NO_INPUT", hide_env_values = true, value_parser = clap::builder::FalseyValueParser::new())]
    pub no_input: bool,
    /// Stop when standard input closes
    #[arg(long, hide = true)]
    pub leash: bool,
}

#[derive(Debug, clap::Args)]
pub struct Sandbox {
    /// Folder of the world; a new temporary one without this
    #[arg(long)]
    pub home: Option<PathBuf>,
    /// Which chain
    #[arg(long, value_enum, default_value = "simulated")]
    pub chain: Chain,
    /// Relays to run
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=8))]
    pub relay_count: u32,
    /// A further relay for the provider, repeatable
    #[arg(long)]
    pub extra_relay: Vec<String>,
    /// Whether the work or the payment comes first
    #[arg(long, value_enum, default_value = "work-first")]
    pub order: Order,
    /// Price of a job, in sats
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=9_000))]
    pub price_sats: u64,
    /// GGUF file to serve; the small test model without this
    #[arg(long, env = "AUTOPILOT_MODEL", hide_env_values = true)]
    pub model: Option<PathBuf>,
    /// GGUF file of an embedding model: the provider serves embeddings (kind 5075) too
    #[arg(long)]
    pub embedding_model: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub struct Demo {
    /// Jobs to send [default: 5; with a window, as many as there is time for]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub jobs: Option<u32>,
    /// The provider is a window for you to drive; closing it ends the world
    #[arg(long)]
    pub window: bool,
    #[command(flatten)]
    pub sandbox: Sandbox,
}

#[derive(Debug, clap::Args)]
pub struct Roundtrip {
    /// Jobs each way
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub jobs: u32,
    /// Folder for summary.json and summary.txt; the world's folder without this
    #[arg(long)]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub sandbox: Sandbox,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Network {
    Bitcoin,
    Testnet,
    Signet,
    Regtest,
}

impl Network {
    pub fn name(self) -> &'static str {
        match self {
            Network::Bitcoin => "bitcoin",
            Network::Testnet => "testnet",
            Network::Signet => "signet",
            Network::Regtest => "regtest",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Order {
    WorkFirst,
    PayFirst,
}

impl Order {
    pub fn name(self) -> &'static str {
        match self {
            Order::WorkFirst => "work-first",
            Order::PayFirst => "pay-first",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Chain {
    Simulated,
    Bitcoind,
}
