//! Earnings: wallet-settled, bound to jobs by payment hash, dated by the wallet.
use std::collections::BTreeMap;

use autopilot_events::{Event, Recorded};
use serde::{Deserialize, Serialize};

use crate::{Projection, canaries::CanaryJobs};

/// Width of a bucket, milliseconds: every time zone's day begins on a multiple of a quarter of an hour.
pub const BUCKET_MS: i64 = 15 * 60 * 1_000;

/// What was settled within one quarter of an hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    /// Settled.
    pub earned_msat: u64,
    /// Jobs settled.
    pub jobs: u64,
}

/// The earnings view. Sums saturate at the top of `u64`, beyond all bitcoin there can be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Earnings {
    /// Settled, over the whole life of the ledger.
    pub earned_msat: u64,
    /// Jobs settled.
    pub jobs_settled: u64,
    /// Jobs delivered, settled or not.
    pub jobs_delivered: u64,
    /// Jobs accepted.
    pub jobs_accepted: u64,
    /// Jobs that ended without delivery after they were accepted.
    pub jobs_failed: u64,
    /// Invoices of delivered work that were never paid.
    pub invoices_expired: u64,
    /// Time of the first settlement.
    pub first_settled_at_ms: Option<i64>,
    /// Time of the last settlement.
    pub last_settled_at_ms: Option<i64>,
    buckets: BTreeMap<i64, Bucket>,
    /// Trials count neither as work nor as money.
    canaries: CanaryJobs,
}

impl Earnings {
    /// What was settled in `from_ms..to_ms`, both rounded down to buckets. The caller chooses the time zone.
    pub fn between(&self, from_ms: i64, to_ms: i64) -> Bucket {
        let bucket = |ms: i64| ms.div_euclid(BUCKET_MS);
        self.buckets
            .range(bucket(from_ms)..bucket(to_ms).max(bucket(from_ms)))
            .fold(Bucket::default(), |sum, (_, b)| Bucket {
                earned_msat: sum.earned_msat.saturating_add(b.earned_msat),
                jobs: sum.jobs.saturating_add(b.jobs),
            })
    }
}

impl Projection for Earnings {
    const NAME: &'static str = "earnings";
    const VERSION: u32 = 2;

    fn apply(&mut self, fact: &Recorded) {
        self.canaries.apply(fact);
        match &fact.event {
            Event::JobSettled(m) => {
                self.earned_msat = self.earned_msat.saturating_add(m.amount_msat);
                self.jobs_settled += 1;
                self.first_settled_at_ms.get_or_insert(m.settled_at_ms);
                self.last_settled_at_ms = Some(m.settled_at_ms);
                let bucket = self
                    .buckets
                    .entry(m.settled_at_ms.div_euclid(BUCKET_MS))
                    .or_default();
                bucket.earned_msat = bucket.earned_msat.saturating_add(m.amount_msat);
                bucket.jobs += 1;
            }
            Event::JobAccepted(m) if !self.canaries.contains(&m.job_id) => self.jobs_accepted += 1,
            Event::JobDelivered(m) if !self.canaries.contains(&m.job_id) => self.jobs_delivered += 1,
            Event::JobFailed(m) if !self.canaries.contains(&m.job_id) => self.jobs_failed += 1,
            Event::InvoiceExpired(m) if !self.canaries.contains(&m.job_id) => self.invoices_expired += 1,
            _ => {}
        }
    }
}
