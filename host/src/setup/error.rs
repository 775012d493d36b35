//! What is wrong with a wish, and where a form says so.

/// A field of the first run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    /// The home folder.
    Home,
    /// The network.
    Network,
    /// The risks of the real network.
    Risks,
    /// The relays.
    Relays,
    /// The source of blocks.
    Blocks,
    /// Peers of the wallet.
    Peers,
    /// The model.
    Model,
    /// The price.
    Price,
    /// What protects the identity.
    Protection,
}

/// One field can't be taken as it is. Nothing of it is a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct SetupError {
    /// Which.
    pub field: Field,
    /// What is wrong, and what would be right.
    pub sentence: String,
}

impl SetupError {
    pub(super) fn new(field: Field, sentence: impl Into<String>) -> SetupError {
        SetupError {
            field,
            sentence: sentence.into(),
        }
    }
}
