//! The provider's own trials through the relays: how the last one went, and which jobs were trials. Their money is
//! booked apart and is no earning.
use std::collections::BTreeMap;

use autopilot_events::{
    Event, Recorded, pb,
    words::{JobId, PublicKey},
};
use serde::{Deserialize, Serialize};

use crate::Projection;

/// How long a trial's job is known as one, in milliseconds: longer than an invoice may run (a day) and its grace.
const KEPT_MS: i64 = 2 * 86_400_000;

/// Jobs that are trials, as long as anything may still come of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CanaryJobs(BTreeMap<JobId, i64>);

impl CanaryJobs {
    /// Whether a job is one.
    pub fn contains(&self, id: &[u8]) -> bool {
        self.0.contains_key(&JobId::of(id))
    }

    /// Takes a fact in.
    pub fn apply(&mut self, fact: &Recorded) {
        if let Event::CanaryStarted(m) = &fact.event {
            let at_ms = fact.fact.recorded_at_ms;
            self.0.retain(|_, since| at_ms.saturating_sub(*since) < KEPT_MS);
            self.0.insert(JobId::of(&m.job_id), at_ms);
        }
    }
}

/// How a trial went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Canary {
    /// Its job.
    pub job: JobId,
    /// The throw-away key.
    pub requester: PublicKey,
    /// When it was started.
    pub started_at_ms: i64,
    /// When it is given up.
    pub deadline_ms: i64,
    /// Another wallet of the owner pays for it.
    pub pays: bool,
    /// The wallet has its payment.
    pub settled_at_ms: Option<i64>,
    /// Its end: when, and how far it came.
    pub finished: Option<(i64, pb::CanaryFinished)>,
}

/// The canary view.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Canaries {
    /// The last one.
    pub last: Option<Canary>,
    /// All that trials brought: out of the owner's other wallet.
    pub settled_msat: u64,
    /// Which jobs are trials.
    pub jobs: CanaryJobs,
}

impl Canaries {
    /// The one that is under way.
    pub fn running(&self) -> Option<&Canary> {
        self.last.as_ref().filter(|canary| canary.finished.is_none())
    }
}

impl Projection for Canaries {
    const NAME: &'static str = "canaries";
    const VERSION: u32 = 1;

    fn apply(&mut self, fact: &Recorded) {
        let at_ms = fact.fact.recorded_at_ms;
        self.jobs.apply(fact);
        match &fact.event {
            Event::CanaryStarted(m) => {
                self.last = Some(Canary {
                    job: JobId::of(&m.job_id),
                    requester: PublicKey::of(&m.requester),
                    started_at_ms: at_ms,
                    deadline_ms: m.deadline_ms,
                    pays: m.pays,
                    settled_at_ms: None,
                    finished: None,
                });
            }
            Event::CanaryFinished(m) => {
                if let Some(canary) = self.last.as_mut().filter(|canary| canary.job.0 == *m.job_id) {
                    canary.finished = Some((at_ms, m.clone()));
                }
            }
            Event::CanarySettled(m) => {
                self.settled_msat = self.settled_msat.saturating_add(m.amount_msat);
                if let Some(canary) = self.last.as_mut().filter(|canary| canary.job.0 == *m.job_id) {
                    canary.settled_at_ms = Some(m.settled_at_ms);
                }
            }
            _ => {}
        }
    }
}
