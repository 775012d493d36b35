//! A whole local world: chain, relays, hub, provider and buyer. Regtest: these sats have no value.
mod chain;
mod child;
mod window;
mod world;

use std::path::PathBuf;

pub use chain::ChainKind;
pub use child::Child;
pub use window::Window;
pub use world::World;

use crate::{
    config::{ConfigError, Model},
    home::HomeError,
};

/// What to build.
#[derive(Clone, Debug)]
pub struct Options {
    /// Folder of the world; the homes lie in it.
    pub home: PathBuf,
    /// Which chain.
    pub chain: ChainKind,
    /// Relays to run, up to 8; at least 1 where no others are named.
    pub relay_count: u32,
    /// Relays that run elsewhere, for provider and buyer.
    pub outside_relays: Vec<String>,
    /// Further relays, for the provider only.
    pub extra_relays: Vec<String>,
    /// Price of a job, in millisatoshi.
    pub price_msat: u64,
    /// `work-first` or `pay-first`.
    pub order: String,
    /// The model to serve.
    pub model: Model,
    /// The model to embed texts with, where embeddings are served too.
    pub embedding: Option<PathBuf>,
    /// Whether the buyer can serve as well, so that the roles can be flipped. It is not sent online.
    pub buyer_serves: bool,
    /// The program to run hosts with; it must know `hub`, `provider` and `buyer`.
    pub program: PathBuf,
    /// The provider is this window, for a person to drive; none: it is a host without one.
    pub window: Option<Window>,
}

/// Sats that the hub opens a channel to the provider with.
pub const PROVIDER_CHANNEL_SAT: u64 = 100_000;
/// Opening push that covers the provider's reserve, in msat: booked as a grant, never as earnings.
pub const PROVIDER_PUSH_MSAT: u64 = 1_000_000;
/// Sats that the hub opens a channel to the buyer with.
pub const BUYER_CHANNEL_SAT: u64 = 1_000_000;
/// What the buyer can spend at first, in msat: booked as a grant.
pub const BUYER_PUSH_MSAT: u64 = 500_000_000;

/// Why the world did not come up.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A folder.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// A configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The chain.
    #[error("the chain did not start: {0}")]
    Chain(String),
    /// A relay.
    #[error("a relay did not start: {0}")]
    Relay(String),
    /// A host.
    #[error("the {role} did not start: {cause}. Its log: {log}")]
    Host {
        /// Which.
        role: &'static str,
        /// Its last words.
        cause: String,
        /// Where more stands.
        log: PathBuf,
    },
    /// A call to a host.
    #[error("{what}: {cause}")]
    Call {
        /// What was asked.
        what: &'static str,
        /// Its answer.
        cause: String,
    },
    /// Something did not happen in time.
    #[error("{0} did not happen within {1} s")]
    TimedOut(&'static str, u64),
    /// The options make no sense.
    #[error("{0}")]
    Options(String),
}
