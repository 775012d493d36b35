//! The provider's decider: from a request to a delivered, invoiced job.
use autopilot_events::{
    Draft,
    pb::{self, FailureClass, PaymentOrder, RefusalReason, Source},
    words::JobId,
};
use autopilot_projections::{
    State,
    jobs::{Job, Work},
};

use crate::{
    admission, content,
    draft::{keyed, of_job},
    input::{Cancelled, Outcome, Readiness, Request, ResolvedInputs, Worked, invoice_key, market_key},
    missed,
    ports::market::MARKET_NIP90,
    presence::Presence,
    refusal::{Code, Refusal},
};

/// Attempts at one job before it fails.
pub const MAX_ATTEMPTS: u32 = 3;

/// A request becomes facts: received, then accepted (and started) or refused. Beyond the day's intake budget, of
/// which what is declined may take half, it is only counted.
pub fn received(
    state: &State,
    presence: &mut Presence,
    readiness: &Readiness,
    request: Request,
    now_ms: i64,
) -> Vec<Draft> {
    let id = JobId::derive(MARKET_NIP90, &request.native_id.0);
    if state
        .purchases
        .get(&id)
        .or_else(|| state.purchases.recent(&id))
        .is_some()
    {
        // A purchase of ours comes back from a relay: the ledger holds it already.
        return Vec::new();
    }
    let policy = state.provider.policy();
    let judged = admission::judge(
        state,
        presence.online_since_ms.is_some(),
        readiness,
        &request,
        now_ms,
    );
    let (jobs_today, bytes_today) = state.jobs.intake_today(now_ms);
    let beyond = jobs_today >= policy.intake_jobs_per_day
        || bytes_today.saturating_add(request.body.size) > policy.intake_bytes_per_day;
    if beyond || judged.is_err() && admission::declined_share_spent(state, &policy, now_ms) {
        let overflow = &mut presence.overflow;
        if overflow.count == 0 {
            overflow.since_ms = now_ms;
        }
        overflow.count += 1;
        overflow.bytes = overflow.bytes.saturating_add(request.body.size);
        overflow.ids.update(&request.native_id.0);
        return Vec::new();
    }
    let policy_digest = state.provider.policy_digest.to_vec();
    let waits = request.remote_inputs > 0;
    let key = market_key(&request.native_id);
    let mut drafts = vec![keyed(of_job(&id.0, Source::Relay, intake(id, &request)), key)];
    match judged {
        Ok(terms) => {
            let accepted = pb::JobAccepted {
                job_id: id.to_vec(),
                price_msat: terms.price_msat,
                order: terms.order as i32,
                deadline_ms: terms.deadline_ms,
                policy_digest,
                max_output_tokens: terms.max_output_tokens,
            };
            drafts.push(of_job(&id.0, Source::Policy, accepted));
            if terms.order == PaymentOrder::WorkFirst && !waits {
                drafts.push(started(&id, 1));
            }
        }
        Err((reason, detail)) => {
            let answered = state.jobs.replies_within_hour(now_ms);
            let reply = request.targeted
                && reason != RefusalReason::OwnJob
                && reason != RefusalReason::Expired
                && answered < policy.refusal_replies_per_hour as usize;
            let remedy = missed::remedy(reason, state, readiness, &request, now_ms);
            let rule = match reason {
                RefusalReason::ContentPolicy => {
                    content::judge(&policy, &request.requester, &request.text, &request.topics)
                }
                _ => None,
            };
            let refused = pb::JobRefused {
                job_id: id.to_vec(),
                reason: reason as i32,
                detail,
                policy_digest,
                reply,
                rule: rule.unwrap_or_default(),
                would_pay_msat: missed::would_pay_msat(&policy, &request),
                setting: remedy.setting.to_owned(),
                setting_now: remedy.now,
                setting_needed: remedy.needed,
            };
            drafts.push(of_job(&id.0, Source::Policy, refused));
        }
    }
    drafts
}

fn intake(id: JobId, request: &Request) -> pb::JobReceived {
    pb::JobReceived {
        job_id: id.to_vec(),
        market: MARKET_NIP90.to_owned(),
        native_id: request.native_id.to_vec(),
        requester: request.requester.to_vec(),
        kind: request.kind,
        bid_msat: request.bid.map(|bid| bid.0),
        created_at_s: request.created_at_s,
        ttl_s: request.ttl_s,
        targeted: request.targeted,
        encrypted: request.encrypted,
        input_bytes: request.input_bytes,
        request: Some(request.body.clone()),
        relay: request.relay.clone(),
        remote_inputs: request.remote_inputs,
        refund_offer: request.refund_offer.clone(),
    }
}

fn started(id: &JobId, attempt: u32) -> Draft {
    of_job(
        &id.0,
        Source::Policy,
        pb::JobStarted {
            job_id: id.to_vec(),
            attempt,
        },
    )
}

fn failed(id: &JobId, source: Source, class: FailureClass, code: &str, detail: impl Into<String>) -> Draft {
    let failed = pb::JobFailed {
        job_id: id.to_vec(),
        class: class as i32,
        code: code.to_owned(),
        detail: detail.into(),
    };
    of_job(&id.0, source, failed)
}

/// The job begins again, or fails when that makes no sense any more.
pub fn another_attempt(state: &State, id: &JobId, why: &str, now_ms: i64) -> Vec<Draft> {
    let Some(job) = state.jobs.get(id).filter(|job| job.work == Work::Running) else {
        return Vec::new();
    };
    vec![match job.attempts {
        // A paid job is owed whatever the hour.
        attempts if attempts >= MAX_ATTEMPTS => {
            let detail = format!("{why}; {attempts} attempts were made");
            failed(
                id,
                Source::Policy,
                FailureClass::Execution,
                "attempts-exhausted",
                detail,
            )
        }
        _ if !job.money.arrived() && now_ms >= job.deadline_ms => {
            let detail = format!("{why}; there is no time for another attempt");
            failed(
                id,
                Source::Clock,
                FailureClass::Deadline,
                "deadline-exceeded",
                detail,
            )
        }
        attempts => started(id, attempts + 1),
    }]
}

/// Inputs that lie elsewhere are here, or will never do. A quote goes out only now, so that nobody pays for work that
/// has no input.
pub fn resolved(state: &State, resolved: ResolvedInputs) -> Vec<Draft> {
    let id = resolved.job;
    let waits = |job: &&Job| job.work == Work::Accepted && job.waits_for_inputs;
    let Some(job) = state.jobs.get(&id).filter(waits) else {
        return Vec::new();
    };
    let policy = state.provider.policy();
    let limit = policy.max_input_bytes;
    let unfit = |detail: String| {
        vec![failed(
            &id,
            Source::Relay,
            FailureClass::Execution,
            "input-unavailable",
            detail,
        )]
    };
    let inputs = match resolved.outcome {
        Ok(inputs) => inputs,
        Err(detail) => return unfit(detail),
    };
    let bytes = inputs
        .inputs
        .iter()
        .map(|input| input.bytes)
        .fold(0, u64::saturating_add);
    if bytes > limit {
        return unfit(format!(
            "the inputs that it names have {bytes} bytes, at most {limit} are taken"
        ));
    }
    let mut drafts = vec![of_job(&id.0, Source::Relay, inputs)];
    if let Some(rule) = content::judge(&policy, &job.requester, &resolved.text, &[]) {
        let refused = pb::JobRefused {
            job_id: id.to_vec(),
            reason: RefusalReason::ContentPolicy as i32,
            detail: "the provider's content policy declines what an input stands for".to_owned(),
            policy_digest: state.provider.policy_digest.to_vec(),
            reply: true,
            setting: "content-policy".to_owned(),
            setting_now: rule.clone(),
            setting_needed: "without it".to_owned(),
            rule,
            would_pay_msat: job.price_msat,
        };
        drafts.push(of_job(&id.0, Source::Policy, refused));
    } else if !job.pay_first {
        drafts.push(started(&id, 1));
    }
    drafts
}

/// The model answered. An answer to an attempt that is not the current one changes nothing.
pub fn worked(state: &State, worked: Worked, now_ms: i64) -> Vec<Draft> {
    let current = |job: &&Job| job.work == Work::Running && job.attempts == worked.attempt;
    if state.jobs.get(&worked.job).filter(current).is_none() {
        return Vec::new();
    }
    match worked.outcome {
        Outcome::Done { receipt, output } => {
            let executed = pb::JobExecuted {
                job_id: worked.job.to_vec(),
                receipt: Some(*receipt),
                output: Some(output),
            };
            vec![of_job(&worked.job.0, Source::Model, executed)]
        }
        Outcome::Failed {
            detail, again: true, ..
        } => another_attempt(state, &worked.job, &detail, now_ms),
        Outcome::Failed {
            class, code, detail, ..
        } => {
            vec![failed(&worked.job, Source::Model, class, &code, detail)]
        }
    }
}

/// The wallet made the job's invoice. A second one is never recorded.
pub fn invoiced(state: &State, mut invoice: pb::InvoiceIssued) -> Vec<Draft> {
    let id = JobId::of(&invoice.job_id);
    let Some(job) = state.jobs.get(&id).filter(|job| job.invoice.is_none()) else {
        return Vec::new();
    };
    invoice.pay_first = job.pay_first;
    let key = invoice_key(&invoice.payment_hash);
    vec![keyed(of_job(&id.0, Source::Wallet, invoice), key)]
}

/// The requester takes the request back: work that is not done ends, what was delivered stays owed.
pub fn cancelled(state: &State, cancelled: &Cancelled) -> Vec<Draft> {
    let id = JobId::derive(MARKET_NIP90, &cancelled.native_id.0);
    let ours = state
        .jobs
        .get(&id)
        .filter(|job| job.requester == cancelled.author);
    if !ours.is_some_and(|job| job.work <= Work::Running && !job.money.arrived()) {
        return Vec::new();
    }
    vec![failed(
        &id,
        Source::Relay,
        FailureClass::Cancelled,
        "cancelled",
        "the buyer took the request back",
    )]
}

/// A person gives up a job in flight.
pub fn abort(state: &State, id: JobId) -> Result<Vec<Draft>, Refusal> {
    match state.jobs.get(&id) {
        None => Err(Refusal::new(
            Code::NotFound,
            "there is no such job in flight; see `autopilotctl history`",
        )),
        Some(job) if job.work > Work::Running => Err(Refusal::new(
            Code::TooLate,
            "the work is done already: it will be delivered",
        )),
        Some(_) => Ok(vec![failed(
            &id,
            Source::Person,
            FailureClass::Execution,
            "aborted",
            "the provider gave the job up",
        )]),
    }
}
