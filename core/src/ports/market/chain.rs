//! Inputs that stand elsewhere, and what became of them.

use autopilot_events::words::{EventId, PublicKey};

use super::job::InputType;

/// What an input of type `event` or `job` stands for; the event's signature was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// `event` or `job`.
    pub input_type: InputType,
    /// The event that holds the text: the named one, or the job's result.
    pub event: EventId,
    /// Its kind.
    pub kind: u16,
    /// Who signed it.
    pub author: PublicKey,
    /// The text.
    pub content: String,
    /// The signed event as JSON bytes.
    pub raw: Vec<u8>,
}

/// Why an input could not be had. The words may stand in feedback to the buyer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// No relay has it now; it may come.
    #[error("{0}")]
    Missing(&'static str),
    /// It is there, and never will do.
    #[error("{0}")]
    Unsuitable(String),
}
