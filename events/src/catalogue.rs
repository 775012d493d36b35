//! The catalogue: every type of fact, its name, version and whether a reader that does not know it must stop writing.
use autopilot_proto::events::v1 as pb;
use prost::{Message, bytes::Bytes};

/// A payload that can't be read as the type and version it claims.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// The bytes are no such message.
    #[error("the payload of {kind} can't be decoded: {cause}")]
    Malformed {
        /// Catalogue name.
        kind: &'static str,
        /// The decoder's words.
        cause: String,
    },
    /// An id, key or hash has the wrong length.
    #[error("the payload of {kind} has a field of the wrong length: {field}")]
    Length {
        /// Catalogue name.
        kind: &'static str,
        /// Name of the field.
        field: &'static str,
    },
}

macro_rules! catalogue {
    ($($variant:ident = $name:literal $version:literal $critical:literal [$($field:ident : $len:literal),*];)*) => {
        /// One fact's meaning. [`Event::Unknown`] keeps what a newer program wrote.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Event {
            $(#[doc = concat!("`", $name, "`")] $variant(pb::$variant),)*
            /// A type or version that this program does not know; kept, hashed and skipped.
            Unknown {
                /// Catalogue name as written.
                kind: String,
                /// Schema version as written.
                version: u32,
            },
        }

        /// Every known type: name, version, critical.
        pub const CATALOGUE: &[(&str, u32, bool)] = &[$(($name, $version, $critical),)*];

        impl Event {
            /// Catalogue name.
            pub fn kind(&self) -> &str {
                match self {
                    $(Event::$variant(_) => $name,)*
                    Event::Unknown { kind, .. } => kind,
                }
            }

            /// Schema version of the payload.
            pub fn version(&self) -> u32 {
                match self {
                    $(Event::$variant(_) => $version,)*
                    Event::Unknown { version, .. } => *version,
                }
            }

            /// Whether a reader that does not know this type must not write to the ledger.
            pub fn critical(&self) -> bool {
                match self {
                    $(Event::$variant(_) => $critical,)*
                    Event::Unknown { .. } => false,
                }
            }

            /// The payload's bytes; an unknown event has none to give.
            pub fn encode(&self) -> Vec<u8> {
                match self {
                    $(Event::$variant(message) => message.encode_to_vec(),)*
                    Event::Unknown { .. } => Vec::new(),
                }
            }

            /// Reads a payload, checking the length of every id so that folds need not.
            ///
            /// # Errors
            /// [`PayloadError`] where the bytes do not fit a type that is known; an unknown type is no error.
            pub fn decode(kind: &str, version: u32, payload: &[u8]) -> Result<Event, PayloadError> {
                Event::decode_shared(kind, version, Bytes::copy_from_slice(payload))
            }

            /// The same, from bytes that are shared: what is kept of them is copied once.
            ///
            /// # Errors
            /// As [`Event::decode`].
            pub fn decode_shared(kind: &str, version: u32, payload: Bytes) -> Result<Event, PayloadError> {
                match place(kind, version) {
                    Some(place) => DECODERS[place](payload),
                    None => Ok(Event::Unknown { kind: kind.to_owned(), version }),
                }
            }
        }

        /// How the payload of each type is read, in the order of [`CATALOGUE`].
        const DECODERS: [fn(Bytes) -> Result<Event, PayloadError>; CATALOGUE.len()] = [$(|payload| {
            let message = pb::$variant::decode(payload)
                .map_err(|e| PayloadError::Malformed { kind: $name, cause: e.to_string() })?;
            $(if message.$field.len() != $len {
                return Err(PayloadError::Length { kind: $name, field: stringify!($field) });
            })*
            Ok(Event::$variant(message))
        },)*];

        $(impl From<pb::$variant> for Event {
            fn from(message: pb::$variant) -> Event {
                Event::$variant(message)
            }
        })*
    };
}

/// Places in [`PLACES`]: several times as many as there are types, so that most stand alone in theirs.
const SLOTS: usize = 512;

const _: () = assert!(CATALOGUE.len() * 4 < SLOTS, "room in the table of names");

/// Where a name is looked for first. Three of its bytes and its length tell most names apart; the rest is compared.
const fn slot(kind: &[u8]) -> usize {
    match kind.len() {
        0 => 0,
        n => (n * 11 + kind[0] as usize * 3 + kind[n / 2] as usize * 29 + kind[n - 1] as usize * 101) % SLOTS,
    }
}

/// Each type's place in [`CATALOGUE`], at the [`slot`] of its name or behind it. Every fact that is read is looked up here.
const PLACES: [Option<u8>; SLOTS] = {
    let mut places = [None; SLOTS];
    let mut place = 0;
    while place < CATALOGUE.len() {
        let mut at = slot(CATALOGUE[place].0.as_bytes());
        while places[at].is_some() {
            at = (at + 1) % SLOTS;
        }
        places[at] = Some(place as u8);
        place += 1;
    }
    places
};

/// Where a type and version stand in [`CATALOGUE`].
fn place(kind: &str, version: u32) -> Option<usize> {
    let mut at = slot(kind.as_bytes());
    while let Some(place) = PLACES[at].map(usize::from) {
        let (name, known, _) = CATALOGUE[place];
        if name == kind && known == version {
            return Some(place);
        }
        at = (at + 1) % SLOTS;
    }
    None
}

catalogue! {
    LedgerOpened = "ledger.opened" 1 true [ledger_id: 16, identity: 32];
    IdentityBackedUp = "identity.backed_up" 1 false [];
    IdentityProtected = "identity.protected" 1 false [];
    PolicyChanged = "policy.changed" 1 false [digest: 32];
    ProviderWentOnline = "provider.went_online" 1 false [policy_digest: 32];
    ProviderWentOffline = "provider.went_offline" 1 false [];
    LivenessRecorded = "liveness.recorded" 1 false [];
    JobReceived = "job.received" 1 false [job_id: 32, native_id: 32, requester: 32];
    JobInputsResolved = "job.inputs_resolved" 1 false [job_id: 32];
    JobRefused = "job.refused" 1 false [job_id: 32, policy_digest: 32];
    RefusalMarked = "refusal.marked" 1 false [job_id: 32];
    DemandSeen = "demand.seen" 1 false [];
    IntakeAggregated = "intake.aggregated" 1 false [ids_digest: 32];
    JobAccepted = "job.accepted" 1 false [job_id: 32, policy_digest: 32];
    JobStarted = "job.started" 1 false [job_id: 32];
    JobExecuted = "job.executed" 1 false [job_id: 32];
    JobFailed = "job.failed" 1 false [job_id: 32];
    JobDelivered = "job.delivered" 1 false [job_id: 32, event_id: 32];
    InvoiceIssued = "invoice.issued" 1 true [job_id: 32, payment_hash: 32];
    InvoiceExpired = "invoice.expired" 1 true [job_id: 32, payment_hash: 32];
    JobPrepaid = "job.prepaid" 1 true [job_id: 32, payment_hash: 32];
    JobSettled = "job.settled" 1 true [job_id: 32, payment_hash: 32];
    JobRefunded = "job.refunded" 1 true [job_id: 32, payment_hash: 32];
    JobRefundFailed = "job.refund_failed" 1 false [job_id: 32];
    JobReceipted = "job.receipted" 1 false [job_id: 32, event_id: 32, payment_hash: 32];
    EventSigned = "event.signed" 1 false [event_id: 32, job_id: 32];
    EventPublished = "event.published" 1 false [event_id: 32, job_id: 32];
    EventAbandoned = "event.abandoned" 1 false [event_id: 32, job_id: 32];
    WalletStarted = "wallet.started" 1 false [node_id: 33];
    WalletStopped = "wallet.stopped" 1 false [];
    WalletPaymentReceived = "wallet.payment_received" 1 true [payment_hash: 32];
    WalletPaymentSent = "wallet.payment_sent" 1 true [payment_hash: 32];
    WalletPaymentFailed = "wallet.payment_failed" 1 true [payment_hash: 32];
    WalletChannelOpened = "wallet.channel_opened" 1 true [];
    WalletChannelClosed = "wallet.channel_closed" 1 true [];
    WalletOnchainReceived = "wallet.onchain_received" 1 true [];
    WalletOnchainSent = "wallet.onchain_sent" 1 true [];
    WalletClosingsOver = "wallet.closings_over" 1 true [];
    WalletPaymentForwarded = "wallet.payment_forwarded" 1 true [event_id: 32];
    WalletBalanceObserved = "wallet.balance_observed" 1 false [];
    WalletReconciled = "wallet.reconciled" 1 true [];
    PaymentApproved = "payment.approved" 1 true [payment_hash: 32];
    PaymentAttempted = "payment.attempted" 1 true [payment_hash: 32];
    OnchainApproved = "onchain.approved" 1 true [intent_id: 16];
    OnchainSent = "onchain.sent" 1 true [intent_id: 16];
    OnchainFailed = "onchain.failed" 1 true [intent_id: 16];
    OfferApproved = "offer.approved" 1 true [intent_id: 16, offer_id: 32];
    OfferFailed = "offer.failed" 1 true [intent_id: 16];
    PurchaseRequested = "purchase.requested" 1 true [purchase_id: 32, native_id: 32];
    PurchaseOffered = "purchase.offered" 1 false [purchase_id: 32, provider: 32, event_id: 32];
    PurchaseRejected = "purchase.rejected" 1 false [purchase_id: 32, provider: 32, event_id: 32];
    PurchaseWon = "purchase.won" 1 false [purchase_id: 32, provider: 32, event_id: 32, payment_hash: 32];
    PurchasePaid = "purchase.paid" 1 true [purchase_id: 32, payment_hash: 32];
    PurchaseClosed = "purchase.closed" 1 false [purchase_id: 32];
    BuyModeStarted = "buy_mode.started" 1 true [buy_mode_id: 16];
    BuyModeStopped = "buy_mode.stopped" 1 true [buy_mode_id: 16];
    CanaryStarted = "canary.started" 1 true [job_id: 32, native_id: 32, requester: 32];
    CanaryFinished = "canary.finished" 1 false [job_id: 32];
    CanarySettled = "canary.settled" 1 true [job_id: 32, payment_hash: 32];
    HeadSigned = "head.signed" 1 false [root: 32, chain: 32];
    HeadCompared = "head.compared" 1 false [held_root: 32];
    HeadOverruled = "head.overruled" 1 false [held_root: 32];
    HeadPublished = "head.published" 1 false [event_id: 32];
    HeadKept = "head.kept" 1 false [provider: 32, root: 32, event_id: 32];
    PriceObserved = "price.observed" 1 false [];
    TextForgotten = "text.forgotten" 1 false [];
    AlertAcknowledged = "alert.acknowledged" 1 false [];
    MilestoneReached = "milestone.reached" 1 false [];
    MilestoneCelebrated = "milestone.celebrated" 1 false [];
    RelaysChanged = "relays.changed" 1 false [];
    ModelChosen = "model.chosen" 1 false [];
    ChatAsked = "chat.asked" 1 false [thread_id: 32, message_id: 32];
    ChatAnswered = "chat.answered" 1 false [thread_id: 32, message_id: 32];
    ChatFailed = "chat.failed" 1 false [thread_id: 32, message_id: 32];
    ChatStopped = "chat.stopped" 1 false [thread_id: 32, message_id: 32];
    ControlCommanded = "control.commanded" 1 false [key_digest: 32, params_digest: 32];
    ControlAnswered = "control.answered" 1 false [key_digest: 32];
}
