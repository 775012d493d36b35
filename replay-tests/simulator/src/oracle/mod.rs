//! A small model of what has to hold, independent of the folds: it reads facts, knows what truly happened outside, and
//! says what contradicts.
mod end;
mod jobs;

use std::collections::{BTreeMap, BTreeSet};

use autopilot_events::{
    Event, Head, Recorded, pb,
    words::{EventId, JobId, PaymentHash},
};
use autopilot_projections::accounts::postings;

use crate::{disk::Disk, wallet::Wallet};

/// What is wrong, in words.
pub type Wrong = String;

/// Attempts at one job at most.
const ATTEMPTS: u32 = 3;

/// A request as its buyer signed it.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// What it bids, msat.
    pub bid_msat: Option<u64>,
    /// Whether our own key signed it.
    pub own: bool,
    /// Whether its buyer ever takes it back.
    pub taken_back: bool,
}

#[derive(Debug, Default)]
struct JobSeen {
    native: EventId,
    expired: bool,
    price_msat: u64,
    pay_first: bool,
    attempts: u32,
    executed: bool,
    refused: bool,
    failed: bool,
    delivered: bool,
    invoice: Option<PaymentHash>,
    prepaid_msat: Option<u64>,
    settled: bool,
    refunded: bool,
    signed: BTreeSet<i32>,
}

#[derive(Debug, Default)]
struct PurchaseSeen {
    budget_msat: u64,
    won: Option<(PaymentHash, u64)>,
    paid: bool,
}

/// The model.
#[derive(Debug, Default)]
pub struct Oracle {
    read: usize,
    jobs: BTreeMap<JobId, JobSeen>,
    purchases: BTreeMap<JobId, PurchaseSeen>,
    /// Keys of wallet movements on record.
    moved: BTreeSet<String>,
    lightning_msat: i128,
    earned_msat: u64,
    approved: BTreeMap<PaymentHash, (u64, u32)>,
    offers: BTreeMap<String, u64>,
    published: BTreeSet<EventId>,
    taken: BTreeSet<EventId>,
    signed: BTreeSet<EventId>,
    /// The newest end of the ledger that somebody was answered for.
    acknowledged: Option<Head>,
    /// Every request that was ever signed.
    pub requests: BTreeMap<EventId, Asked>,
}

fn wrong<T>(what: String) -> Result<T, Wrong> {
    Err(what)
}

impl Oracle {
    /// Reads what became durable since, and holds it against what happened.
    pub fn read(&mut self, disk: &Disk, wallet: &Wallet) -> Result<(), Wrong> {
        for fact in disk.facts().get(self.read..).unwrap_or_default() {
            self.read += 1;
            self.fact(fact, wallet)
                .map_err(|what| format!("fact {} ({}): {what}", fact.fact.sequence, fact.event.kind()))?;
        }
        Ok(())
    }

    fn fact(&mut self, fact: &Recorded, wallet: &Wallet) -> Result<(), Wrong> {
        let sum: i128 = postings(&fact.event)
            .iter()
            .map(|posting| posting.amount_msat)
            .sum();
        if sum != 0 {
            return wrong(format!("its postings sum to {sum}"));
        }
        if let Some(msat) = wallet.moves.get(&fact.fact.idempotency_key) {
            self.moved.insert(fact.fact.idempotency_key.clone());
            self.lightning_msat += msat;
        }
        match &fact.event {
            Event::WalletPaymentReceived(m) => {
                let hash = PaymentHash::of(&m.payment_hash);
                let truly = wallet.moves.get(&format!("wallet/received/{hash}"));
                if truly != Some(&i128::from(m.amount_msat)) {
                    return wrong(format!("{} msat were recorded, {truly:?} arrived", m.amount_msat));
                }
            }
            Event::WalletPaymentSent(m) => {
                let hash = PaymentHash::of(&m.payment_hash);
                let truly = wallet.moves.get(&format!("wallet/sent/{hash}"));
                if truly != Some(&-i128::from(m.amount_msat + m.fee_msat)) {
                    return wrong(format!(
                        "{} and {} msat were recorded, {truly:?} left",
                        m.amount_msat, m.fee_msat
                    ));
                }
                // One that seemed to have failed and left all the same was approved before it failed.
                let approved =
                    self.approved.contains_key(&hash) || self.offers.contains_key(&hex::encode(&m.intent_id));
                if !approved {
                    return wrong("money left that nobody approved".to_owned());
                }
            }
            Event::PaymentApproved(m) => {
                if !m.bolt11.starts_with("lnbcrt-") {
                    return wrong("an invoice of another network is paid".to_owned());
                }
                self.approved
                    .insert(PaymentHash::of(&m.payment_hash), (m.amount_msat, 0));
            }
            Event::PaymentAttempted(m) => {
                if let Some((_, attempts)) = self.approved.get_mut(&PaymentHash::of(&m.payment_hash)) {
                    *attempts = m.attempt;
                }
            }
            Event::OfferApproved(m) => {
                self.offers.insert(hex::encode(&m.intent_id), m.amount_msat);
            }
            Event::EventSigned(m) => {
                self.signed.insert(EventId::of(&m.event_id));
                return self.said(m);
            }
            _ => {
                self.of_job(&fact.event, wallet)?;
                self.of_purchase(&fact.event)?;
            }
        }
        Ok(())
    }

    fn said(&mut self, m: &pb::EventSigned) -> Result<(), Wrong> {
        let Some(job) = self.jobs.get_mut(&JobId::of(&m.job_id)) else {
            return Ok(());
        };
        if !job.signed.insert(m.purpose) {
            return wrong(format!("purpose {} was signed a second time", m.purpose));
        }
        let holds = match m.purpose() {
            pb::Purpose::Result => job.executed && job.invoice.is_some(),
            pb::Purpose::Success => job.delivered && job.settled,
            pb::Purpose::Error => job.refused || job.failed,
            pb::Purpose::PaymentRequired => job.pay_first && job.invoice.is_some(),
            _ => true,
        };
        holds
            .then_some(())
            .ok_or_else(|| format!("it says what does not hold: {:?}", m.purpose()))
    }

    fn of_purchase(&mut self, event: &Event) -> Result<(), Wrong> {
        match event {
            Event::PurchaseRequested(m) => {
                let purchase = PurchaseSeen {
                    budget_msat: m.budget_msat,
                    ..PurchaseSeen::default()
                };
                self.purchases.insert(JobId::of(&m.purchase_id), purchase);
            }
            Event::PurchaseWon(m) => {
                let hash = PaymentHash::of(&m.payment_hash);
                let taken = self
                    .purchases
                    .values()
                    .any(|purchase| purchase.won.is_some_and(|(won, _)| won == hash));
                let Some(purchase) = self.purchases.get_mut(&JobId::of(&m.purchase_id)) else {
                    return wrong("won by nobody's request".to_owned());
                };
                if purchase.won.is_some() || taken || m.amount_msat > purchase.budget_msat {
                    return wrong(format!(
                        "a second winner, a used invoice, or {} of {} approved",
                        m.amount_msat, purchase.budget_msat
                    ));
                }
                purchase.won = Some((hash, m.amount_msat));
            }
            Event::PurchasePaid(m) => {
                let hash = PaymentHash::of(&m.payment_hash);
                let Some(purchase) = self.purchases.get_mut(&JobId::of(&m.purchase_id)) else {
                    return wrong("nobody's purchase is paid".to_owned());
                };
                if purchase.paid || purchase.won != Some((hash, m.amount_msat)) {
                    return wrong("paid twice, or not to the winner".to_owned());
                }
                purchase.paid = true;
            }
            _ => {}
        }
        Ok(())
    }

    /// Somebody is answered for a ledger that ends here.
    pub fn acknowledge(&mut self, head: Head) {
        if self
            .acknowledged
            .is_none_or(|known| known.sequence < head.sequence)
        {
            self.acknowledged = Some(head);
        }
    }

    /// What was acknowledged is still there.
    pub fn nothing_lost(&self, disk: &Disk) -> Result<(), Wrong> {
        let Some(head) = self.acknowledged.filter(|head| head.sequence > 0) else {
            return Ok(());
        };
        let index = usize::try_from(head.sequence - 1).unwrap_or(usize::MAX);
        match disk.facts().get(index) {
            Some(fact) if fact.chain == head.chain => Ok(()),
            Some(_) => wrong(format!(
                "fact {} was acknowledged and is another one now",
                head.sequence
            )),
            None => wrong(format!("fact {} was acknowledged and is lost", head.sequence)),
        }
    }

    /// The wallet forgets an event: what it told has to be durable.
    pub fn may_forget(&self, key: &str, disk: &Disk) -> Result<(), Wrong> {
        match disk.by_key(key) {
            Some(_) => Ok(()),
            None => wrong(format!(
                "the wallet's {key} was acknowledged and is not on record"
            )),
        }
    }

    /// The wallet is asked to pay: an approval and an attempt have to be durable.
    pub fn may_pay(&self, hash: &PaymentHash, msat: u64) -> Result<(), Wrong> {
        match self.approved.get(hash) {
            Some((approved, attempts)) if *approved == msat && *attempts > 0 => Ok(()),
            other => wrong(format!("{msat} msat leave for {hash}, on record is {other:?}")),
        }
    }

    /// The wallet is asked to pay an offer.
    pub fn may_pay_offer(&self, intent: &str, msat: u64) -> Result<(), Wrong> {
        match self.offers.get(intent) {
            Some(approved) if *approved == msat => Ok(()),
            other => wrong(format!(
                "{msat} msat leave for the intent {intent}, on record is {other:?}"
            )),
        }
    }

    /// An event leaves: it has to be on record.
    pub fn may_publish(&mut self, event: EventId) -> Result<(), Wrong> {
        self.published.insert(event);
        match self.signed.contains(&event) {
            true => Ok(()),
            false => wrong(format!("event {event} leaves and is not on record")),
        }
    }

    /// A relay has it.
    pub fn taken(&mut self, event: EventId) {
        self.taken.insert(event);
    }

    /// The model begins: the job has to be at this attempt.
    pub fn may_work(&self, job: &JobId, attempt: u32) -> Result<(), Wrong> {
        match self.jobs.get(job) {
            Some(seen) if seen.attempts >= attempt && !seen.executed => Ok(()),
            Some(seen) => wrong(format!(
                "attempt {attempt} at {job} begins: {} on record, executed: {}",
                seen.attempts, seen.executed
            )),
            None => wrong(format!("unknown job {job} is worked on")),
        }
    }
}
