//! Why a command was not carried out: a closed code, and a sentence that names the cause and the next step.
use std::fmt;

use serde::Serialize;

/// Closed set of refusals of a person's command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// The policy itself makes no sense.
    PolicyInvalid,
    /// An observation of a price that can be none.
    PriceInvalid,
    /// Something has to be ready first.
    NotReady,
    /// Already so.
    AlreadySo,
    /// No such thing, or it is over.
    NotFound,
    /// More than can be spent now.
    InsufficientFunds,
    /// The invoice is of another network, has run out, or names no amount.
    InvoiceUnusable,
    /// This payment was approved before and is under way or done.
    AlreadyPaid,
    /// Something open still rests on it.
    StillNeeded,
    /// A message to the model is longer than is taken.
    TextTooLong,
    /// As many messages as may wait for the model do.
    TooManyWaiting,
    /// As many conversations as are kept are kept.
    TooManyThreads,
    /// It can't be undone any more.
    TooLate,
    /// An unknown critical fact: the ledger is read-only for this program.
    ReadOnly,
}

/// A typed refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// What kind.
    pub code: Code,
    /// Cause and next step, for a person.
    pub sentence: String,
}

impl Refusal {
    /// A refusal in words.
    pub fn new(code: Code, sentence: impl Into<String>) -> Refusal {
        Refusal {
            code,
            sentence: sentence.into(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Refusal {}
