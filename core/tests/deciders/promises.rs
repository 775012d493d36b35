//! What holds after every fact of every story.
use std::collections::{BTreeMap, BTreeSet};

use autopilot_events::{
    Event, Head, Recorded,
    pb::{PaymentPurpose, Purpose},
};
use autopilot_projections::{
    State,
    accounts::{Account, postings},
};

/// What was seen so far, kept apart from the folds under test.
#[derive(Default)]
pub struct Promises {
    settled: BTreeSet<Vec<u8>>,
    /// Jobs that are our own trials, and of them those whose money came.
    trials: BTreeSet<Vec<u8>>,
    tried: BTreeSet<Vec<u8>>,
    delivered: BTreeSet<Vec<u8>>,
    executed: BTreeSet<Vec<u8>>,
    /// Payment hash to job.
    invoices: BTreeMap<Vec<u8>, Vec<u8>>,
    invoiced: BTreeSet<Vec<u8>>,
    received: BTreeSet<Vec<u8>>,
    /// Payment hash to approved amount, attempts made, done.
    approved: BTreeMap<Vec<u8>, (u64, u32, bool)>,
    /// Purchase to the event that won.
    won: BTreeMap<Vec<u8>, Vec<u8>>,
    paid: BTreeSet<Vec<u8>>,
    /// Purchase to budget and ceiling of what is paid first.
    budgets: BTreeMap<Vec<u8>, (u64, u64)>,
    /// Offers to be paid first.
    first: BTreeSet<Vec<u8>>,
    said: BTreeSet<(Vec<u8>, i32, Vec<u8>)>,
    earned_msat: u64,
    /// Job to what was paid before its delivery, and is owed.
    prepaid: BTreeMap<Vec<u8>, u64>,
    refunded: BTreeSet<Vec<u8>>,
}

impl Promises {
    /// Checks a fact against `head` and all facts before it.
    pub fn check(&mut self, head: &Head, fact: &Recorded) {
        assert!(fact.fact.recorded_at_ms >= head.recorded_at_ms, "time went back");
        assert_eq!(fact.fact.sequence, head.sequence + 1, "a gap");
        let sum: i128 = postings(&fact.event)
            .iter()
            .map(|posting| posting.amount_msat)
            .sum();
        assert_eq!(sum, 0, "{:?} is not balanced", fact.event);
        match &fact.event {
            Event::JobStarted(m) => assert!(!self.executed.contains(&m.job_id), "worked out again"),
            Event::JobExecuted(m) => assert!(self.executed.insert(m.job_id.clone()), "executed twice"),
            Event::InvoiceIssued(m) => {
                assert!(self.invoiced.insert(m.job_id.clone()), "a second invoice");
                assert!(
                    self.invoices
                        .insert(m.payment_hash.clone(), m.job_id.clone())
                        .is_none(),
                    "a hash used twice"
                );
            }
            Event::WalletPaymentReceived(m) => assert!(self.received.insert(m.payment_hash.clone())),
            Event::JobDelivered(m) => drop(self.delivered.insert(m.job_id.clone())),
            Event::CanaryStarted(m) => assert!(self.trials.insert(m.job_id.clone()), "tried twice"),
            Event::CanarySettled(m) => {
                assert!(self.trials.contains(&m.job_id) && self.tried.insert(m.job_id.clone()));
                assert!(
                    self.received.contains(&m.payment_hash),
                    "settled without a wallet fact"
                );
                assert_eq!(self.invoices.get(&m.payment_hash), Some(&m.job_id));
            }
            Event::JobPrepaid(m) => {
                assert!(
                    self.prepaid.insert(m.job_id.clone(), m.amount_msat).is_none(),
                    "prepaid twice"
                );
            }
            Event::JobRefunded(m) => {
                assert_eq!(
                    self.prepaid.get(&m.job_id),
                    Some(&m.amount_msat),
                    "paid back what is not owed"
                );
                assert!(!self.settled.contains(&m.job_id), "earned and paid back");
                assert!(self.refunded.insert(m.job_id.clone()), "paid back twice");
            }
            Event::JobSettled(m) => {
                assert!(!self.refunded.contains(&m.job_id), "paid back and earned");
                assert!(!self.trials.contains(&m.job_id), "a trial is no earning");
                assert!(
                    !m.prepaid || self.delivered.contains(&m.job_id),
                    "earned before it was delivered"
                );
                assert!(self.settled.insert(m.job_id.clone()), "settled twice");
                assert!(
                    self.received.contains(&m.payment_hash),
                    "settled without a wallet fact"
                );
                assert_eq!(
                    self.invoices.get(&m.payment_hash),
                    Some(&m.job_id),
                    "bound by something else than the hash"
                );
                self.earned_msat += m.amount_msat;
            }
            Event::EventSigned(m) => {
                let words = (m.job_id.clone(), m.purpose, m.about.clone());
                assert!(self.said.insert(words), "said twice");
                if m.purpose == Purpose::Success as i32 {
                    let paid = self.settled.contains(&m.job_id) || self.tried.contains(&m.job_id);
                    assert!(paid, "success before the money");
                }
            }
            other => self.spending(other),
        }
    }

    fn spending(&mut self, event: &Event) {
        match event {
            Event::PaymentApproved(m) => {
                assert!(m.amount_msat > 0 && m.payee.len() == 33 && !m.bolt11.is_empty());
                if m.purpose == PaymentPurpose::Purchase as i32 {
                    assert!(self.won.contains_key(&m.purchase_id), "paid without a winner");
                    assert!(
                        m.amount_msat <= self.budgets[&m.purchase_id].0,
                        "paid above the budget"
                    );
                }
                let approved =
                    self.approved
                        .entry(m.payment_hash.clone())
                        .or_insert((m.amount_msat, 0, false));
                assert_eq!(approved.0, m.amount_msat, "approved again with another amount");
                assert!(!approved.2, "approved again after it was paid");
            }
            Event::PaymentAttempted(m) => {
                let approved = self
                    .approved
                    .get_mut(&m.payment_hash)
                    .expect("attempted without an approval");
                approved.1 = m.attempt;
            }
            Event::WalletPaymentSent(m) => {
                if let Some(approved) = self.approved.get_mut(&m.payment_hash) {
                    approved.2 = true;
                }
            }
            Event::WalletPaymentFailed(m) => {
                let approved = self
                    .approved
                    .remove(&m.payment_hash)
                    .expect("failed without an approval");
                assert!(!approved.2, "failed after it was paid");
            }
            Event::PurchaseRequested(m) => {
                assert!(
                    self.budgets
                        .insert(m.purchase_id.clone(), (m.budget_msat, m.pay_first_ceiling_msat))
                        .is_none(),
                    "bought twice"
                );
            }
            Event::PurchaseWon(m) => {
                let second = self.won.insert(m.purchase_id.clone(), m.event_id.clone());
                assert!(second.is_none(), "a second winner");
                assert!(
                    m.amount_msat <= self.budgets[&m.purchase_id].0,
                    "above the approved budget"
                );
                if self.first.contains(&m.event_id) {
                    assert!(m.amount_msat <= self.budgets[&m.purchase_id].1);
                }
            }
            Event::PurchaseOffered(m) if m.status == "payment-required" => {
                self.first.insert(m.event_id.clone());
                if self.won.get(&m.purchase_id) == Some(&m.event_id) {
                    let ceiling = self.budgets[&m.purchase_id].1;
                    assert!(
                        m.amount_msat.unwrap() <= ceiling,
                        "paid first above what was approved"
                    );
                }
            }
            Event::PurchasePaid(m) => {
                assert!(self.won.contains_key(&m.purchase_id));
                assert!(self.paid.insert(m.purchase_id.clone()), "paid twice");
            }
            _ => {}
        }
    }

    /// Checks sums of the folded state.
    pub fn sums(&self, state: &State) {
        assert_eq!(state.earnings.earned_msat, self.earned_msat);
        assert_eq!(
            state.accounts.balance_msat(Account::IncomeJobs),
            -i128::from(self.earned_msat)
        );
        assert_eq!(state.earnings.jobs_settled, self.settled.len() as u64);
        assert_eq!(
            state
                .accounts
                .balances_msat()
                .map(|(_, amount)| amount)
                .sum::<i128>(),
            0
        );
        assert_eq!(state.purchases.paid_count, self.paid.len() as u64);
    }
}
