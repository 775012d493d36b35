//! The payee port: what a destination, as a person gives it, turns out to be.
use std::future::Future;

use autopilot_events::words::Msat;

/// One way to pay a payee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// A BOLT11 invoice of this network.
    Bolt11(String),
    /// A BOLT12 offer.
    Offer(String),
    /// A server that makes an invoice for an amount (LNURL-pay).
    Callback(Callback),
    /// An address of this network.
    Onchain(String),
}

/// A server that makes an invoice for an amount: the first half of LNURL-pay (LUD-06).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback {
    /// Where to ask.
    pub url: String,
    /// The least that it takes.
    pub min: Msat,
    /// The most that it takes.
    pub max: Msat,
    /// SHA-256 of what it said about itself; its invoices commit to it.
    pub metadata_hash: [u8; 32],
    /// Characters of a comment that it takes (LUD-12); 0: none.
    pub comment_chars: u32,
    /// A person named a server on this machine, so that answers may come from it.
    pub on_this_machine: bool,
}

/// What a destination turned out to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// The ways to pay, the best first: BOLT11, BOLT12, LNURL-pay, on chain. Never empty.
    pub ways: Vec<Way>,
    /// Each step from the destination to the ways: `bip21`, `bip353`, `lightning-address`, `lnurl-pay` ….
    pub path: Vec<String>,
    /// Whose word it is: the DNS name or the https host that was asked; empty where nobody was.
    pub authority: String,
    /// What the destination itself asks for.
    pub amount: Option<Msat>,
    /// The payee's words; untrusted, at most 300 characters.
    pub description: String,
    /// blake3 of the DNSSEC proof.
    pub proof_digest: Option<[u8; 32]>,
    /// What was passed over on the way and why, in sentences.
    pub notes: Vec<String>,
}

/// Why a destination can't be paid. The code is closed; the sentence is for a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PayeeError {
    /// What kind, for decisions.
    pub code: PayeeErrorCode,
    /// A sentence for a person.
    pub message: String,
}

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PayeeErrorCode {
    /// No form of destination that is known, or a damaged one.
    Unreadable,
    /// Understood, and nothing that this wallet pays.
    Unsupported,
    /// Of another Bitcoin network.
    WrongNetwork,
    /// Nobody is known under this name.
    NameNotFound,
    /// The answer about a name has a DNSSEC proof that does not hold.
    NameUnproven,
    /// A server does not answer, or not in time.
    Unreachable,
    /// A server says no.
    Refused,
    /// A server answers otherwise than the protocol or our question allows.
    Misbehaved,
    /// An address that must not be asked: no https, or inside a private network.
    Forbidden,
    /// Less than the payee's least, or more than its most.
    AmountOutOfRange,
    /// A longer comment than the payee takes.
    CommentTooLong,
}

impl PayeeErrorCode {
    /// A short, stable name for exit codes and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreadable => "destination-unreadable",
            Self::Unsupported => "destination-unsupported",
            Self::WrongNetwork => "wrong-network",
            Self::NameNotFound => "name-not-found",
            Self::NameUnproven => "name-unproven",
            Self::Unreachable => "payee-unreachable",
            Self::Refused => "payee-refused",
            Self::Misbehaved => "payee-misbehaved",
            Self::Forbidden => "address-forbidden",
            Self::AmountOutOfRange => "amount-out-of-range",
            Self::CommentTooLong => "comment-too-long",
        }
    }
}

/// Finds out who and how. Every call is bounded in time and memory, and changes nothing anywhere but that a server may
/// make an invoice.
pub trait Payees: Send + Sync {
    /// What a destination is. Asks servers only for names and LNURL.
    fn resolve(&self, destination: &str) -> impl Future<Output = Result<Resolved, PayeeError>> + Send;
    /// An invoice over exactly this amount, checked against what was asked and what the server said before.
    fn invoice(
        &self,
        callback: &Callback,
        amount: Msat,
        comment: &str,
    ) -> impl Future<Output = Result<String, PayeeError>> + Send;
}
