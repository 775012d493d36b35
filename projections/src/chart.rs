//! Earnings by the quarter of an hour and by model, for charts: a year of them. Kept by whoever draws, and not a part of
//! the state: a ledger can be charted from its facts at any time.
use std::collections::BTreeMap;

use autopilot_events::{Event, Recorded, pb, words::JobId};

use crate::{movements::model_name, quarters::QUARTER_MS, report::BEYOND};

/// Quarters kept, up to the newest: 367 days.
pub const KEPT: i64 = 367 * 24 * 4;
/// Models told apart; what is beyond stands under [`BEYOND`].
const MODELS_MAX: usize = 64;
/// A model that no receipt names.
pub const NO_RECEIPT: &str = "(no receipt)";

/// What was settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Settled.
    pub msat: u64,
    /// Jobs settled.
    pub jobs: u64,
}

impl Sum {
    /// Adds another one.
    pub fn add(&mut self, other: Sum) {
        self.msat = self.msat.saturating_add(other.msat);
        self.jobs = self.jobs.saturating_add(other.jobs);
    }
}

/// A settlement whose work was over before, and where its facts lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Late {
    /// The wallet's time.
    pub at_ms: i64,
    /// What arrived.
    pub msat: u64,
    /// Numbers of the facts that it binds; one of them may be the execution.
    pub evidence: Vec<u64>,
}

/// The fold.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    models: Vec<String>,
    working: BTreeMap<JobId, usize>,
    settled: BTreeMap<(i64, usize), Sum>,
    late: Vec<Late>,
    gone_up_to: Option<i64>,
}

impl Chart {
    /// Takes the next fact in.
    pub fn apply(&mut self, fact: &Recorded) {
        match &fact.event {
            Event::JobExecuted(m) => {
                let model = self.model(m.receipt.as_ref());
                self.working.insert(JobId::of(&m.job_id), model);
            }
            Event::JobFailed(m) => drop(self.working.remove(&JobId::of(&m.job_id))),
            Event::InvoiceExpired(m) => drop(self.working.remove(&JobId::of(&m.job_id))),
            Event::CanarySettled(m) => drop(self.working.remove(&JobId::of(&m.job_id))),
            Event::JobSettled(m) => match self.working.remove(&JobId::of(&m.job_id)) {
                Some(model) => self.settle(m.settled_at_ms, m.amount_msat, model),
                None => self.late.push(Late {
                    at_ms: m.settled_at_ms,
                    msat: m.amount_msat,
                    evidence: m.evidence.iter().map(|link| link.sequence).collect(),
                }),
            },
            _ => {}
        }
    }

    /// Settlements whose model has to be looked up in the facts that they bind; each is handed out once.
    pub fn take_late(&mut self) -> Vec<Late> {
        std::mem::take(&mut self.late)
    }

    /// A late one, with the receipt that was found; none: there is no execution among its facts.
    pub fn settle_late(&mut self, late: &Late, receipt: Option<&pb::Receipt>) {
        let model = self.model(receipt);
        self.settle(late.at_ms, late.msat, model);
    }

    /// The first moment of which everything is still known (milliseconds since the Unix epoch).
    pub fn kept_from_ms(&self) -> i64 {
        self.gone_up_to
            .map_or(i64::MIN, |gone| gone.saturating_add(1).saturating_mul(QUARTER_MS))
    }

    /// What was settled in `from_ms..to_ms`, both rounded down to quarters, by model.
    pub fn between(&self, from_ms: i64, to_ms: i64) -> BTreeMap<&str, Sum> {
        let (from, to) = (from_ms.div_euclid(QUARTER_MS), to_ms.div_euclid(QUARTER_MS));
        let mut sums: BTreeMap<&str, Sum> = BTreeMap::new();
        for ((_, model), sum) in self.settled.range((from, 0)..(to.max(from), 0)) {
            let name = self.models.get(*model).map_or(BEYOND, String::as_str);
            sums.entry(name).or_default().add(*sum);
        }
        sums
    }

    fn model(&mut self, receipt: Option<&pb::Receipt>) -> usize {
        let name = receipt.map_or_else(|| NO_RECEIPT.to_owned(), model_name);
        let known = self.models.iter().position(|known| *known == name);
        known.unwrap_or_else(|| {
            if self.models.len() < MODELS_MAX {
                self.models.push(name);
                return self.models.len() - 1;
            }
            MODELS_MAX
        })
    }

    fn settle(&mut self, at_ms: i64, msat: u64, model: usize) {
        let quarter = at_ms.div_euclid(QUARTER_MS);
        self.settled
            .entry((quarter, model))
            .or_default()
            .add(Sum { msat, jobs: 1 });
        let newest = self
            .settled
            .last_key_value()
            .map_or(quarter, |((newest, _), _)| *newest);
        let oldest = newest.saturating_sub(KEPT - 1);
        while let Some(first) = self.settled.first_entry().filter(|first| first.key().0 < oldest) {
            self.gone_up_to = self.gone_up_to.max(Some(first.key().0));
            first.remove();
        }
    }
}
