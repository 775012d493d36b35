//! What the market answers to a purchase of ours.
use autopilot_events::{
    pb,
    words::{EventId, JobId, Msat, PaymentHash, PublicKey},
};

/// An answer to a purchase of ours.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The purchase.
    pub purchase: JobId,
    /// Who answers.
    pub provider: PublicKey,
    /// The event that carries the answer.
    pub event_id: EventId,
    /// What it is.
    pub kind: AnswerKind,
    /// The invoice that it carries, decoded; `Err` says what is wrong with it.
    pub invoice: Option<Result<Bill, String>>,
    /// The signed event, sealed away.
    pub body: pb::BodyRef,
}

/// What an answer is.
#[derive(Clone, Debug, PartialEq)]
pub enum AnswerKind {
    /// A result; `Err` says why it is none.
    Result(Result<(), String>),
    /// The provider wants to be paid first.
    PaymentRequired,
    /// Any other feedback, by its NIP-90 name.
    Status(String),
}

/// An invoice as somebody else wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bill {
    /// As given.
    pub bolt11: String,
    /// Binds the payment.
    pub payment_hash: PaymentHash,
    /// `None`: the payer chooses.
    pub amount: Option<Msat>,
    /// Node, 33 bytes.
    pub payee: Vec<u8>,
    /// `bitcoin`, `testnet`, `signet` or `regtest`.
    pub network: String,
    /// When it runs out.
    pub expires_at_ms: i64,
}
