//! What passing time alone means: deadlines, liveness, windows.
use autopilot_events::{
    Draft,
    pb::{self, FailureClass, Purpose, Source},
    words::Digest,
};
use autopilot_projections::{
    State,
    jobs::{Job, Money, Work},
};

use crate::{
    buy_mode, canary, choice,
    draft::{fact, of_job},
    milestones, money, outbox,
    presence::Presence,
};

/// One liveness fact per this many milliseconds online.
pub const LIVENESS_MS: i64 = 15 * 60 * 1_000;
/// Width of an aggregate of unrecorded intake, in milliseconds.
pub const OVERFLOW_WINDOW_MS: i64 = 15 * 60 * 1_000;
/// A job waits this long at most for inputs that lie elsewhere, in milliseconds.
pub const INPUT_WAIT_MS: i64 = 10 * 60 * 1_000;
/// A payment may be under way when its invoice runs out: the ledger waits this long, in milliseconds. A payment that
/// comes later still finds its job by payment hash.
pub const EXPIRY_GRACE_MS: i64 = 10 * 60 * 1_000;

/// The same for a quote whose work never began: as long as a wallet takes a payment at all, which is two hours and the
/// time of a block after the invoice ran out (rust-lightning, `inbound_payment`). Until then what comes is a debt in
/// sight, in milliseconds.
pub const QUOTE_GRACE_MS: i64 = 150 * 60 * 1_000;

/// All that is due.
pub fn tick(state: &State, presence: &mut Presence, now_ms: i64) -> Vec<Draft> {
    let mut drafts: Vec<Draft> = state
        .jobs
        .open()
        .filter_map(|(id, job)| overdue(&id.0, job, now_ms))
        .flatten()
        .collect();
    drafts.extend(abandoned(state, now_ms));
    for (id, purchase) in state.purchases.open() {
        let chosen = choice::choose(state, id, purchase, now_ms);
        if !chosen.is_empty() {
            drafts.extend(chosen);
            continue;
        }
        let waits = purchase.winner.as_ref().is_none_or(|w| w.paid);
        if waits && now_ms >= purchase.terms.deadline_ms {
            let reason = if purchase.winner.is_some() {
                "paid, and no result came"
            } else {
                "no valid result in time"
            };
            drafts.push(money::closed(id, reason));
        }
    }
    drafts.extend(buy_mode::ended(state, now_ms));
    drafts.extend(canary::overdue(state, now_ms));
    drafts.extend(milestones::due(state));
    drafts.extend(liveness(presence, now_ms));
    drafts.extend(overflow(presence, now_ms));
    drafts.extend(presence.demand.due(now_ms));
    drafts
}

fn overdue(id: &[u8], job: &Job, now_ms: i64) -> Option<Vec<Draft>> {
    let job_id = id.to_vec();
    let invoice = job.invoice.as_ref().filter(|_| job.money == Money::Invoiced);
    let expired = |payment_hash: Vec<u8>| {
        of_job(
            id,
            Source::Clock,
            pb::InvoiceExpired {
                job_id: job_id.clone(),
                payment_hash,
            },
        )
    };
    if job.work == Work::Accepted && job.waits_for_inputs {
        let until_ms = job
            .deadline_ms
            .min(job.received_at_ms.saturating_add(INPUT_WAIT_MS));
        let failed = pb::JobFailed {
            job_id,
            class: FailureClass::Deadline as i32,
            code: "input-unavailable".to_owned(),
            detail: "an input that it names was at no relay in time".to_owned(),
        };
        return (now_ms >= until_ms).then(|| vec![of_job(id, Source::Clock, failed)]);
    }
    if job.pay_first && job.work == Work::Accepted && !job.money.arrived() && now_ms >= job.deadline_ms {
        let failed = pb::JobFailed {
            job_id: job_id.clone(),
            class: FailureClass::Deadline as i32,
            code: "quote-not-taken".to_owned(),
            detail: "the quote was not paid in time".to_owned(),
        };
        // Its invoice runs on: a payment that still comes is a debt in sight, bound to this job.
        return Some(vec![of_job(id, Source::Clock, failed)]);
    }
    let grace_ms = match job.pay_first {
        true => QUOTE_GRACE_MS,
        false => EXPIRY_GRACE_MS,
    };
    let invoice = invoice.filter(|invoice| now_ms >= invoice.expires_at_ms.saturating_add(grace_ms))?;
    Some(vec![expired(invoice.payment_hash.to_vec())])
}

/// Publications past their deadline. A result that no relay took is a failed job, and says so.
fn abandoned(state: &State, now_ms: i64) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for (event_id, owed) in state.outbox.owed().filter(|(_, owed)| now_ms >= owed.deadline_ms) {
        let reason = "no relay took it before its deadline".to_owned();
        if owed.purpose == Purpose::Result as i32 {
            let failed = pb::JobFailed {
                job_id: owed.job.to_vec(),
                class: FailureClass::Relay as i32,
                code: "not-delivered".to_owned(),
                detail: reason.clone(),
            };
            drafts.push(of_job(&owed.job.0, Source::Relay, failed));
        }
        let abandoned = pb::EventAbandoned {
            event_id: event_id.to_vec(),
            job_id: owed.job.to_vec(),
            purpose: owed.purpose,
            reason,
        };
        drafts.push(outbox::of_owed(owed, Source::Clock, abandoned));
    }
    drafts
}

fn liveness(presence: &mut Presence, now_ms: i64) -> Option<Draft> {
    let since = presence.online_since_ms?;
    if now_ms.saturating_sub(presence.last_liveness_ms) < LIVENESS_MS {
        return None;
    }
    presence.last_liveness_ms = now_ms;
    let online_ms = u64::try_from(now_ms.saturating_sub(since)).unwrap_or(0);
    let alive = pb::LivenessRecorded {
        run_id: presence.run_id.clone(),
        online_ms,
    };
    Some(fact("provider", Source::Clock, alive))
}

fn overflow(presence: &mut Presence, now_ms: i64) -> Option<Draft> {
    let due = presence.overflow.count > 0 && now_ms - presence.overflow.since_ms >= OVERFLOW_WINDOW_MS;
    if !due {
        return None;
    }
    let overflow = std::mem::take(&mut presence.overflow);
    let aggregated = pb::IntakeAggregated {
        window_start_ms: overflow.since_ms,
        window_end_ms: now_ms,
        count: overflow.count,
        bytes: overflow.bytes,
        ids_digest: Digest(*overflow.ids.finalize().as_bytes()).to_vec(),
    };
    Some(fact("provider", Source::Relay, aggregated))
}
