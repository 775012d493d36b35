//! What the two ledgers say, held against each other: who was paid for what, once, and what was lost on the way.
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::Result;
use autopilot_events::{Event, pb::RefusalReason};
use autopilot_host::audit::Audit;
use serde::{Deserialize, Serialize};

/// Counts over both ledgers since their beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Purchases asked for.
    pub asked: u64,
    /// Purchases whose payment is final.
    pub paid: u64,
    /// Sum of what was paid, fees apart, in msat.
    pub paid_msat: u64,
    /// Jobs delivered.
    pub delivered: u64,
    /// Jobs settled.
    pub settled: u64,
    /// Sum of what was settled, in msat.
    pub settled_msat: u64,
    /// Purchases that ended without a payment, and why.
    pub closed: BTreeMap<String, u64>,
    /// Jobs refused, failed, or delivered and never paid, and why.
    pub lost_jobs: BTreeMap<String, u64>,
    /// Jobs worked again after their result was recorded.
    pub double_work: u64,
    /// Payments that left twice for one purchase or one hash, and jobs counted twice.
    pub double_payment: u64,
    /// Paid by the buyer and not settled with the provider.
    pub paid_not_settled: u64,
    /// Settled with the provider and not paid by the buyer: what a force-close can do to sums below 354 sat.
    pub settled_not_paid: u64,
    /// Channels of provider and buyer that were closed, and why.
    pub channels_closed: BTreeMap<String, u64>,
}

impl Tally {
    /// What came since `before`.
    pub fn since(&self, before: &Tally) -> Tally {
        let map = |now: &BTreeMap<String, u64>, then: &BTreeMap<String, u64>| {
            let left = now
                .iter()
                .map(|(why, n)| (why.clone(), n - then.get(why).unwrap_or(&0)));
            left.filter(|(_, n)| *n > 0).collect()
        };
        Tally {
            asked: self.asked - before.asked,
            paid: self.paid - before.paid,
            paid_msat: self.paid_msat - before.paid_msat,
            delivered: self.delivered - before.delivered,
            settled: self.settled - before.settled,
            settled_msat: self.settled_msat - before.settled_msat,
            closed: map(&self.closed, &before.closed),
            lost_jobs: map(&self.lost_jobs, &before.lost_jobs),
            double_work: self.double_work - before.double_work,
            double_payment: self.double_payment - before.double_payment,
            // These can heal: a settlement may be read before the buyer's own outcome.
            paid_not_settled: self.paid_not_settled.saturating_sub(before.paid_not_settled),
            settled_not_paid: self.settled_not_paid.saturating_sub(before.settled_not_paid),
            channels_closed: map(&self.channels_closed, &before.channels_closed),
        }
    }

    /// The sum of parts.
    pub fn sum<'a>(parts: impl Iterator<Item = &'a Tally>) -> Tally {
        let mut sum = Tally::default();
        for part in parts {
            sum.asked += part.asked;
            sum.paid += part.paid;
            sum.paid_msat += part.paid_msat;
            sum.delivered += part.delivered;
            sum.settled += part.settled;
            sum.settled_msat += part.settled_msat;
            sum.double_work += part.double_work;
            sum.double_payment += part.double_payment;
            sum.paid_not_settled += part.paid_not_settled;
            sum.settled_not_paid += part.settled_not_paid;
            for (to, from) in [
                (&mut sum.closed, &part.closed),
                (&mut sum.lost_jobs, &part.lost_jobs),
                (&mut sum.channels_closed, &part.channels_closed),
            ] {
                from.iter()
                    .for_each(|(why, n)| *to.entry(why.clone()).or_default() += n);
            }
        }
        sum
    }

    /// Channels closed.
    pub fn closes(&self) -> u64 {
        self.channels_closed.values().sum()
    }
}

/// Reads both ledgers, beside their hosts.
///
/// # Errors
/// A ledger can't be read.
pub async fn tally(provider: &Path, buyer: &Path) -> Result<Tally> {
    let mut tally = Tally::default();
    let mut executed: BTreeSet<Vec<u8>> = BTreeSet::new();
    let mut settled: BTreeSet<Vec<u8>> = BTreeSet::new();
    facts(provider, |event| match event {
        Event::JobStarted(m) => tally.double_work += u64::from(executed.contains(&m.job_id)),
        Event::JobExecuted(m) => tally.double_work += u64::from(!executed.insert(m.job_id)),
        Event::JobDelivered(_) => tally.delivered += 1,
        Event::JobSettled(m) => {
            tally.settled += 1;
            tally.settled_msat += m.amount_msat;
            tally.double_payment += u64::from(!settled.insert(m.payment_hash));
        }
        Event::JobRefused(m) => {
            let reason = RefusalReason::try_from(m.reason).unwrap_or_default();
            count(&mut tally.lost_jobs, reason.as_str_name().to_owned());
        }
        Event::JobFailed(m) => count(&mut tally.lost_jobs, format!("failed: {}", m.code)),
        Event::InvoiceExpired(_) => count(&mut tally.lost_jobs, "delivered and never paid".to_owned()),
        Event::WalletChannelClosed(m) => count(&mut tally.channels_closed, m.reason),
        _ => {}
    })
    .await?;
    let mut paid: BTreeSet<Vec<u8>> = BTreeSet::new();
    let mut purchases: BTreeSet<Vec<u8>> = BTreeSet::new();
    facts(buyer, |event| match event {
        Event::PurchaseRequested(_) => tally.asked += 1,
        Event::PurchasePaid(m) => {
            tally.paid += 1;
            tally.paid_msat += m.amount_msat;
            let again = !purchases.insert(m.purchase_id) | !paid.insert(m.payment_hash);
            tally.double_payment += u64::from(again);
        }
        Event::PurchaseClosed(m) if m.reason != "paid" => count(&mut tally.closed, m.reason),
        Event::WalletChannelClosed(m) => count(&mut tally.channels_closed, m.reason),
        _ => {}
    })
    .await?;
    tally.paid_not_settled = paid.difference(&settled).count() as u64;
    tally.settled_not_paid = settled.difference(&paid).count() as u64;
    Ok(tally)
}

fn count(map: &mut BTreeMap<String, u64>, why: String) {
    *map.entry(why).or_default() += 1;
}

async fn facts(home: &Path, mut each: impl FnMut(Event)) -> Result<()> {
    let audit = Audit::open(home).await?;
    let mut after = 0;
    loop {
        let facts = audit.facts(after, 4_096).await?;
        let Some(last) = facts.last() else { return Ok(()) };
        after = last.fact.sequence;
        facts.into_iter().for_each(|fact| each(fact.event));
    }
}
