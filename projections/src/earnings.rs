//! Earnings: wallet-settled, bound to jobs by payment hash, dated by the wallet.
use std::collections::BTreeMap;

use autopilot_events::{Event, Recorded};
use serde::{Deserialize, Serialize};

use crate::{Projection, canaries::CanaryJobs};

/// Width of a bucket, milliseconds: every time zone's day begins on a multiple of a quarter of an hour.
pub const BUCKET_MS: i64 = 15 * 60 * 1_000;

/// Buckets kept, up to the newest: 35 days. What was earned before stands in the totals, and in the books by any window.
pub const BUCKETS_KEPT: i64 = 35 * 24 * 4;

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
    /// The newest bucket that was let go of.
    gone_up_to: Option<i64>,
    /// Trials count neither as work nor as money.
    canaries: CanaryJobs,
}

impl Earnings {
    /// The first moment of which [`Earnings::between`] still knows everything (milliseconds since the Unix epoch).
    pub fn kept_from_ms(&self) -> i64 {
        self.gone_up_to
            .map_or(i64::MIN, |gone| gone.saturating_add(1).saturating_mul(BUCKET_MS))
    }

    /// Lets go of buckets that are too old.
    fn forget(&mut self) {
        let newest = self
            .buckets
            .last_key_value()
            .map_or(i64::MIN, |(newest, _)| *newest);
        let oldest = newest.saturating_sub(BUCKETS_KEPT - 1);
        while let Some(first) = self.buckets.first_entry().filter(|first| *first.key() < oldest) {
            self.gone_up_to = self.gone_up_to.max(Some(*first.key()));
            first.remove();
        }
    }

    /// What was settled in `from_ms..to_ms`, both rounded down to buckets. The caller chooses the time zone, and asks for
    /// nothing before [`Earnings::kept_from_ms`].
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
    const VERSION: u32 = 3;

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
                self.forget();
            }
            Event::JobAccepted(m) if !self.canaries.contains(&m.job_id) => self.jobs_accepted += 1,
            Event::JobDelivered(m) if !self.canaries.contains(&m.job_id) => self.jobs_delivered += 1,
            Event::JobFailed(m) if !self.canaries.contains(&m.job_id) => self.jobs_failed += 1,
            Event::InvoiceExpired(m) if !self.canaries.contains(&m.job_id) => self.invoices_expired += 1,
            _ => {}
        }
    }
}
