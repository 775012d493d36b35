//! Paying back what was paid before a delivery that then failed. By itself only to the offer that the buyer supplied, and
//! once; otherwise it stays listed as owed, and a person pays it back.
use autopilot_events::{
    Draft, Event,
    pb::{self, PaymentPurpose, Source},
    words::{Digest, JobId, Msat},
};
use autopilot_projections::{State, jobs::Job};

use crate::{
    draft::of_job,
    input::{Bill, OfferedRefund},
    money,
    offers::{self, Offer, OfferWish},
    refusal::{Code, Refusal},
};

/// Routing of a refund may cost so much at most: 1 %, at least 5 sat. It is paid on top of what was received.
pub fn fee_ceiling(amount: Msat) -> Msat {
    Msat((amount.0 / 100).max(5_000))
}

/// To whom a person pays back.
#[derive(Clone, Debug, PartialEq)]
pub enum RefundTo {
    /// An invoice, decoded: of what is owed, or without an amount.
    Invoice(Bill),
    /// An offer, decoded; and a fresh name for the intent.
    Offer(Offer, [u8; 16]),
}

/// The job if it is a debt that is not being paid back.
fn owed<'a>(state: &'a State, id: &JobId) -> Option<(&'a Job, Msat)> {
    let job = state.jobs.get(id).filter(|job| job.is_debt())?;
    let under_way = job.refund.as_ref().is_some_and(|refund| refund.under_way);
    let amount = Msat(job.prepayment.as_ref()?.amount_msat);
    (!under_way).then_some((job, amount))
}

/// The wallet looked at the offer that the buyer supplied. With too little to send it is tried again later.
pub fn offered(state: &State, offered: OfferedRefund, now_ms: i64) -> Result<Vec<Draft>, Refusal> {
    let id = offered.job;
    let Some((_, amount)) = owed(state, &id).filter(|(job, _)| job.refund.is_none()) else {
        return Ok(Vec::new());
    };
    let offer = match offered.offer {
        Ok(offer) => offer,
        Err(reason) => return Ok(vec![failed(&id, reason)]),
    };
    let ceiling = fee_ceiling(amount);
    let spendable = Msat(state.wallet.figures.spendable_msat);
    if amount.0.saturating_add(ceiling.0) > spendable.0 {
        return Err(Refusal::new(
            Code::InsufficientFunds,
            format!("{amount} is owed back and may cost {ceiling} to send, {spendable} can be sent now"),
        ));
    }
    match approve_offer(state, &id, offer, intent(&id), amount, Source::Policy, now_ms) {
        Err(refusal) if refusal.code != Code::InsufficientFunds => Ok(vec![failed(&id, refusal.sentence)]),
        approved => approved,
    }
}

/// The one intent that is carried out without a person.
fn intent(id: &JobId) -> [u8; 16] {
    let digest = Digest::of_content(format!("refund/{id}").as_bytes());
    digest.0.first_chunk().copied().unwrap_or_default()
}

/// A person pays back.
pub fn by_hand(
    state: &State,
    id: JobId,
    to: RefundTo,
    ceiling: Option<Msat>,
    now_ms: i64,
) -> Result<Vec<Draft>, Refusal> {
    let Some((_, amount)) = owed(state, &id) else {
        return Err(Refusal::new(
            Code::NotFound,
            "nothing is owed for this job, or it is being paid back already; see `autopilotctl debts`",
        ));
    };
    let ceiling = ceiling.unwrap_or(fee_ceiling(amount));
    let bill = match to {
        RefundTo::Offer(offer, intent) => {
            let wish = wish(&id, offer, intent, amount, ceiling);
            return offers::approve(state, wish, Source::Person, now_ms);
        }
        RefundTo::Invoice(bill) => bill,
    };
    let mut drafts = money::approve(state, bill, Some(amount), ceiling, None, now_ms)?;
    for draft in &mut drafts {
        if let Event::PaymentApproved(approved) = &mut draft.event {
            approved.purpose = PaymentPurpose::Refund as i32;
            approved.purchase_id = id.to_vec();
        }
    }
    Ok(drafts)
}

fn approve_offer(
    state: &State,
    id: &JobId,
    offer: Offer,
    intent: [u8; 16],
    amount: Msat,
    by: Source,
    now_ms: i64,
) -> Result<Vec<Draft>, Refusal> {
    let wish = wish(id, offer, intent, amount, fee_ceiling(amount));
    offers::approve(state, wish, by, now_ms)
}

fn wish(id: &JobId, offer: Offer, intent_id: [u8; 16], amount: Msat, fee_ceiling: Msat) -> OfferWish {
    OfferWish {
        intent_id,
        offer,
        amount: Some(amount),
        fee_ceiling,
        purpose: PaymentPurpose::Refund,
        job_id: id.to_vec(),
        resolution: None,
    }
}

/// A payment of ours is done: it settles the debt that it was approved for, also when it had seemed to fail.
pub fn settled(state: &State, payment: &pb::WalletPaymentSent) -> Option<Draft> {
    let (id, _) = by_payment(state, &payment.payment_hash, &payment.intent_id)?;
    let refunded = pb::JobRefunded {
        job_id: id.to_vec(),
        payment_hash: payment.payment_hash.clone(),
        amount_msat: payment.amount_msat,
        fee_msat: payment.fee_msat,
    };
    Some(of_job(&id.0, Source::Wallet, refunded))
}

/// A payment of ours failed: the debt it was approved for stays.
pub fn unsettled(state: &State, payment_hash: &[u8], intent_id: &[u8], reason: &str) -> Option<Draft> {
    let (id, job) = by_payment(state, payment_hash, intent_id)?;
    let under_way = job.refund.as_ref().is_some_and(|refund| refund.under_way);
    under_way.then(|| failed(&id, reason.to_owned()))
}

fn by_payment(state: &State, payment_hash: &[u8], intent_id: &[u8]) -> Option<(JobId, Job)> {
    let names = [intent_id, payment_hash];
    let pays = |job: &Job| {
        let refund = job.refund.as_ref();
        refund.is_some_and(|refund| {
            names
                .iter()
                .any(|name| !name.is_empty() && refund.payment == hex::encode(name))
        })
    };
    let mut debts = state.jobs.open().filter(|(_, job)| job.is_debt());
    debts
        .find(|(_, job)| pays(job))
        .map(|(id, job)| (*id, job.clone()))
}

fn failed(id: &JobId, reason: String) -> Draft {
    let failed = pb::JobRefundFailed {
        job_id: id.to_vec(),
        reason,
    };
    of_job(&id.0, Source::Policy, failed)
}
