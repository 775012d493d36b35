//! The wire: what to listen for, what came, and how the relays stand.

use autopilot_events::words::{EventId, PublicKey};

use super::answer::MarketItem;

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
        /// When it says that it was written (Unix seconds).
        created_at_s: u64,
        /// What is wrong with it.
        reason: String,
        /// The signed event as JSON bytes.
        raw: Vec<u8>,
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
    /// Request kinds (5000–5999) that are only counted: demand that can't be claimed. Never handed out as requests.
    pub preview_kinds: Vec<u16>,
    /// Counted from this time on (Unix seconds).
    pub preview_since_s: u64,
    /// Our own requests: results and feedback that name one of them, by anybody.
    pub own_jobs: Vec<EventId>,
    /// The request kinds that we buy: their results are listened for.
    pub own_kinds: Vec<u16>,
    /// Requests we work on: their cancellation by their author.
    pub cancels_of: Vec<EventId>,
    /// Results (of `own_kinds`) and feedback that name us, from this time on (Unix seconds).
    pub answers_since_s: Option<u64>,
    /// Receipts that name us as provider, from this time on (Unix seconds).
    pub receipts_since_s: Option<u64>,
    /// Providers' announcements for these request kinds, and withdrawals.
    pub announcements_for: Vec<u16>,
    /// Withdrawals from this time on (Unix seconds); announcements that are stored come whatever their age.
    pub announcements_since_s: u64,
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
    /// Publications in a row that it left unanswered, since it last said anything.
    pub unanswered: u64,
}

/// Publications that a relay may leave unanswered in a row before it counts as silent.
pub const SILENT_AFTER: u64 = 2;

impl RelayStatus {
    /// Whether it can be of use now: connected, and not silent to what is published there.
    pub fn serves(&self) -> bool {
        self.state == RelayState::Connected && self.unanswered < SILENT_AFTER
    }
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
