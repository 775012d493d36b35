//! Jobs that are not over: work and money as two state machines, and what admission has to count.
use std::collections::{BTreeMap, VecDeque};

use autopilot_events::{
    Event, Recorded, pb, tree,
    words::{EventId, JobId, PaymentHash, PublicKey},
};
use serde::{Deserialize, Serialize};

use crate::{Projection, canaries::CanaryJobs, hexadecimal};
pub use crate::{
    job::{Invoice, Job, Prepayment, Refund},
    ladder::{Money, Work},
};

/// How long accepted jobs count towards the hourly limits, in milliseconds.
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 86_400_000;

/// Open jobs, and the counts that admission needs. Bounded by the policy's limits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Jobs {
    open: BTreeMap<JobId, Job>,
    by_hash: BTreeMap<PaymentHash, JobId>,
    /// Accepted within the last hour: when, and for whom.
    accepted: VecDeque<(i64, PublicKey)>,
    /// Refusals answered within the last hour.
    replies: VecDeque<i64>,
    /// Delivered work that was never paid, within the last day.
    unpaid: VecDeque<(i64, PublicKey)>,
    /// Day (since the epoch) of the intake figures.
    intake_day: i64,
    intake_jobs: u64,
    intake_bytes: u64,
    canaries: CanaryJobs,
}

impl Jobs {
    /// Jobs that are not over, by id.
    pub fn open(&self) -> impl Iterator<Item = (&JobId, &Job)> {
        self.open.iter()
    }

    /// One of them.
    pub fn get(&self, id: &JobId) -> Option<&Job> {
        self.open.get(id)
    }

    /// The job whose invoice has this payment hash, while the job is open.
    pub fn by_payment_hash(&self, hash: &PaymentHash) -> Option<(&JobId, &Job)> {
        let id = self.by_hash.get(hash)?;
        self.open.get(id).map(|job| (id, job))
    }

    /// Accepted, and waiting for inputs that lie elsewhere. They hold no place at the model.
    pub fn waiting_for_inputs(&self) -> usize {
        let waits = |job: &&Job| job.work == Work::Accepted && job.waits_for_inputs;
        self.open.values().filter(waits).count()
    }

    /// Being worked on. A quote that waits for its payment holds no place.
    pub fn in_flight(&self) -> usize {
        let queued = |job: &&Job| job.work == Work::Accepted && !job.pay_first && !job.waits_for_inputs;
        let busy = |job: &&Job| job.work == Work::Running || queued(job);
        self.open.values().filter(busy).count()
    }

    /// Accepted within the hour before `now_ms`: of one buyer, of all.
    pub fn accepted_within_hour(&self, buyer: &PublicKey, now_ms: i64) -> (usize, usize) {
        let recent = || {
            self.accepted
                .iter()
                .filter(|(at, _)| now_ms.saturating_sub(*at) < HOUR_MS)
        };
        (recent().filter(|(_, who)| who == buyer).count(), recent().count())
    }

    /// Worked on trust: delivered and not paid so far (its invoice open, or run out within the last day), or at work
    /// before payment, which may end so. Of one buyer, of all.
    pub fn at_risk(&self, buyer: &PublicKey, now_ms: i64) -> (usize, usize) {
        let on_trust = |j: &&Job| {
            let at_work = matches!(j.work, Work::Accepted | Work::Running | Work::Executed) && !j.pay_first;
            (at_work || j.work == Work::Delivered)
                && matches!(j.money, Money::Priced | Money::Invoiced)
                && !j.canary
        };
        let open = || self.open.values().filter(on_trust).map(|j| &j.requester);
        let old = || {
            self.unpaid
                .iter()
                .filter(|(at, _)| now_ms.saturating_sub(*at) < DAY_MS)
                .map(|(_, who)| who)
        };
        (
            open().chain(old()).filter(|who| *who == buyer).count(),
            open().chain(old()).count(),
        )
    }

    /// Refusals answered within the hour before `now_ms`.
    pub fn replies_within_hour(&self, now_ms: i64) -> usize {
        self.replies
            .iter()
            .filter(|at| now_ms.saturating_sub(**at) < HOUR_MS)
            .count()
    }

    /// Requests recorded on the day of `now_ms` (UTC): count and bytes.
    pub fn intake_today(&self, now_ms: i64) -> (u64, u64) {
        match self.intake_day == now_ms.div_euclid(DAY_MS) {
            true => (self.intake_jobs, self.intake_bytes),
            false => (0, 0),
        }
    }

    fn change(&mut self, id: &[u8], change: impl FnOnce(&mut Job)) {
        let id = JobId::of(id);
        let Some(job) = self.open.get_mut(&id) else { return };
        change(job);
        if job.is_over()
            && let Some(invoice) = self.open.remove(&id).and_then(|job| job.invoice)
        {
            self.by_hash.remove(&invoice.payment_hash);
        }
    }

    /// Remembers the leaf of a fact that a settlement will bind.
    fn bind(&mut self, fact: &Recorded) {
        let id = match &fact.event {
            Event::JobReceived(m) => &m.job_id,
            Event::JobExecuted(m) => &m.job_id,
            Event::InvoiceIssued(m) => &m.job_id,
            Event::EventSigned(m) if m.purpose == pb::Purpose::Result as i32 => &m.job_id,
            _ => return,
        };
        if let Some(job) = self.open.get_mut(&JobId::of(id)) {
            job.evidence.push(pb::FactLink {
                sequence: fact.fact.sequence,
                leaf: tree::leaf(&fact.bytes).to_vec(),
            });
        }
    }

    fn receive(&mut self, m: &pb::JobReceived, at_ms: i64) {
        let job = Job {
            native_id: EventId::of(&m.native_id),
            requester: PublicKey::of(&m.requester),
            kind: m.kind,
            received_at_ms: at_ms,
            request: m.request.clone().unwrap_or_default(),
            work: Work::Received,
            money: Money::Unpriced,
            price_msat: 0,
            pay_first: false,
            deadline_ms: 0,
            waits_for_inputs: m.remote_inputs > 0,
            fetched: None,
            max_output_tokens: 0,
            attempts: 0,
            output: None,
            invoice: None,
            prepayment: None,
            refund_offer: m.refund_offer.clone(),
            refund: None,
            failure: None,
            reply: false,
            canary: self.canaries.contains(&m.job_id),
            signed: Vec::new(),
            sent: Vec::new(),
            evidence: Vec::new(),
        };
        self.open.insert(JobId::of(&m.job_id), job);
        let day = at_ms.div_euclid(DAY_MS);
        if day != self.intake_day {
            (self.intake_day, self.intake_jobs, self.intake_bytes) = (day, 0, 0);
        }
        self.intake_jobs += 1;
        self.intake_bytes = self
            .intake_bytes
            .saturating_add(m.request.as_ref().map_or(0, |r| r.size));
    }

    fn accept(&mut self, m: &pb::JobAccepted, at_ms: i64) {
        self.change(&m.job_id, |job| {
            job.work = Work::Accepted;
            job.money = Money::Priced;
            job.price_msat = m.price_msat;
            job.pay_first = m.order == pb::PaymentOrder::PayFirst as i32;
            job.deadline_ms = m.deadline_ms;
            job.max_output_tokens = m.max_output_tokens;
        });
        let Some(requester) = self.open.get(&JobId::of(&m.job_id)).map(|job| job.requester) else {
            return;
        };
        self.accepted.push_back((at_ms, requester));
        while self
            .accepted
            .front()
            .is_some_and(|(at, _)| at_ms.saturating_sub(*at) >= HOUR_MS)
        {
            self.accepted.pop_front();
        }
    }

    fn refuse(&mut self, m: &pb::JobRefused, at_ms: i64) {
        if m.reply {
            self.replies.push_back(at_ms);
        }
        while self
            .replies
            .front()
            .is_some_and(|at| at_ms.saturating_sub(*at) >= HOUR_MS)
        {
            self.replies.pop_front();
        }
        self.change(&m.job_id, |job| {
            job.work = Work::Refused;
            job.reply = m.reply;
            job.failure = Some(m.detail.clone());
        });
    }

    fn invoice(&mut self, m: &pb::InvoiceIssued) {
        let (id, payment_hash) = (JobId::of(&m.job_id), PaymentHash::of(&m.payment_hash));
        if !self.open.contains_key(&id) {
            return;
        }
        self.by_hash.insert(payment_hash, id);
        self.change(&m.job_id, |job| {
            job.money = Money::Invoiced;
            job.invoice = Some(Invoice {
                payment_hash,
                bolt11: m.bolt11.clone(),
                amount_msat: m.amount_msat,
                expires_at_ms: m.expires_at_ms,
            });
        });
    }

    fn refund(&mut self, job_id: &[u8], payment: &[u8]) {
        self.change(job_id, |job| {
            job.refund = Some(Refund {
                payment: hexadecimal(payment),
                under_way: true,
                failure: None,
            });
        });
    }

    fn expire(&mut self, m: &pb::InvoiceExpired, at_ms: i64) {
        if let Some(job) = self
            .open
            .get(&JobId::of(&m.job_id))
            .filter(|job| job.work == Work::Delivered && !job.canary)
        {
            self.unpaid.push_back((at_ms, job.requester));
        }
        while self
            .unpaid
            .front()
            .is_some_and(|(at, _)| at_ms.saturating_sub(*at) >= DAY_MS)
        {
            self.unpaid.pop_front();
        }
        self.change(&m.job_id, |job| job.money = Money::Expired);
    }
}

impl Projection for Jobs {
    const NAME: &'static str = "jobs";
    const VERSION: u32 = 4;

    fn apply(&mut self, fact: &Recorded) {
        let at_ms = fact.fact.recorded_at_ms;
        match &fact.event {
            Event::CanaryStarted(_) => self.canaries.apply(fact),
            Event::JobReceived(m) => self.receive(m, at_ms),
            Event::JobAccepted(m) => self.accept(m, at_ms),
            Event::JobRefused(m) => self.refuse(m, at_ms),
            Event::JobInputsResolved(m) => self.change(&m.job_id, |job| {
                job.waits_for_inputs = false;
                job.fetched = m.events.clone();
            }),
            Event::JobStarted(m) => self.change(&m.job_id, |job| {
                job.work = Work::Running;
                job.attempts = m.attempt;
            }),
            Event::JobExecuted(m) => self.change(&m.job_id, |job| {
                job.work = Work::Executed;
                job.output = m.output.clone();
            }),
            Event::JobFailed(m) => self.change(&m.job_id, |job| {
                job.work = Work::Failed;
                job.reply = m.class != pb::FailureClass::Cancelled as i32;
                job.failure = Some(format!("{}: {}", m.code, m.detail));
            }),
            Event::JobDelivered(m) => self.change(&m.job_id, |job| job.work = Work::Delivered),
            Event::InvoiceIssued(m) => self.invoice(m),
            Event::InvoiceExpired(m) => self.expire(m, at_ms),
            Event::JobPrepaid(m) => self.change(&m.job_id, |job| {
                job.money = Money::Prepaid;
                job.prepayment = Some(Prepayment {
                    amount_msat: m.amount_msat,
                    settled_at_ms: m.settled_at_ms,
                    payment_id: m.payment_id.clone(),
                    preimage: m.preimage.clone(),
                });
            }),
            Event::CanarySettled(m) => self.change(&m.job_id, |job| job.money = Money::Settled),
            Event::OfferApproved(m) if !m.job_id.is_empty() => self.refund(&m.job_id, &m.intent_id),
            Event::PaymentApproved(m) if m.purpose == pb::PaymentPurpose::Refund as i32 => {
                self.refund(&m.purchase_id, &m.payment_hash);
            }
            Event::JobRefundFailed(m) => self.change(&m.job_id, |job| {
                let payment = job.refund.take().map(|refund| refund.payment);
                job.refund = Some(Refund {
                    payment: payment.unwrap_or_default(),
                    under_way: false,
                    failure: Some(m.reason.clone()),
                });
            }),
            Event::JobRefunded(m) => self.change(&m.job_id, |job| job.money = Money::Refunded),
            Event::JobSettled(m) => self.change(&m.job_id, |job| job.money = Money::Settled),
            Event::EventSigned(m) => self.change(&m.job_id, |job| job.signed.push(m.purpose)),
            Event::EventPublished(m) => self.change(&m.job_id, |job| job.sent.push(m.purpose)),
            Event::EventAbandoned(m) => self.change(&m.job_id, |job| job.sent.push(m.purpose)),
            _ => {}
        }
        self.bind(fact);
    }
}
