//! A small model of what has to hold, independent of the folds: it reads facts, knows what truly happened outside, and
//! says what contradicts.
use std::collections::{BTreeMap, BTreeSet};

use autopilot_events::{
    Event, Head, Recorded, pb,
    words::{EventId, JobId, PaymentHash},
};
use autopilot_projections::{
    State,
    accounts::{Account, postings},
};

use crate::{disk::Disk, wallet::Wallet};

/// What is wrong, in words.
pub type Wrong = String;

#[derive(Debug, Default)]
struct JobSeen {
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
    /// Requests as their buyers signed them: what they bid.
    pub requests: BTreeMap<EventId, Option<u64>>,
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

    fn of_job(&mut self, event: &Event, wallet: &Wallet) -> Result<(), Wrong> {
        if let Event::JobReceived(m) = event {
            let native = EventId::of(&m.native_id);
            match self.requests.get(&native) {
                None => return wrong("nobody signed this request".to_owned()),
                Some(bid) if *bid != m.bid_msat => {
                    return wrong(format!("its buyer bid {bid:?}, not {:?}", m.bid_msat));
                }
                Some(_) => {}
            }
            if self
                .jobs
                .insert(JobId::of(&m.job_id), JobSeen::default())
                .is_some()
            {
                return wrong("it was received before".to_owned());
            }
            return Ok(());
        }
        let id = match event {
            Event::JobAccepted(m) => &m.job_id,
            Event::JobRefused(m) => &m.job_id,
            Event::JobStarted(m) => &m.job_id,
            Event::JobExecuted(m) => &m.job_id,
            Event::JobFailed(m) => &m.job_id,
            Event::JobDelivered(m) => &m.job_id,
            Event::InvoiceIssued(m) => &m.job_id,
            Event::JobPrepaid(m) => &m.job_id,
            Event::JobSettled(m) => &m.job_id,
            Event::JobRefunded(m) => &m.job_id,
            _ => return Ok(()),
        };
        let Some(job) = self.jobs.get_mut(&JobId::of(id)) else {
            return wrong("of a job that was never received".to_owned());
        };
        let arrived = |hash: &[u8], msat: u64| {
            let key = format!("wallet/received/{}", hex::encode(hash));
            wallet.moves.get(&key) == Some(&i128::from(msat))
        };
        let bound = |job: &JobSeen, hash: &[u8]| job.invoice.is_some_and(|invoice| invoice.0 == *hash);
        match event {
            Event::JobAccepted(m) => {
                job.price_msat = m.price_msat;
                job.pay_first = m.order() == pb::PaymentOrder::PayFirst;
            }
            Event::JobRefused(_) => job.refused = true,
            Event::JobStarted(m) if job.executed || job.refused || job.failed => {
                return wrong(format!("attempt {} at a job that is over", m.attempt));
            }
            Event::JobStarted(m) if job.pay_first && job.prepaid_msat.is_none() => {
                return wrong(format!(
                    "attempt {} before the payment that it waits for",
                    m.attempt
                ));
            }
            Event::JobStarted(m) if m.attempt == job.attempts + 1 => job.attempts = m.attempt,
            Event::JobStarted(m) => return wrong(format!("attempt {} after {}", m.attempt, job.attempts)),
            Event::JobExecuted(_) if job.executed => return wrong("worked a second time".to_owned()),
            Event::JobExecuted(_) => job.executed = true,
            Event::JobFailed(_) => job.failed = true,
            Event::JobDelivered(_) if job.delivered => return wrong("delivered a second time".to_owned()),
            Event::JobDelivered(m) if !self.taken.contains(&EventId::of(&m.event_id)) => {
                return wrong("delivered, and no relay has it".to_owned());
            }
            Event::JobDelivered(_) if !job.executed => return wrong("delivered without a result".to_owned()),
            Event::JobDelivered(_) => job.delivered = true,
            Event::InvoiceIssued(m) => {
                if job.invoice.is_some() {
                    return wrong("a second invoice".to_owned());
                }
                if m.amount_msat != job.price_msat {
                    return wrong(format!(
                        "it asks for {}, {} was agreed",
                        m.amount_msat, job.price_msat
                    ));
                }
                job.invoice = Some(PaymentHash::of(&m.payment_hash));
            }
            Event::JobPrepaid(m) => {
                if job.prepaid_msat.is_some()
                    || job.settled
                    || !bound(job, &m.payment_hash)
                    || !arrived(&m.payment_hash, m.amount_msat)
                {
                    return wrong(
                        "no payment of its invoice stands behind it, or it was paid before".to_owned(),
                    );
                }
                job.prepaid_msat = Some(m.amount_msat);
            }
            Event::JobSettled(m) => {
                if job.settled || !bound(job, &m.payment_hash) || !arrived(&m.payment_hash, m.amount_msat) {
                    return wrong(
                        "no payment of its invoice stands behind it, or it was settled before".to_owned(),
                    );
                }
                if m.prepaid != job.prepaid_msat.is_some() {
                    return wrong(format!(
                        "prepaid is {}, and it was prepaid: {:?}",
                        m.prepaid, job.prepaid_msat
                    ));
                }
                if !job.executed || (job.pay_first && !job.delivered) {
                    return wrong("earned without work".to_owned());
                }
                job.settled = true;
                self.earned_msat += m.amount_msat;
            }
            Event::JobRefunded(m) => {
                if job.refunded || job.prepaid_msat != Some(m.amount_msat) || job.settled {
                    return wrong(format!(
                        "{} msat paid back of {:?}",
                        m.amount_msat, job.prepaid_msat
                    ));
                }
                job.refunded = true;
            }
            _ => {}
        }
        Ok(())
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

    /// The live state against the model, after a commit.
    pub fn holds(&self, state: &State) -> Result<(), Wrong> {
        let sum: i128 = state.accounts.balances_msat().map(|(_, msat)| msat).sum();
        if sum != 0 {
            return wrong(format!("the accounts sum to {sum}"));
        }
        let lightning = state.accounts.balance_msat(Account::AssetsLightning);
        if lightning != self.lightning_msat {
            return wrong(format!(
                "the ledger has {lightning} msat in channels, what it recorded moved {}",
                self.lightning_msat
            ));
        }
        if state.earnings.earned_msat != self.earned_msat {
            return wrong(format!(
                "{} msat are shown as earned, {} were settled",
                state.earnings.earned_msat, self.earned_msat
            ));
        }
        Ok(())
    }

    /// Long after the last fault: everything is over, and the ledger knows every movement.
    pub fn ended(&self, state: &State, wallet: &Wallet) -> Result<(), Wrong> {
        if let Some(missing) = wallet.moves.keys().find(|key| !self.moved.contains(*key)) {
            return wrong(format!("{missing} moved and is not on record"));
        }
        let balance = |account| state.accounts.balance_msat(account);
        let shown = [
            (
                Account::AssetsLightning,
                wallet
                    .channel
                    .as_ref()
                    .map_or(0, |channel| i128::from(channel.balance_msat)),
            ),
            (Account::AssetsOnchain, i128::from(wallet.onchain_sat) * 1_000),
            (Account::AssetsClosing, 0),
            (Account::EquityUnexplained, 0),
        ];
        for (account, truly) in shown {
            if balance(account) != truly {
                return wrong(format!(
                    "{} has {} msat, the wallet {truly}",
                    account.name(),
                    balance(account)
                ));
            }
        }
        let debts: u64 = state
            .jobs
            .open()
            .filter(|(_, job)| job.is_debt())
            .filter_map(|(_, job)| job.prepayment.as_ref())
            .map(|paid| paid.amount_msat)
            .sum();
        if balance(Account::LiabilitiesPrepaid) != -i128::from(debts) {
            return wrong(format!(
                "{} msat are owed by the books, {debts} by the jobs",
                -balance(Account::LiabilitiesPrepaid)
            ));
        }
        if let Some((id, job)) = state.jobs.open().find(|(_, job)| !job.is_debt()) {
            return wrong(format!("job {id} never ends: {:?}, {:?}", job.work, job.money));
        }
        if let Some((id, purchase)) = state.purchases.open().next() {
            return wrong(format!("purchase {id} never ends: {:?}", purchase.winner));
        }
        if let Some((id, owed)) = state.outbox.owed().next() {
            return wrong(format!("event {id} (purpose {}) stays owed", owed.purpose));
        }
        if let Some((hash, _)) = state.wallet.outgoing().next() {
            return wrong(format!("the payment {hash} never ends"));
        }
        if let Some((intent, _)) = state.wallet.offers().next() {
            return wrong(format!("the payment of the intent {intent} never ends"));
        }
        if let Some((intent, _)) = state.wallet.onchain().next() {
            return wrong(format!("the on-chain intent {intent} never ends"));
        }
        self.all_counted(wallet)?;
        self.paid_once(wallet)
    }

    /// What buyers paid for work that was done is earned or owed back. A quote that was paid when it was long over is
    /// neither: it lies unbound.
    fn all_counted(&self, wallet: &Wallet) -> Result<(), Wrong> {
        for issued in wallet.issued.values().filter(|issued| issued.paid) {
            let hash = issued.invoice.payment_hash;
            let Some((id, job)) = self.jobs.iter().find(|(_, job)| job.invoice == Some(hash)) else {
                return wrong(format!("the paid invoice {hash} is of no job"));
            };
            let late_quote = job.pay_first && job.failed && !job.executed;
            if !job.settled && job.prepaid_msat.is_none() && !late_quote {
                return wrong(format!("job {id} is paid, and nothing says so"));
            }
        }
        Ok(())
    }

    /// No obligation cost more than one payment.
    fn paid_once(&self, wallet: &Wallet) -> Result<(), Wrong> {
        let paid = |key: &String| {
            wallet.leaving.get(key).is_some_and(|leaving| {
                leaving.payment.status == autopilot_core::ports::wallet::PaymentStatus::Succeeded
            })
        };
        let offers = wallet
            .leaving
            .iter()
            .filter(|(key, leaving)| leaving.payment.key.is_some() && paid(key))
            .count();
        if offers > self.offers.len() {
            return wrong(format!(
                "{offers} payments to offers left, {} were approved",
                self.offers.len()
            ));
        }
        Ok(())
    }
}
