//! The market port: where jobs come from, and where results and bills go.
//!
//! Two halves. *Words* (`parse`, `compose_…`) touch no network: an event is composed and signed **once**, stored,
//! and its same bytes are published on every retry; a job is read again from its stored bytes after a restart.
//! *Wire* (`watch`, `publish`, `next_batch`) is best effort over many relays, each outcome told per relay.
//!
//! An adapter hands out only what carries a valid signature. Whether something was seen before is the ledger's
//! business: an observation may come more than once, by several relays, and after every reconnect.

use std::future::Future;

use autopilot_events::words::{EventId, JobId, Msat, PublicKey};

/// A signed event exactly as it is stored and sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedEvent {
    /// The hash that the signature covers.
    pub id: EventId,
    /// The native kind (5000–5999 request, 6000–6999 result, 7000 feedback, 31990 announcement, 5 cancel).
    pub kind: u16,
    /// The event as one JSON object, without the relay frame around it.
    pub json: Vec<u8>,
}

/// How the sensitive part of a job is sealed between buyer and provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encryption {
    /// The older cipher (AES-CBC; told by `?iv=` in the text).
    Nip04,
    /// The versioned one (ChaCha20 with HMAC).
    Nip44,
}

/// What an input's data is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InputType {
    /// The text itself (`text`, and `prompt` as some buyers write it).
    Text,
    /// An address to fetch.
    Url,
    /// The id of an event to read.
    Event,
    /// The id of a job whose output is the input.
    Job,
    /// A word that the protocol does not know.
    Other,
}

/// One input of a request, with the words as given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobInput {
    /// The tag's fields after its name, as given: data, type, relay, marker.
    pub fields: Vec<String>,
    /// The type field, understood.
    pub input_type: InputType,
}

impl JobInput {
    /// A plain text input.
    pub fn text(data: impl Into<String>) -> Self {
        Self { fields: vec![data.into(), "text".into()], input_type: InputType::Text }
    }

    /// The data field.
    pub fn data(&self) -> &str {
        self.fields.first().map_or("", String::as_str)
    }
}

/// The parameters of a request that this program understands, and the rest as given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JobParams {
    /// The model asked for, by name.
    pub model: Option<String>,
    /// Upper bound of generated tokens.
    pub max_tokens: Option<u32>,
    /// Sampling temperature, finite and ≥ 0.
    pub temperature: Option<f32>,
    /// Sampling: the k likeliest tokens.
    pub top_k: Option<u32>,
    /// Sampling: nucleus mass, in 0..=1.
    pub top_p: Option<f32>,
    /// Sampling seed.
    pub seed: Option<u64>,
    /// Texts that end the generation.
    pub stop: Vec<String>,
    /// Seconds that the job is worth doing, as the buyer wrote it (`ttl` or `timeout`).
    pub ttl_s: Option<u32>,
    /// Parameters that this program does not know, as (name, value).
    pub other: Vec<(String, String)>,
    /// Names of known parameters whose value could not be read: policy may refuse over them.
    pub malformed: Vec<String>,
}

/// A job that somebody asks for; signature checked, decrypted where it is for us.
#[derive(Clone, Debug, PartialEq)]
pub struct JobRequest {
    /// The request's own id on its market.
    pub native_id: EventId,
    /// Who asks, and pays.
    pub requester: PublicKey,
    /// The request's kind (5000–5999).
    pub kind: u16,
    /// All text inputs, joined by a line feed.
    pub input: String,
    /// Every input as given, in order; for an encrypted job these are the decrypted ones.
    pub inputs: Vec<JobInput>,
    /// Some input is no text (an address, an event, a job): it would have to be fetched first.
    pub has_remote_inputs: bool,
    /// What the buyer wishes of the work.
    pub params: JobParams,
    /// MIME type of the output, if asked for.
    pub output: Option<String>,
    /// The most that the buyer offers; `None` is "make me a quote", never "free".
    pub bid_msat: Option<Msat>,
    /// Seconds from the earlier of created and received, after which the job is void. 60 if the buyer says nothing.
    pub ttl_s: u32,
    /// When the buyer says that it was written (Unix seconds). Not to be trusted: admission judges it.
    pub created_at_s: u64,
    /// It names us as a provider.
    pub targeted: bool,
    /// It names no provider at all.
    pub open: bool,
    /// The providers it names.
    pub providers: Vec<PublicKey>,
    /// Where the buyer wants answers published.
    pub relays: Vec<String>,
    /// How the request is sealed, if it is; answers are sealed in kind.
    pub encryption: Option<Encryption>,
    /// An upper bound for the bytes of the result event beside its content (request, inputs, tags, signature, bill).
    /// This plus the content as escaped (or sealed) text must stay within [`EVENT_LIMIT_BYTES`].
    pub result_overhead_bytes: usize,
    /// The signed event as JSON bytes, enough to read the job again.
    pub raw: Vec<u8>,
}

impl JobRequest {
    /// The name of this job in the ledger.
    pub fn job_id(&self) -> JobId {
        JobId::derive(MARKET_NIP90, &self.native_id.0)
    }
}

/// The first market's name, as it enters [`JobId::derive`].
pub const MARKET_NIP90: &str = "nip90";

/// The most bytes that an event of ours may have as JSON: the smallest common relay limit (64 KiB), less the frame
/// that a relay puts around it.
pub const EVENT_LIMIT_BYTES: usize = 65_024;

/// Seconds a job is worth doing when its buyer says nothing.
pub const DEFAULT_TTL_S: u32 = 60;

/// The longest time to live that is believed, seconds; a longer one is cut to this.
pub const MAX_TTL_S: u32 = 86_400;

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
    /// How the result is sealed, if it is.
    pub encryption: Option<Encryption>,
    /// When the provider says that it was written (Unix seconds).
    pub created_at_s: u64,
    /// The signed event as JSON bytes.
    pub raw: Vec<u8>,
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
        }
    }
}

/// What a relay handed over, signature checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// The address of the relay that it came by.
    pub relay: String,
    /// What it is.
    pub item: MarketItem,
}

/// What comes out of the market: observations, and words about the stream itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// An event.
    Observed(Observation),
    /// The stream overflowed; everything watched was asked for again, so stored events come once more.
    Lagged {
        /// How many deliveries were skipped.
        skipped: u64,
    },
    /// A correctly signed event for us could not be understood, once per event id.
    Unreadable {
        /// The relay that it came by.
        relay: String,
        /// The event.
        id: EventId,
        /// Its author.
        author: PublicKey,
        /// Its kind.
        kind: u16,
        /// What is wrong with it.
        reason: String,
    },
}

/// What to listen for. Each call of [`Market::watch`] replaces the whole interest; only the parts that changed are
/// asked for again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// Request kinds (5000–5999) to hear of, targeted at us or open. Empty: none (offline).
    pub request_kinds: Vec<u16>,
    /// Requests from this time on (Unix seconds): now less the longest time to live.
    pub requests_since_s: u64,
    /// Our own requests: results and feedback that name one of them, by anybody.
    pub own_jobs: Vec<EventId>,
    /// The request kinds that we buy: their results are listened for.
    pub own_kinds: Vec<u16>,
    /// Requests we work on: their cancellation by their author.
    pub cancels_of: Vec<EventId>,
    /// Results (of `own_kinds`) and feedback that name us, from this time on (Unix seconds).
    pub answers_since_s: Option<u64>,
    /// Providers' announcements for these request kinds, and withdrawals.
    pub announcements_for: Vec<u16>,
    /// Withdrawals from this time on (Unix seconds); announcements that are stored come whatever their age.
    pub announcements_since_s: u64,
}

/// A request to be composed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewRequest {
    /// The kind (5000–5999).
    pub kind: u16,
    /// Inputs, at least one.
    pub inputs: Vec<JobInput>,
    /// Parameters; `malformed` is ignored.
    pub params: JobParams,
    /// MIME type of the output.
    pub output: Option<String>,
    /// The most that is offered.
    pub bid_msat: Option<Msat>,
    /// Providers it is for; none means open. Exactly one for an encrypted request.
    pub providers: Vec<PublicKey>,
    /// Where answers shall be published.
    pub relays: Vec<String>,
    /// Seal inputs and parameters for the one provider.
    pub encryption: Option<Encryption>,
}

/// A feedback to be composed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFeedback {
    /// The status.
    pub status: FeedbackStatus,
    /// Extra words for a person, at most 1,000 bytes.
    pub reason: String,
    /// A partial output, or empty.
    pub content: String,
    /// The bill, if one goes with it.
    pub bill: Option<Bill>,
}

/// What one relay answered to a publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishOutcome {
    /// The relay's address.
    pub relay: String,
    /// It said `OK true`. That proves nothing but politeness.
    pub accepted: bool,
    /// Its words, or ours where it gave none (`timeout`, `not connected`).
    pub reason: String,
    /// Milliseconds until the answer.
    pub elapsed_ms: u64,
}

/// Where the connection to one relay stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RelayState {
    /// Not yet tried.
    Idle,
    /// A connection is being made.
    Connecting,
    /// Connected.
    Connected,
    /// The connection was lost or refused; it is tried again by itself.
    Disconnected,
    /// Given up or banned.
    Terminated,
}

/// The state of one relay, for people and for `doctor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayStatus {
    /// The relay's address.
    pub relay: String,
    /// The connection.
    pub state: RelayState,
    /// Round trip of the last ping, milliseconds.
    pub latency_ms: Option<u64>,
    /// The last time anything valid came from it (Unix seconds).
    pub last_seen_s: Option<u64>,
    /// Why the last thing that failed there failed.
    pub last_error: Option<String>,
    /// Publications it accepted.
    pub accepted: u64,
    /// Publications it refused or left unanswered.
    pub refused: u64,
    /// Events it delivered with a valid signature, duplicates included.
    pub delivered: u64,
    /// Events it delivered that were forged or altered.
    pub forged: u64,
}

/// Something worth a line beside the ledger, never in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalEntry {
    /// When (Unix seconds).
    pub at_s: u64,
    /// By which relay.
    pub relay: String,
    /// The event it is about, if any.
    pub event: Option<EventId>,
    /// What happened.
    pub what: JournalKind,
    /// Words, at most 300 bytes.
    pub detail: String,
}

/// The kinds of journal entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JournalKind {
    /// The relay accepted a publication.
    Accepted,
    /// The relay refused a publication, or did not answer in time.
    Refused,
    /// The connection came up, or went down.
    Connection,
    /// The relay delivered what other relays had delivered already.
    Duplicate,
    /// The relay delivered something with a wrong id or signature.
    Forged,
    /// The relay delivered something that could not be understood.
    Unreadable,
    /// The relay said something to be read by people, or closed a subscription.
    Said,
}

/// Entries since the last call, and how many were dropped because nobody fetched them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JournalBatch {
    /// In order of arrival.
    pub entries: Vec<JournalEntry>,
    /// Entries that found the journal full.
    pub dropped: u64,
}

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

    /// Composes and signs a cancellation of our own request `job`.
    fn compose_cancel(&self, job: EventId, reason: &str, created_at_s: u64) -> Result<SignedEvent, MarketError>;

    /// Composes and signs an announcement: one kind tag per kind that is servable now.
    fn compose_announcement(
        &self,
        kinds: &[u16],
        content: &str,
        created_at_s: u64,
    ) -> Result<SignedEvent, MarketError>;

    /// Composes and signs the withdrawal: the announcement without kinds, which replaces the one before.
    fn compose_withdrawal(&self, created_at_s: u64) -> Result<SignedEvent, MarketError>;

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

    /// Waits for something and hands out what there is, at most `max` notices, in order of arrival.
    /// [`MarketError::Closed`] after [`Market::close`], once everything was handed out. One caller at a time.
    fn next_batch(&self, max: usize) -> impl Future<Output = Result<Vec<Notice>, MarketError>> + Send;

    /// Every configured relay as it stands.
    fn relays(&self) -> impl Future<Output = Vec<RelayStatus>> + Send;

    /// Takes the journal entries that wait, at most `max`.
    fn drain_journal(&self, max: usize) -> JournalBatch;

    /// Ends all connections.
    fn close(&self) -> impl Future<Output = ()> + Send;
}
