//! Views whose state grows with the ledger: a pure function from one fact to changes of rows, which a store applies
//! with a checkpoint in the same transaction.
use autopilot_events::{
    Event, Recorded, pb,
    words::{EventId, JobId, PaymentHash, PublicKey},
};
use serde::Serialize;

/// Name and version of the history view.
pub const HISTORY: (&str, u32) = ("history", 1);

/// Which side of the market a row of history is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// We work.
    Provider,
    /// We buy.
    Buyer,
}

impl Role {
    /// As stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Role::Provider => "provider",
            Role::Buyer => "buyer",
        }
    }
}

/// Changes to one row of history; `None` leaves a column as it is. The row is made when it is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HistoryPatch {
    /// Key of the row.
    pub job_id: JobId,
    /// Set at the first fact of the job.
    pub role: Option<Role>,
    /// Id at the market.
    pub native_id: Option<EventId>,
    /// The other side.
    pub counterparty: Option<PublicKey>,
    /// Request kind.
    pub kind: Option<u32>,
    /// First fact of the job: its number and time.
    pub received: Option<(u64, i64)>,
    /// `received`, `accepted`, `running`, `executed`, `delivered`, `refused`, `failed`; for purchases also `requested`, `answered`, `closed`.
    pub work: Option<&'static str>,
    /// `priced`, `invoiced`, `prepaid`, `settled`, `refunded`, `expired`; for purchases `approved`, `settled`.
    pub money: Option<&'static str>,
    /// Agreed or paid.
    pub price_msat: Option<u64>,
    /// What arrived, or was paid.
    pub settled_msat: Option<u64>,
    /// When the wallet had it.
    pub settled_at_ms: Option<i64>,
    /// Binds the payment.
    pub payment_hash: Option<PaymentHash>,
    /// blake3 of the output's ciphertext.
    pub result_digest: Option<[u8; 32]>,
    /// Why refused, failed or unpaid.
    pub reason: Option<String>,
}

impl HistoryPatch {
    fn of(job_id: &[u8]) -> HistoryPatch {
        HistoryPatch {
            job_id: JobId::of(job_id),
            ..HistoryPatch::default()
        }
    }

    fn work(mut self, work: &'static str) -> HistoryPatch {
        self.work = Some(work);
        self
    }

    fn money(mut self, money: &'static str) -> HistoryPatch {
        self.money = Some(money);
        self
    }

    fn reason(mut self, reason: impl Into<String>) -> HistoryPatch {
        self.reason = Some(reason.into());
        self
    }
}

/// What a fact changes in the history of jobs and purchases.
pub fn history(fact: &Recorded) -> Option<HistoryPatch> {
    let at = (fact.fact.sequence, fact.fact.recorded_at_ms);
    Some(match &fact.event {
        Event::JobReceived(m) => HistoryPatch {
            role: Some(Role::Provider),
            native_id: Some(EventId::of(&m.native_id)),
            counterparty: Some(PublicKey::of(&m.requester)),
            kind: Some(m.kind),
            received: Some(at),
            ..HistoryPatch::of(&m.job_id).work("received")
        },
        Event::JobRefused(m) => HistoryPatch::of(&m.job_id).work("refused").reason(format!(
            "{}: {}",
            refusal_name(m.reason),
            m.detail
        )),
        Event::JobAccepted(m) => HistoryPatch {
            price_msat: Some(m.price_msat),
            ..HistoryPatch::of(&m.job_id).work("accepted").money("priced")
        },
        Event::JobStarted(m) => HistoryPatch::of(&m.job_id).work("running"),
        Event::JobExecuted(m) => HistoryPatch {
            result_digest: m
                .output
                .as_ref()
                .and_then(|o| o.ciphertext_digest.as_slice().try_into().ok()),
            ..HistoryPatch::of(&m.job_id).work("executed")
        },
        Event::JobFailed(m) => HistoryPatch::of(&m.job_id)
            .work("failed")
            .reason(format!("{}: {}", m.code, m.detail)),
        Event::JobDelivered(m) => HistoryPatch::of(&m.job_id).work("delivered"),
        Event::InvoiceIssued(m) => HistoryPatch {
            payment_hash: Some(PaymentHash::of(&m.payment_hash)),
            ..HistoryPatch::of(&m.job_id).money("invoiced")
        },
        Event::InvoiceExpired(m) => HistoryPatch::of(&m.job_id)
            .money("expired")
            .reason("the invoice ran out unpaid"),
        Event::JobPrepaid(m) => HistoryPatch::of(&m.job_id).money("prepaid"),
        Event::JobRefunded(m) => HistoryPatch::of(&m.job_id).money("refunded"),
        Event::JobSettled(m) => HistoryPatch {
            settled_msat: Some(m.amount_msat),
            settled_at_ms: Some(m.settled_at_ms),
            ..HistoryPatch::of(&m.job_id).money("settled")
        },
        Event::CanarySettled(m) => HistoryPatch {
            settled_msat: Some(m.amount_msat),
            settled_at_ms: Some(m.settled_at_ms),
            ..HistoryPatch::of(&m.job_id)
                .money("settled")
                .reason("a canary: our own trial, no earning")
        },
        other => return purchase_history(other, at),
    })
}

fn purchase_history(event: &Event, at: (u64, i64)) -> Option<HistoryPatch> {
    Some(match event {
        Event::PurchaseRequested(m) => HistoryPatch {
            role: Some(Role::Buyer),
            native_id: Some(EventId::of(&m.native_id)),
            kind: Some(m.kind),
            received: Some(at),
            ..HistoryPatch::of(&m.purchase_id).work("requested")
        },
        Event::PurchaseOffered(m) if m.status == "result" => HistoryPatch {
            result_digest: m
                .result
                .as_ref()
                .and_then(|r| r.ciphertext_digest.as_slice().try_into().ok()),
            ..HistoryPatch::of(&m.purchase_id).work("answered")
        },
        Event::PurchaseWon(m) => HistoryPatch {
            counterparty: Some(PublicKey::of(&m.provider)),
            payment_hash: Some(PaymentHash::of(&m.payment_hash)),
            price_msat: Some(m.amount_msat),
            ..HistoryPatch::of(&m.purchase_id).money("approved")
        },
        Event::PurchasePaid(m) => HistoryPatch {
            settled_msat: Some(m.amount_msat),
            settled_at_ms: Some(at.1),
            ..HistoryPatch::of(&m.purchase_id).money("settled")
        },
        Event::PurchaseClosed(m) => HistoryPatch::of(&m.purchase_id)
            .work("closed")
            .reason(m.reason.clone()),
        _ => return None,
    })
}

/// Name of a refusal as people and programs see it, e.g. `price-too-low`.
pub fn refusal_name(reason: i32) -> String {
    let name = pb::RefusalReason::try_from(reason).map_or("unknown", |r| r.as_str_name());
    name.trim_start_matches("REFUSAL_REASON_")
        .to_lowercase()
        .replace('_', "-")
}
