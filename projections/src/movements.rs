//! Movements of money as people keep books of them: facts of one happening as one entry, with whom and what it was for.
//!
//! Folded from the first fact on. What is held is bounded by what is open: jobs not over, payments owed, purchases.
use std::collections::BTreeMap;

use autopilot_events::{
    Event, Recorded,
    pb::{self, OnchainRole},
    words::{JobId, PaymentHash, PublicKey},
};
use serde::Serialize;

use crate::{
    accounts::{Account, Posting, postings},
    canaries::CanaryJobs,
};

/// What a movement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// A job was paid: an earning.
    JobPaid,
    /// A job was paid before its work: owed to the buyer.
    JobPrepaid,
    /// Work that was paid before is delivered: now an earning. The wallet moves nothing.
    JobDelivered,
    /// A trial of our own service was paid, out of the owner's other wallet: no earning.
    Canary,
    /// What was paid for a delivery that failed was paid back.
    JobRefunded,
    /// Received, and bound to no job.
    Received,
    /// We paid for somebody's work.
    Purchase,
    /// Sent away by the owner.
    Withdrawal,
    /// A channel can be used.
    ChannelOpened,
    /// A channel is closed.
    ChannelClosed,
    /// Sent on chain by the owner.
    OnchainSent,
    /// Somebody paid to an address of ours.
    OnchainDeposit,
    /// A closed channel's sats arrived on chain.
    ChannelPaidOut,
    /// Left the chain for a channel.
    ChannelFunded,
    /// Fees of a transaction of ours.
    OnchainFees,
    /// What closing channels cost.
    ClosingFees,
    /// Earned by forwarding.
    Forwarded,
    /// Any other fact that moves money.
    Other,
}

impl What {
    /// As shown and exported.
    pub fn name(self) -> &'static str {
        match self {
            What::JobPaid => "job-paid",
            What::JobPrepaid => "job-prepaid",
            What::JobDelivered => "job-delivered",
            What::Canary => "canary",
            What::JobRefunded => "job-refunded",
            What::Received => "received",
            What::Purchase => "purchase",
            What::Withdrawal => "withdrawal",
            What::ChannelOpened => "channel-opened",
            What::ChannelClosed => "channel-closed",
            What::OnchainSent => "onchain-sent",
            What::OnchainDeposit => "onchain-deposit",
            What::ChannelPaidOut => "channel-paid-out",
            What::ChannelFunded => "channel-funded",
            What::OnchainFees => "onchain-fees",
            What::ClosingFees => "closing-fees",
            What::Forwarded => "forwarded",
            What::Other => "other",
        }
    }
}

/// The job or purchase that a movement is for, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// Job or purchase; `None`: the movement is for neither.
    pub id: Option<JobId>,
    /// The other side of the market.
    pub counterparty: Option<PublicKey>,
    /// Request kind.
    pub kind: Option<u32>,
    /// Price agreed, in millisatoshi.
    pub price_msat: Option<u64>,
    /// Name of the model that worked, by the execution receipt. `None`: there is no receipt.
    pub model: Option<String>,
    /// Tokens read and written, by the receipt.
    pub tokens: (u64, u64),
    /// When it was delivered.
    pub delivered_at_ms: Option<i64>,
    /// Paid before the work, and not delivered: amount and the wallet's time.
    pub prepaid: Option<(u64, i64)>,
    /// The story was over before this movement: what stands here has to be looked up.
    pub forgotten: bool,
}

impl Subject {
    /// Takes a fact of its own story in.
    pub fn learn(&mut self, fact: &Recorded) {
        match &fact.event {
            Event::JobReceived(m) => {
                self.counterparty = Some(PublicKey::of(&m.requester));
                self.kind = Some(m.kind);
            }
            Event::JobAccepted(m) => self.price_msat = Some(m.price_msat),
            Event::JobExecuted(m) => {
                if let Some(receipt) = &m.receipt {
                    self.model = Some(model_name(receipt));
                    self.tokens = (receipt.prompt_tokens.into(), receipt.output_tokens.into());
                }
            }
            Event::JobDelivered(_) => self.delivered_at_ms = Some(fact.fact.recorded_at_ms),
            Event::JobPrepaid(m) => self.prepaid = Some((m.amount_msat, m.settled_at_ms)),
            Event::JobSettled(_) | Event::JobRefunded(_) | Event::CanarySettled(_) => self.prepaid = None,
            Event::PurchaseRequested(m) => self.kind = Some(m.kind),
            Event::PurchaseWon(m) => {
                self.counterparty = Some(PublicKey::of(&m.provider));
                self.price_msat = Some(m.amount_msat);
            }
            _ => {}
        }
    }
}

/// The model's name; its digest where it has none.
pub(crate) fn model_name(receipt: &pb::Receipt) -> String {
    match receipt.model.as_str() {
        "" => crate::hexadecimal(&receipt.model_digest),
        name => name.to_owned(),
    }
}

/// One entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Movement {
    /// Its first fact.
    pub sequence: u64,
    /// When, by the wallet where the wallet says; else when it was recorded. Milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// What it is.
    pub what: What,
    /// Type of the fact that tells what it is, e.g. `job.settled`.
    pub fact_type: String,
    /// What it moves, one posting an account; they sum to zero and none is zero.
    pub postings: Vec<Posting>,
    /// Taken on the way by the peer that forwarded it; it never reached the wallet.
    pub skimmed_msat: u64,
    /// What it is for.
    pub subject: Subject,
    /// Binds a Lightning payment.
    pub payment_hash: Option<PaymentHash>,
    /// Transaction or channel, where it has one.
    pub reference: String,
}

impl Movement {
    fn sum(&self, of: impl Fn(Account) -> bool) -> i128 {
        let chosen = self.postings.iter().filter(|posting| of(posting.account));
        chosen.map(|posting| posting.amount_msat).sum()
    }

    /// What it moved in one account; debits are positive.
    pub fn in_account(&self, account: Account) -> i128 {
        self.sum(|other| other == account)
    }

    /// What moving it cost, in millisatoshi.
    pub fn fees_msat(&self) -> i128 {
        self.sum(Account::is_fee)
    }

    /// What it brought to everything that is ours; negative: took, fees apart.
    pub fn net_msat(&self) -> i128 {
        self.sum(Account::is_asset) + self.fees_msat()
    }

    /// Whether this fact tells more of the same happening.
    fn goes_on_with(&self, fact: &Recorded) -> bool {
        let hash = match &fact.event {
            Event::JobSettled(m) if !m.prepaid => &m.payment_hash,
            Event::CanarySettled(m) if !m.prepaid => &m.payment_hash,
            Event::JobPrepaid(m) => &m.payment_hash,
            Event::PurchasePaid(m) => &m.payment_hash,
            Event::JobRefunded(m) => &m.payment_hash,
            _ => return false,
        };
        fact.fact.sequence == self.sequence + 1 && self.payment_hash == Some(PaymentHash::of(hash))
    }

    fn take(&mut self, more: &[Posting]) {
        let mut sums: BTreeMap<Account, i128> = BTreeMap::new();
        for posting in self.postings.iter().chain(more) {
            *sums.entry(posting.account).or_default() += posting.amount_msat;
        }
        let all = sums.into_iter().filter(|(_, amount)| *amount != 0);
        self.postings = all
            .map(|(account, amount_msat)| Posting { account, amount_msat })
            .collect();
    }
}

/// What the fold has to tell.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// An entry, whole.
    Moved(Box<Movement>),
    /// A job was delivered and its invoice ran out.
    Unpaid(Box<Subject>),
}

/// The fold.
#[derive(Clone, Debug, Default)]
pub struct Movements {
    open: BTreeMap<JobId, Subject>,
    canaries: CanaryJobs,
    held: Option<Box<Movement>>,
}

impl Movements {
    /// Takes the next fact in; tells what is whole now, in order.
    pub fn apply(&mut self, fact: &Recorded) -> Vec<Told> {
        let mut told = Vec::new();
        self.canaries.apply(fact);
        let id = job_of(&fact.event);
        let begins = matches!(fact.event, Event::JobReceived(_) | Event::PurchaseRequested(_));
        if let Some(id) = id.filter(|_| begins) {
            let subject = Subject {
                id: Some(id),
                ..Subject::default()
            };
            self.open.insert(id, subject);
        }
        let moves = postings(&fact.event);
        if let Some(subject) = id.and_then(|id| self.open.get_mut(&id)) {
            subject.learn(fact);
        }
        let subject = || match (id, id.and_then(|id| self.open.get(&id))) {
            (_, Some(subject)) => subject.clone(),
            (id, None) => Subject {
                id,
                forgotten: id.is_some(),
                ..Subject::default()
            },
        };
        if moves.is_empty() {
            told.extend(self.held.take().map(Told::Moved));
        } else if let Some(held) = self.held.as_mut().filter(|held| held.goes_on_with(fact)) {
            let whole = entry(fact, moves, subject());
            held.take(&whole.postings);
            (held.what, held.subject) = (whole.what, whole.subject);
            held.fact_type = whole.fact_type;
        } else {
            let next = Box::new(entry(fact, moves, subject()));
            told.extend(self.held.replace(next).map(Told::Moved));
        }
        told.extend(id.and_then(|id| self.over(id, &fact.event)));
        told
    }

    /// The entry that nothing followed.
    pub fn end(&mut self) -> Option<Movement> {
        self.held.take().map(|held| *held)
    }

    /// Jobs and purchases that are not over, and what is owed.
    pub fn open(&self) -> impl Iterator<Item = &Subject> {
        self.open.values()
    }

    /// Forgets a story that is over. What was paid for and not delivered stays until it is settled.
    fn over(&mut self, id: JobId, event: &Event) -> Option<Told> {
        let owed = self.open.get(&id).is_some_and(|job| job.prepaid.is_some());
        match event {
            Event::JobSettled(_) | Event::JobRefunded(_) | Event::CanarySettled(_) => {}
            Event::JobRefused(_) | Event::PurchaseClosed(_) => {}
            Event::JobFailed(_) | Event::InvoiceExpired(_) if !owed => {}
            _ => return None,
        }
        let subject = self.open.remove(&id)?;
        let unpaid = matches!(event, Event::InvoiceExpired(_)) && subject.delivered_at_ms.is_some();
        // Nobody owes for a trial of our own.
        let unpaid = unpaid && !self.canaries.contains(&id.0);
        unpaid.then(|| Told::Unpaid(Box::new(subject)))
    }
}

fn job_of(event: &Event) -> Option<JobId> {
    Some(JobId::of(match event {
        Event::JobReceived(m) => &m.job_id,
        Event::JobRefused(m) => &m.job_id,
        Event::JobAccepted(m) => &m.job_id,
        Event::JobExecuted(m) => &m.job_id,
        Event::JobFailed(m) => &m.job_id,
        Event::JobDelivered(m) => &m.job_id,
        Event::InvoiceExpired(m) => &m.job_id,
        Event::JobPrepaid(m) => &m.job_id,
        Event::JobSettled(m) => &m.job_id,
        Event::CanarySettled(m) => &m.job_id,
        Event::JobRefunded(m) => &m.job_id,
        Event::PurchaseRequested(m) => &m.purchase_id,
        Event::PurchaseWon(m) => &m.purchase_id,
        Event::PurchasePaid(m) => &m.purchase_id,
        Event::PurchaseClosed(m) => &m.purchase_id,
        _ => return None,
    }))
}

/// The entry of one fact that moves money.
fn entry(fact: &Recorded, postings: Vec<Posting>, subject: Subject) -> Movement {
    let hash = |bytes: &[u8]| Some(PaymentHash::of(bytes));
    let recorded = fact.fact.recorded_at_ms;
    let none = String::new;
    let (what, at_ms, payment_hash, reference) = match &fact.event {
        Event::WalletPaymentReceived(m) => (What::Received, m.settled_at_ms, hash(&m.payment_hash), none()),
        Event::JobSettled(m) if m.prepaid => {
            (What::JobDelivered, m.settled_at_ms, hash(&m.payment_hash), none())
        }
        Event::JobSettled(m) => (What::JobPaid, m.settled_at_ms, hash(&m.payment_hash), none()),
        Event::CanarySettled(m) => (What::Canary, m.settled_at_ms, hash(&m.payment_hash), none()),
        Event::JobPrepaid(m) => (What::JobPrepaid, m.settled_at_ms, hash(&m.payment_hash), none()),
        Event::WalletPaymentSent(m) => (What::Withdrawal, m.settled_at_ms, hash(&m.payment_hash), none()),
        Event::JobRefunded(m) => (What::JobRefunded, recorded, hash(&m.payment_hash), none()),
        Event::PurchasePaid(m) => (What::Purchase, recorded, hash(&m.payment_hash), none()),
        Event::WalletChannelOpened(m) => (What::ChannelOpened, recorded, None, m.channel_id.clone()),
        Event::WalletChannelClosed(m) => (What::ChannelClosed, recorded, None, m.channel_id.clone()),
        Event::OnchainSent(m) => (What::OnchainSent, recorded, None, m.txid.clone()),
        Event::WalletOnchainReceived(m) => {
            let what = match m.role() {
                OnchainRole::Deposit => What::OnchainDeposit,
                OnchainRole::ChannelClose => What::ChannelPaidOut,
                _ => What::Other,
            };
            (what, m.settled_at_ms, None, m.txid.clone())
        }
        Event::WalletOnchainSent(m) => {
            let what = match m.role() {
                OnchainRole::ChannelFunding => What::ChannelFunded,
                _ if m.amount_sat == m.accounted_sat => What::OnchainFees,
                OnchainRole::Send => What::OnchainSent,
                _ => What::Other,
            };
            (what, m.settled_at_ms, None, m.txid.clone())
        }
        Event::WalletClosingsOver(_) => (What::ClosingFees, recorded, None, none()),
        Event::WalletPaymentForwarded(_) => (What::Forwarded, recorded, None, none()),
        _ => (What::Other, recorded, None, none()),
    };
    let skimmed_msat = match &fact.event {
        Event::WalletPaymentReceived(m) => m.skimmed_fee_msat,
        _ => 0,
    };
    let mut movement = Movement {
        sequence: fact.fact.sequence,
        at_ms,
        what,
        fact_type: fact.fact.r#type.clone(),
        postings: Vec::new(),
        skimmed_msat,
        subject,
        payment_hash,
        reference,
    };
    movement.take(&postings);
    movement
}
