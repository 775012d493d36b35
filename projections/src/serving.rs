//! How well the provider serves: failures by class, the last outcome, online time by the quarter, and how long the first
//! sats took. Trials count neither way.
use std::collections::BTreeMap;

use autopilot_events::{
    Event, Recorded,
    pb::{self, FailureClass},
    words::{JobId, Msat},
};
use serde::{Deserialize, Serialize};

use crate::{Projection, canaries::CanaryJobs, quarters::Quarters};

/// What a failure is of. Everything that goes wrong is of one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// A request, an input or a result did not get through.
    Relay,
    /// The work itself.
    Execution,
    /// The work is done, or was to be paid first, and no money came.
    Payment,
    /// Wallet and ledger differ.
    Reconciliation,
}

impl Class {
    /// All of them, as they are shown.
    pub const ALL: [Class; 4] = [
        Class::Relay,
        Class::Execution,
        Class::Payment,
        Class::Reconciliation,
    ];

    /// As it is shown.
    pub fn name(self) -> &'static str {
        match self {
            Class::Relay => "relay",
            Class::Execution => "execution",
            Class::Payment => "payment",
            Class::Reconciliation => "reconciliation",
        }
    }

    /// The class of a failed job; none where somebody gave it up, which is no failure.
    fn of(m: &pb::JobFailed) -> Option<Class> {
        Some(match (m.class(), m.code.as_str()) {
            (FailureClass::Cancelled, _) | (_, "aborted") => return None,
            (FailureClass::Relay, _) => Class::Relay,
            // The input lay at no relay: the time ran out over it.
            (FailureClass::Deadline | FailureClass::Execution, "input-unavailable") => Class::Relay,
            (FailureClass::Deadline, QUOTE_NOT_TAKEN) => Class::Payment,
            (FailureClass::Payment, _) => Class::Payment,
            (FailureClass::Reconciliation, _) => Class::Reconciliation,
            (FailureClass::Execution | FailureClass::Deadline | FailureClass::Unspecified, _) => {
                Class::Execution
            }
        })
    }
}

/// A quote that nobody took: no money came, and no work was begun either.
const QUOTE_NOT_TAKEN: &str = "quote-not-taken";

/// Failures of one class.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Failures {
    /// How many, over the whole life of the ledger.
    pub jobs: u64,
    /// Of the last days, by the quarter of an hour.
    pub recent: Quarters,
    /// Code of the last one.
    pub last_code: String,
    /// What was said of it.
    pub last_words: String,
    /// When it was.
    pub last_at_ms: Option<i64>,
}

/// What came of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Which.
    pub job: JobId,
    /// It was delivered or paid.
    pub good: bool,
    /// In words.
    pub words: String,
    /// When.
    pub at_ms: i64,
    /// Number of the fact.
    pub sequence: u64,
}

/// The serving view.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Serving {
    failures: BTreeMap<Class, Failures>,
    /// Given up by the buyer or by hand.
    pub cancelled: u64,
    /// Work that was begun or promised, and not delivered.
    pub undelivered: u64,
    /// The first time online.
    pub first_online_at_ms: Option<i64>,
    /// The wallet's time of the first sats.
    pub first_settled_at_ms: Option<i64>,
    /// What came of the last job.
    pub last: Option<Outcome>,
    /// Online time, as far as facts prove it.
    pub online: Quarters,
    /// Up to when the current run's online time is counted; `None` while offline.
    pub counted_until_ms: Option<i64>,
    canaries: CanaryJobs,
}

impl Serving {
    /// Failures of a class.
    pub fn failures(&self, class: Class) -> Failures {
        self.failures.get(&class).cloned().unwrap_or_default()
    }

    /// From the first time online to the first sats, in milliseconds.
    pub fn first_job_latency_ms(&self) -> Option<i64> {
        let (online, settled) = (self.first_online_at_ms?, self.first_settled_at_ms?);
        Some(settled.saturating_sub(online).max(0))
    }

    fn fail(&mut self, fact: &Recorded, class: Class, code: &str, words: &str) {
        let at_ms = fact.fact.recorded_at_ms;
        let failures = self.failures.entry(class).or_default();
        failures.jobs += 1;
        failures.recent.add(at_ms, 1);
        failures.last_code = code.to_owned();
        failures.last_words = words.to_owned();
        failures.last_at_ms = Some(at_ms);
    }

    fn end(&mut self, fact: &Recorded, job: &[u8], good: bool, words: String) {
        self.last = Some(Outcome {
            job: JobId::of(job),
            good,
            words,
            at_ms: fact.fact.recorded_at_ms,
            sequence: fact.fact.sequence,
        });
    }

    fn failed(&mut self, fact: &Recorded, m: &pb::JobFailed) {
        let Some(class) = Class::of(m) else {
            self.cancelled += 1;
            return;
        };
        self.undelivered += u64::from(m.code != QUOTE_NOT_TAKEN);
        self.fail(fact, class, &m.code, &m.detail);
        self.end(
            fact,
            &m.job_id,
            false,
            format!("failed ({}): {}", m.code, m.detail),
        );
    }

    /// Online time up to now is proven.
    fn count(&mut self, until_ms: i64) {
        if let Some(from_ms) = self.counted_until_ms.replace(until_ms) {
            self.online.add_span(from_ms, until_ms);
        }
    }
}

impl Projection for Serving {
    const NAME: &'static str = "serving";
    const VERSION: u32 = 1;

    fn apply(&mut self, fact: &Recorded) {
        self.canaries.apply(fact);
        let at_ms = fact.fact.recorded_at_ms;
        match &fact.event {
            Event::ProviderWentOnline(_) => {
                self.first_online_at_ms.get_or_insert(at_ms);
                self.counted_until_ms = Some(at_ms);
            }
            Event::LivenessRecorded(_) if self.counted_until_ms.is_some() => self.count(at_ms),
            Event::ProviderWentOffline(m) => {
                // Of a run that was killed only what its liveness proves is counted.
                if m.reason != "restart" && self.counted_until_ms.is_some() {
                    self.count(at_ms);
                }
                self.counted_until_ms = None;
            }
            Event::JobFailed(m) if !self.canaries.contains(&m.job_id) => self.failed(fact, m),
            Event::JobDelivered(m) if !self.canaries.contains(&m.job_id) => {
                self.end(fact, &m.job_id, true, "delivered".to_owned());
            }
            Event::JobSettled(m) => {
                self.first_settled_at_ms.get_or_insert(m.settled_at_ms);
                let words = format!("paid: {}", Msat(m.amount_msat));
                self.end(fact, &m.job_id, true, words);
            }
            Event::InvoiceExpired(m) if !self.canaries.contains(&m.job_id) => {
                let words = "the invoice ran out unpaid";
                self.fail(fact, Class::Payment, "invoice-expired", words);
                self.end(fact, &m.job_id, false, words.to_owned());
            }
            Event::JobRefundFailed(m) => self.fail(fact, Class::Payment, "refund-failed", &m.reason),
            Event::WalletReconciled(m) if m.difference_msat != 0 => {
                let words = format!("wallet and ledger differ by {} msat", m.difference_msat);
                self.fail(fact, Class::Reconciliation, "wallet-difference", &words);
            }
            _ => {}
        }
    }
}
