//! Why a host does not run.
use autopilot_store_sqlite::OpenError;

use crate::{
    config::ConfigError, heads::HeadsError, home::HomeError, http::HttpError, ledger::SubmitError,
    secrets::SecretsError,
};

/// Why a host did not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The folder.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The identity.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] OpenError),
    /// A first fact was refused.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The signing of heads.
    #[error(transparent)]
    Heads(#[from] HeadsError),
    /// The wallet.
    #[error("{0}")]
    Wallet(String),
    /// The relays.
    #[error("{0}")]
    Market(String),
    /// The model.
    #[error("{0}")]
    Model(String),
    /// The finding of payees.
    #[error("payees can't be looked up: {0}")]
    Payees(String),
    /// The control socket.
    #[error("the control socket can't be served: {0}")]
    Control(std::io::Error),
    /// Control over HTTP.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The ledger had to stop while running. Nothing that was not durable was shown or sent.
    #[error("the ledger stopped: {0}")]
    Fatal(String),
}
