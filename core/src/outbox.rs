//! What we say to the market: signed and sealed away it is owed, and once a relay took it, said.
use autopilot_events::{
    Draft, Event,
    pb::{self, Purpose, Source},
    words::{EventId, JobId},
};
use autopilot_projections::{
    State,
    jobs::{Job, Money, Work},
    outbox::Owed,
};

use crate::{
    canary,
    draft::{of_job, of_purchase},
};

/// An event was signed and sealed away: now it is owed. A second one for the same purpose is dropped unseen.
pub fn signed(state: &State, signed: pb::EventSigned) -> Vec<Draft> {
    let id = JobId::of(&signed.job_id);
    match state.jobs.get(&id) {
        Some(job) if !job.signed.contains(&signed.purpose) && is_true(job, signed.purpose) => {
            vec![of_job(&id.0, Source::Policy, signed)]
        }
        None if tells_loser(state, &id, &signed) || owes_receipt(state, &id, &signed) => {
            vec![of_purchase(&id.0, Source::Policy, signed)]
        }
        _ => Vec::new(),
    }
}

/// Nothing is said that does not hold when it becomes owed, and success only after the wallet's word.
fn is_true(job: &Job, purpose: i32) -> bool {
    match Purpose::try_from(purpose) {
        Ok(Purpose::Processing) => matches!(job.work, Work::Running | Work::Executed | Work::Delivered),
        Ok(Purpose::PaymentRequired) => job.pay_first && job.invoice.is_some(),
        Ok(Purpose::Result) => job.output.is_some() && job.invoice.is_some(),
        Ok(Purpose::Success) => job.work == Work::Delivered && job.money == Money::Settled,
        Ok(Purpose::Error) => matches!(job.work, Work::Refused | Work::Failed),
        _ => false,
    }
}

/// A paid purchase ends with our word for it, once.
fn owes_receipt(state: &State, id: &JobId, signed: &pb::EventSigned) -> bool {
    let purchase = state.purchases.get(id).or_else(|| state.purchases.recent(id));
    let winner = purchase.and_then(|purchase| purchase.winner.as_ref());
    signed.purpose == Purpose::Receipt as i32 && winner.is_some_and(|winner| winner.owed_receipt().is_some())
}

/// The other further events of a purchase are what its losers are told, once each.
fn tells_loser(state: &State, id: &JobId, signed: &pb::EventSigned) -> bool {
    let purchase = state.purchases.get(id).or_else(|| state.purchases.recent(id));
    purchase.is_some_and(|purchase| purchase.losers.contains_key(&EventId::of(&signed.about)))
}

/// Relays answered. One that took it is enough; a result that was taken is delivered.
pub fn published(state: &State, event_id: EventId, accepted: u32, tried: u32) -> Vec<Draft> {
    let Some(owed) = state.outbox.get(&event_id).filter(|_| accepted > 0) else {
        return Vec::new();
    };
    let job_id = owed.job.to_vec();
    let published = pb::EventPublished {
        event_id: event_id.to_vec(),
        job_id: job_id.clone(),
        purpose: owed.purpose,
        relays_accepted: accepted,
        relays_tried: tried,
    };
    let mut drafts = Vec::new();
    if owed.purpose == Purpose::Result as i32 {
        let delivered = pb::JobDelivered {
            job_id: job_id.clone(),
            event_id: event_id.to_vec(),
            relays_accepted: accepted,
            relays_tried: tried,
        };
        drafts.push(of_job(&job_id, Source::Relay, delivered));
        drafts.extend(
            state
                .jobs
                .get(&owed.job)
                .and_then(|job| earned(state, &job_id, job)),
        );
    }
    drafts.push(of_owed(owed, Source::Relay, published));
    drafts
}

/// What was paid before the work is earned with the delivery.
fn earned(state: &State, job_id: &[u8], job: &Job) -> Option<Draft> {
    let (prepayment, invoice) = job.prepayment.as_ref().zip(job.invoice.as_ref())?;
    let settled = pb::JobSettled {
        job_id: job_id.to_vec(),
        payment_hash: invoice.payment_hash.to_vec(),
        amount_msat: prepayment.amount_msat,
        settled_at_ms: prepayment.settled_at_ms,
        payment_id: prepayment.payment_id.clone(),
        prepaid: true,
        evidence: job.evidence.clone(),
        preimage: prepayment.preimage.clone(),
    };
    (job.money == Money::Prepaid).then(|| canary::settled(state, Source::Wallet, settled))
}

/// A fact about an owed event, in the stream of its job or purchase.
pub fn of_owed(owed: &Owed, source: Source, event: impl Into<Event>) -> Draft {
    let buyers = [Purpose::Request, Purpose::LostRace, Purpose::Receipt].map(|purpose| purpose as i32);
    match buyers.contains(&owed.purpose) {
        true => of_purchase(&owed.job.0, source, event),
        false => of_job(&owed.job.0, source, event),
    }
}
