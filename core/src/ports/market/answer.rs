//! What follows a job: results, feedback, cancellations, and the offers of providers.

use autopilot_events::words::{EventId, Msat, PaymentHash, PublicKey};

use super::job::{Encryption, JobRequest};

/// A bill beside a result or a feedback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bill {
    /// What is asked.
    pub amount_msat: Msat,
    /// The invoice, if one was sent; not checked here.
    pub bolt11: Option<String>,
}

/// The outcome of a job, as its provider delivers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobResult {
    /// The result's own id.
    pub native_id: EventId,
    /// Who delivers, and bills.
    pub provider: PublicKey,
    /// The request that it answers.
    pub job: EventId,
    /// The customer that it names.
    pub customer: Option<PublicKey>,
    /// The result's kind (6000–6999).
    pub kind: u16,
    /// The output; decrypted where it is for us.
    pub content: String,
    /// The bill, if the provider sent one.
    pub bill: Option<Bill>,
    /// The copy of the request that the result carries has the id that the result names.
    pub request_matches: bool,
    /// What was asked, by that copy; only where the copy has the right id and is ours to read.
    pub asked: Option<Asked>,
    /// How the result is sealed, if it is.
    pub encryption: Option<Encryption>,
    /// When the provider says that it was written (Unix seconds).
    pub created_at_s: u64,
    /// The signed event as JSON bytes.
    pub raw: Vec<u8>,
}

/// What a request asked for, as far as its result is judged by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// It was sealed, so its result has to be too.
    pub sealed: bool,
    /// Inputs.
    pub inputs: usize,
}

/// What a feedback says of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FeedbackStatus {
    /// The provider wants to be paid before it goes on.
    PaymentRequired,
    /// Work goes on.
    Processing,
    /// It could not be done; the reason says why.
    Error,
    /// Done and settled. From a relay this is a claim, never a payment.
    Success,
    /// A part of the output.
    Partial,
}

/// A message about a job, from its provider or (lost race) from its buyer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobFeedback {
    /// The feedback's own id.
    pub native_id: EventId,
    /// Who says it.
    pub author: PublicKey,
    /// The request that it is about.
    pub job: EventId,
    /// Whom it is for.
    pub recipient: Option<PublicKey>,
    /// The status.
    pub status: FeedbackStatus,
    /// The extra words of the status tag.
    pub reason: String,
    /// Content (a partial output, or words); decrypted where it is for us.
    pub content: String,
    /// The bill, if one was sent.
    pub bill: Option<Bill>,
    /// When the author says that it was written (Unix seconds).
    pub created_at_s: u64,
    /// The signed event as JSON bytes.
    pub raw: Vec<u8>,
}

/// A feedback to be composed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFeedback {
    /// The status.
    pub status: FeedbackStatus,
    /// Extra words for a person; cut to 1,000 bytes.
    pub reason: String,
    /// A partial output, or empty.
    pub content: String,
    /// The bill, if one goes with it.
    pub bill: Option<Bill>,
}

/// A buyer's word that it paid a result. It proves who says so, never that a wallet has the money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentReceipt {
    /// The receipt's own id.
    pub native_id: EventId,
    /// Who says it.
    pub author: PublicKey,
    /// The request.
    pub job: EventId,
    /// The result.
    pub result: EventId,
    /// Who was paid.
    pub provider: PublicKey,
    /// Of the invoice.
    pub payment_hash: PaymentHash,
    /// What was paid, routing fees apart.
    pub amount_msat: Msat,
    /// When the author says that it was written (Unix seconds).
    pub created_at_s: u64,
    /// The signed event as JSON bytes.
    pub raw: Vec<u8>,
}

/// A receipt to be composed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewReceipt {
    /// Our request.
    pub job: EventId,
    /// The result that was paid.
    pub result: EventId,
    /// Who was paid.
    pub provider: PublicKey,
    /// Of the invoice.
    pub payment_hash: PaymentHash,
    /// What was paid, routing fees apart.
    pub amount_msat: Msat,
}

/// The author of some events takes them back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancellation {
    /// The cancellation's own id.
    pub native_id: EventId,
    /// Who takes back: valid only for events of the same author.
    pub author: PublicKey,
    /// What is taken back.
    pub events: Vec<EventId>,
    /// The author's words.
    pub reason: String,
    /// When the author says that it was written (Unix seconds).
    pub created_at_s: u64,
    /// The signed event as JSON bytes.
    pub raw: Vec<u8>,
}

/// What a provider says it can do now (NIP-89).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Who announces.
    pub provider: PublicKey,
    /// The provider's name for this announcement; the newest per (provider, identifier) counts, ties go to the lowest id.
    pub identifier: String,
    /// Kinds that are really servable now; none means withdrawn.
    pub kinds: Vec<u16>,
    /// JSON content as given: name, about, models, prices.
    pub content: String,
    /// When the provider says that it was written (Unix seconds).
    pub created_at_s: u64,
    /// The event's id.
    pub native_id: EventId,
    /// The signed event as JSON bytes.
    pub raw: Vec<u8>,
}

/// One event, understood.
#[derive(Clone, Debug, PartialEq)]
pub enum MarketItem {
    /// Somebody asks for a job.
    Request(Box<JobRequest>),
    /// Somebody delivers.
    Result(Box<JobResult>),
    /// Somebody says something of a job.
    Feedback(Box<JobFeedback>),
    /// Somebody takes something back.
    Cancel(Box<Cancellation>),
    /// Somebody offers.
    Announcement(Box<Announcement>),
    /// Somebody says that it paid.
    Receipt(Box<PaymentReceipt>),
}

impl MarketItem {
    /// The id of the event that was understood.
    pub fn native_id(&self) -> EventId {
        match self {
            Self::Request(item) => item.native_id,
            Self::Result(item) => item.native_id,
            Self::Feedback(item) => item.native_id,
            Self::Cancel(item) => item.native_id,
            Self::Announcement(item) => item.native_id,
            Self::Receipt(item) => item.native_id,
        }
    }
}
