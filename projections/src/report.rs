//! What a window of time brought and cost, by wallet facts alone. What is not as it should be stands apart.
use std::collections::BTreeMap;

use autopilot_events::{Event, Recorded, words::JobId};
use serde::Serialize;

use crate::{
    accounts::Account,
    movements::{Movement, Subject, Told},
};

/// Rows of one list, at most; the counts beside them are whole.
pub const ROWS_MAX: usize = 1_000;
/// Buyers, models or kinds told apart, at most; what is beyond stands under [`BEYOND`].
pub const GROUPS_MAX: usize = 10_000;
/// Name of the group that takes what is beyond [`GROUPS_MAX`].
pub const BEYOND: &str = "(others)";

/// Payments and their sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// How many.
    pub payments: u64,
    /// Millisatoshi.
    pub msat: u64,
}

impl Tally {
    fn add(&mut self, msat: i128) {
        self.payments += 1;
        self.msat = self.msat.saturating_add(u64::try_from(msat).unwrap_or(0));
    }
}

/// A job that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Which.
    pub job_id: JobId,
    /// Its buyer, as hexadecimal text; empty where that is not known.
    pub buyer: String,
    /// When it was delivered, or paid.
    pub at_ms: i64,
    /// Price or payment.
    pub msat: u64,
}

/// Jobs that are not as they should be: all of them counted, the first ones named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Degraded {
    /// How many, and what they are about.
    #[serde(flatten)]
    pub tally: Tally,
    /// The first [`ROWS_MAX`].
    pub rows: Vec<Row>,
    /// How many are not among the rows.
    pub left_off: u64,
}

impl Degraded {
    fn add(&mut self, subject: &Subject, at_ms: i64, msat: u64) {
        self.tally.add(msat.into());
        if self.rows.len() == ROWS_MAX {
            self.left_off += 1;
            return;
        }
        self.rows.push(Row {
            job_id: subject.id.unwrap_or_default(),
            buyer: subject.counterparty.map(String::from).unwrap_or_default(),
            at_ms,
            msat,
        });
    }

    /// It came right after all.
    fn remove(&mut self, id: JobId, msat: u64) {
        self.tally.payments = self.tally.payments.saturating_sub(1);
        self.tally.msat = self.tally.msat.saturating_sub(msat);
        let before = self.rows.len();
        self.rows.retain(|row| row.job_id != id);
        if self.rows.len() == before {
            self.left_off = self.left_off.saturating_sub(1);
        }
    }
}

/// A comparison of the wallet's list with the ledger's that did not come out even.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The fact.
    pub sequence: u64,
    /// When.
    pub at_ms: i64,
    /// Wallet − ledger, in millisatoshi.
    pub msat: i64,
}

/// The report of a window.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Jobs paid and delivered, by the wallet's time of payment.
    pub earned: Tally,
    /// Of those, paid before the work.
    pub earned_prepaid: Tally,
    /// Taken on the way by the peer that forwarded a payment: never reached the wallet.
    pub skimmed_fees_msat: u64,
    /// Received and bound to no job: no earnings.
    pub received_unbound: Tally,
    /// Paid for work of others, fees apart.
    pub purchases: Tally,
    /// Sent away by the owner, fees apart.
    pub withdrawals: Tally,
    /// What moving money cost.
    pub fees_msat: u64,
    /// Earned by model, from the execution receipts.
    pub per_model: BTreeMap<String, Tally>,
    /// Earned by buyer: public key.
    pub per_buyer: BTreeMap<String, Tally>,
    /// Earned by request kind.
    pub per_kind: BTreeMap<String, Tally>,
    /// How each account moved; debits are positive.
    pub accounts_msat: BTreeMap<&'static str, i128>,
    /// Delivered in the window and not paid.
    pub delivered_unpaid: Degraded,
    /// Paid in the window and not delivered: owed.
    pub prepaid_undelivered: Degraded,
    /// Earned without an execution receipt.
    pub settled_without_receipt: Degraded,
    /// Comparisons with the wallet's list that differ.
    pub differences: Vec<Difference>,
    #[serde(skip)]
    window: Window,
}

/// From the first moment, included, to the last, excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Milliseconds since the Unix epoch, included.
    pub from_ms: i64,
    /// Milliseconds since the Unix epoch, excluded.
    pub to_ms: i64,
}

impl Default for Window {
    fn default() -> Window {
        Window {
            from_ms: i64::MIN,
            to_ms: i64::MAX,
        }
    }
}

impl Window {
    /// Whether a moment is in it.
    pub fn holds(&self, at_ms: i64) -> bool {
        (self.from_ms..self.to_ms).contains(&at_ms)
    }
}

impl Report {
    /// An empty report.
    pub fn of(window: Window) -> Report {
        Report {
            window,
            ..Report::default()
        }
    }

    /// Takes in what facts say beside movements.
    pub fn apply(&mut self, fact: &Recorded) {
        let Event::WalletReconciled(m) = &fact.event else {
            return;
        };
        let at_ms = fact.fact.recorded_at_ms;
        if m.difference_msat != 0 && self.window.holds(at_ms) && self.differences.len() < ROWS_MAX {
            self.differences.push(Difference {
                sequence: fact.fact.sequence,
                at_ms,
                msat: m.difference_msat,
            });
        }
    }

    /// Takes in what the fold of movements tells, its subject looked up where it was forgotten.
    pub fn take(&mut self, told: &Told) {
        match told {
            Told::Moved(movement) => self.moved(movement),
            Told::Unpaid(subject) => self.unpaid(subject),
        }
    }

    /// Takes in what is still open at the end of the ledger.
    pub fn end<'a>(&mut self, open: impl Iterator<Item = &'a Subject>) {
        for subject in open {
            match subject.prepaid {
                Some((msat, at_ms)) if self.window.holds(at_ms) => {
                    self.prepaid_undelivered.add(subject, at_ms, msat);
                }
                Some(_) => {}
                None => self.unpaid(subject),
            }
        }
    }

    fn unpaid(&mut self, subject: &Subject) {
        if let Some(at_ms) = subject.delivered_at_ms.filter(|at_ms| self.window.holds(*at_ms)) {
            let msat = subject.price_msat.unwrap_or(0);
            self.delivered_unpaid.add(subject, at_ms, msat);
        }
    }

    fn moved(&mut self, movement: &Movement) {
        let subject = &movement.subject;
        let earned = -movement.in_account(Account::IncomeJobs);
        // Paid after its invoice had run out: it was counted as unpaid, and is not.
        if let (true, true, Some(id), Some(at_ms)) =
            (earned > 0, subject.forgotten, subject.id, subject.delivered_at_ms)
            && self.window.holds(at_ms)
        {
            self.delivered_unpaid.remove(id, subject.price_msat.unwrap_or(0));
        }
        if !self.window.holds(movement.at_ms) {
            return;
        }
        for posting in &movement.postings {
            *self.accounts_msat.entry(posting.account.name()).or_default() += posting.amount_msat;
        }
        self.skimmed_fees_msat = self.skimmed_fees_msat.saturating_add(movement.skimmed_msat);
        let fees = u64::try_from(movement.fees_msat()).unwrap_or(0);
        self.fees_msat = self.fees_msat.saturating_add(fees);
        let bought = movement.in_account(Account::ExpensesJobs);
        let withdrawn = movement.in_account(Account::EquityWithdrawals);
        let unbound = -movement.in_account(Account::EquityUnbound);
        for (sum, tally) in [
            (bought, &mut self.purchases),
            (withdrawn, &mut self.withdrawals),
            (unbound, &mut self.received_unbound),
        ] {
            if sum > 0 {
                tally.add(sum);
            }
        }
        if earned > 0 {
            self.earned(movement, earned);
        }
    }

    fn earned(&mut self, movement: &Movement, msat: i128) {
        let subject = &movement.subject;
        self.earned.add(msat);
        if movement.in_account(Account::LiabilitiesPrepaid) > 0 {
            self.earned_prepaid.add(msat);
        }
        let unknown = || "(unknown)".to_owned();
        let buyer = subject.counterparty.map_or_else(unknown, String::from);
        let kind = subject.kind.map_or_else(unknown, |kind| kind.to_string());
        let model = subject.model.clone().unwrap_or_else(|| "(no receipt)".to_owned());
        group(&mut self.per_model, model).add(msat);
        group(&mut self.per_buyer, buyer).add(msat);
        group(&mut self.per_kind, kind).add(msat);
        if subject.model.is_none() {
            let msat = u64::try_from(msat).unwrap_or(0);
            self.settled_without_receipt.add(subject, movement.at_ms, msat);
        }
    }
}

fn group(groups: &mut BTreeMap<String, Tally>, name: String) -> &mut Tally {
    let full = groups.len() >= GROUPS_MAX && !groups.contains_key(&name);
    groups
        .entry(if full { BEYOND.to_owned() } else { name })
        .or_default()
}
