//! The market port: where jobs come from, and where results and bills go.
//!
//! Two halves. *Words* (`parse`, `compose_…`) touch no network: an event is composed and signed **once**, stored,
//! and its same bytes are published on every retry; a job is read again from its stored bytes after a restart.
//! *Wire* (`watch`, `publish`, `next_batch`) is best effort over many relays, each outcome told per relay.
//!
//! An adapter hands out only what carries a valid signature. Whether something was seen before is the ledger's
//! business: an observation may come more than once, by several relays, and after every reconnect.

mod answer;
mod chain;
mod job;
mod relay;

pub use answer::{
    Announcement, Asked, Bill, Cancellation, FeedbackStatus, JobFeedback, JobResult, MarketItem, NewFeedback,
    NewReceipt, PaymentReceipt,
};
pub use chain::{ResolveError, Resolved};
pub use job::{
    DEFAULT_TTL_S, EVENT_LIMIT_BYTES, Encryption, InputType, JobInput, JobParams, JobRequest, MARKET_NIP90,
    MAX_TTL_S, NewRequest, SignedEvent,
};
pub use relay::{
    Interest, JournalBatch, JournalEntry, JournalKind, Notice, Observation, PublishOutcome, RelayState,
    RelayStatus,
};

use std::future::Future;

use autopilot_events::{
    pb::KindDemand,
    words::{EventId, PublicKey},
};

/// Why the market could not do something. The code is closed, the sentence is for a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MarketError {
    /// The bytes are no valid event, or break the protocol or a bound.
    #[error("the event cannot be read: {0}")]
    Unreadable(String),
    /// Hash or signature do not fit the event.
    #[error("the event is forged or altered")]
    Forged,
    /// It is sealed for somebody else, or the seal is broken.
    #[error("the event cannot be decrypted: {0}")]
    Sealed(String),
    /// The composed event would not be taken by every relay.
    #[error("the event would have {bytes} bytes, relays take at most {limit_bytes}")]
    TooLarge {
        /// What it would have.
        bytes: usize,
        /// What may be.
        limit_bytes: usize,
    },
    /// The thing to be composed makes no sense.
    #[error("cannot compose this event: {0}")]
    Invalid(String),
    /// The relays cannot be reached or configured.
    #[error("relays: {0}")]
    Relay(String),
    /// The market was closed.
    #[error("the market is closed")]
    Closed,
}

/// A market for jobs. NIP-90 over Nostr relays is the first.
///
/// `compose_…` signs with the identity of this home folder; calling it twice gives two different events, so the
/// result is stored before it is published. `created_at_s` is an input, like every clock.
pub trait Market: Send + Sync + 'static {
    /// Who we are there.
    fn public_key(&self) -> PublicKey;

    /// Reads a signed event: id and signature checked, decrypted where it is for us. No I/O.
    fn parse(&self, raw: &[u8]) -> Result<MarketItem, MarketError>;

    /// Composes and signs a request.
    fn compose_request(&self, request: &NewRequest, created_at_s: u64) -> Result<SignedEvent, MarketError>;

    /// Composes and signs the result of `job`, sealed as the job was. [`MarketError::TooLarge`] if it would not fit
    /// the smallest relay limit.
    fn compose_result(
        &self,
        job: &JobRequest,
        content: &str,
        bill: Option<&Bill>,
        created_at_s: u64,
    ) -> Result<SignedEvent, MarketError>;

    /// Composes and signs a provider's feedback to the buyer of `job`.
    fn compose_feedback(
        &self,
        job: &JobRequest,
        feedback: &NewFeedback,
        created_at_s: u64,
    ) -> Result<SignedEvent, MarketError>;

    /// Composes and signs a buyer's feedback to the provider of `result` (a lost race, a late result).
    fn compose_feedback_to_provider(
        &self,
        result: &JobResult,
        feedback: &NewFeedback,
        created_at_s: u64,
    ) -> Result<SignedEvent, MarketError>;

    /// Composes and signs a buyer's word that it paid.
    fn compose_receipt(&self, receipt: &NewReceipt, created_at_s: u64) -> Result<SignedEvent, MarketError>;

    /// Composes and signs a cancellation of our own request `job`.
    fn compose_cancel(
        &self,
        job: EventId,
        reason: &str,
        created_at_s: u64,
    ) -> Result<SignedEvent, MarketError>;

    /// Composes and signs an announcement: one kind tag per kind that is servable now. It is dated at least a second
    /// after any announcement or withdrawal of this run, for of two with one date the lower id counts.
    fn compose_announcement(
        &self,
        kinds: &[u16],
        content: &str,
        created_at_s: u64,
    ) -> Result<SignedEvent, MarketError>;

    /// Composes and signs the withdrawal: the announcement without kinds, which replaces the one before.
    fn compose_withdrawal(&self, created_at_s: u64) -> Result<SignedEvent, MarketError>;

    /// Composes and signs the deletion (NIP-09) of every announcement up to just before `withdrawal`, so that it stays.
    fn compose_deletion(&self, withdrawal: &SignedEvent) -> Result<SignedEvent, MarketError>;

    /// Listens for this from now on, on every relay, across reconnects. Stored events that match come again.
    fn watch(&self, interest: Interest) -> impl Future<Output = Result<(), MarketError>> + Send;

    /// Sends the same bytes to every relay at once and tells each outcome as it comes (`on_outcome`), then all of
    /// them. Ends when all answered or the adapter's bound has passed: a relay that hangs is told as `timeout`, a dead
    /// one at once as `not connected` (only a first connection still under way is waited for). Repeating is harmless.
    fn publish(
        &self,
        event: &SignedEvent,
        on_outcome: impl FnMut(&PublishOutcome) + Send,
    ) -> impl Future<Output = Result<Vec<PublishOutcome>, MarketError>> + Send;

    /// Sends the same bytes to relays that somebody else names, each in a short connection of its own, and tells each
    /// outcome. A few at most, none of ours, none inside our own network; the others are passed over.
    fn publish_elsewhere(
        &self,
        event: &SignedEvent,
        relays: &[String],
        on_outcome: impl FnMut(&PublishOutcome) + Send,
    ) -> impl Future<Output = Result<(), MarketError>> + Send;

    /// Fetches what an input of type `event` or `job` stands for, from our relays and the one that it hints at. Bounded
    /// in time and size; signatures are checked.
    fn resolve(&self, input: &JobInput) -> impl Future<Output = Result<Resolved, ResolveError>> + Send;

    /// Waits for something and hands out what there is, at most `max` notices, in order of arrival.
    /// [`MarketError::Closed`] after [`Market::close`], once everything was handed out. One caller at a time.
    fn next_batch(&self, max: usize) -> impl Future<Output = Result<Vec<Notice>, MarketError>> + Send;

    /// Every configured relay as it stands.
    fn relays(&self) -> impl Future<Output = Vec<RelayStatus>> + Send;

    /// Takes what was counted of the previewed kinds since the last call, by kind. A request is counted once, however
    /// many relays deliver it.
    fn drain_demand(&self) -> Vec<KindDemand>;

    /// Takes the journal entries that wait, at most `max`.
    fn drain_journal(&self, max: usize) -> JournalBatch;

    /// Ends all connections.
    fn close(&self) -> impl Future<Output = ()> + Send;
}
