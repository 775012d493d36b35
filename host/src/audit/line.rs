//! A fact as one line for people and programs.
use autopilot_events::{Event, Recorded, pb};
use autopilot_proto::control::v1::FactLine;
use serde::Serialize;
use serde_json::Value;

/// One fact as a JSON document: a line of `ledger tail --json` and of the session log.
#[derive(Clone, Debug, Serialize)]
pub struct FactDocument {
    sequence: u64,
    at_ms: i64,
    r#type: String,
    stream: String,
    source: String,
    chain: String,
    payload: Value,
}

impl FactDocument {
    /// On one line.
    pub fn to_json(&self) -> String {
        // Plain owned data with string keys: serialising it into memory cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl From<FactLine> for FactDocument {
    fn from(line: FactLine) -> FactDocument {
        // The text was made from a value just now; anything else reads as null.
        let payload = serde_json::from_str(&line.json).unwrap_or_default();
        let FactLine {
            sequence,
            at_ms,
            r#type,
            stream,
            source,
            chain,
            ..
        } = line;
        FactDocument {
            sequence,
            at_ms,
            r#type,
            stream,
            source,
            chain,
            payload,
        }
    }
}

macro_rules! payload {
    ($event:expr, $($variant:ident),* $(,)?) => {
        match $event {
            $(Event::$variant(message) => serde_json::to_value(message),)*
            Event::Unknown { .. } => Ok(Value::Null),
        }
    };
}

/// The payload as JSON: field names of `events/v1`, single byte fields as hexadecimal text.
fn payload(event: &Event) -> Value {
    let value = payload!(
        event,
        LedgerOpened,
        IdentityBackedUp,
        IdentityProtected,
        PolicyChanged,
        ProviderWentOnline,
        ProviderWentOffline,
        LivenessRecorded,
        JobReceived,
        JobInputsResolved,
        JobRefused,
        RefusalMarked,
        DemandSeen,
        IntakeAggregated,
        JobAccepted,
        JobStarted,
        JobExecuted,
        JobFailed,
        JobDelivered,
        InvoiceIssued,
        InvoiceExpired,
        JobPrepaid,
        JobSettled,
        JobRefunded,
        JobRefundFailed,
        JobReceipted,
        EventSigned,
        EventPublished,
        EventAbandoned,
        WalletStarted,
        WalletStopped,
        WalletPaymentReceived,
        WalletPaymentSent,
        WalletPaymentFailed,
        WalletChannelOpened,
        WalletChannelClosed,
        WalletOnchainReceived,
        WalletOnchainSent,
        WalletClosingsOver,
        WalletPaymentForwarded,
        WalletBalanceObserved,
        WalletReconciled,
        PaymentApproved,
        PaymentAttempted,
        OnchainApproved,
        OnchainSent,
        OnchainFailed,
        OfferApproved,
        OfferFailed,
        PurchaseRequested,
        PurchaseOffered,
        PurchaseRejected,
        PurchaseWon,
        PurchasePaid,
        PurchaseClosed,
        PriceObserved,
        TextForgotten,
        ControlCommanded,
        ControlAnswered,
        BuyModeStarted,
        BuyModeStopped,
        CanaryStarted,
        CanaryFinished,
        CanarySettled,
        HeadSigned,
        HeadCompared,
        HeadOverruled,
        HeadPublished,
        HeadKept,
        AlertAcknowledged,
        MilestoneReached,
        MilestoneCelebrated,
        RelaysChanged,
        ModelChosen,
        ChatAsked,
        ChatAnswered,
        ChatFailed,
        ChatStopped,
    );
    // Plain owned data with string keys: making a value of it cannot fail.
    value.unwrap_or_default()
}

/// Name of a fact's source, e.g. `wallet`; an unknown number reads as `unspecified`.
fn source(fact: &pb::Fact) -> String {
    let name = pb::Source::try_from(fact.source)
        .unwrap_or_default()
        .as_str_name();
    name.trim_start_matches("SOURCE_").to_lowercase()
}

/// A fact as `control/v1` and `ledger tail` show it. The JSON of a fact of unknown type is its payload in
/// hexadecimal, under `unknown_payload`.
pub fn fact_line(fact: &Recorded) -> FactLine {
    let json = match &fact.event {
        Event::Unknown { .. } => serde_json::json!({ "unknown_payload": hex::encode(&fact.fact.payload) }),
        event => payload(event),
    };
    FactLine {
        sequence: fact.fact.sequence,
        at_ms: fact.fact.recorded_at_ms,
        r#type: fact.fact.r#type.clone(),
        stream: fact.fact.stream.clone(),
        source: source(&fact.fact),
        chain: fact.chain.to_string(),
        json: json.to_string(),
    }
}
