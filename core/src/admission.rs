//! Admission: whether a request is taken, checked in the order that the market contract states. Pure and total.
use autopilot_events::{
    pb::{PaymentOrder, Policy, RefusalReason as Reason},
    words::PublicKey,
};
use autopilot_projections::{State, alerts};

use crate::{
    content,
    embedding::{EMBEDDING, MAX_TEXTS, content_bytes},
    input::{Readiness, Request},
    ports::market::MAX_TTL_S,
};

/// Why not, and in words.
pub type No = (Reason, String);

/// Jobs that may wait at a time for inputs that lie elsewhere.
pub const MAX_WAITING_FOR_INPUTS: u32 = 8;

/// What is promised when a request is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What it costs.
    pub price_msat: u64,
    /// Which comes first.
    pub order: PaymentOrder,
    /// When the work is worthless.
    pub deadline_ms: i64,
    /// Bound of the output.
    pub max_output_tokens: u32,
}

/// Judges a request that was never seen before and whose signature is valid.
///
/// # Errors
/// The first reason against it.
pub fn judge(
    state: &State,
    online: bool,
    readiness: &Readiness,
    request: &Request,
    now_ms: i64,
) -> Result<Terms, No> {
    let policy = state.provider.policy();
    if !online {
        return no(Reason::Offline, "the provider is offline");
    }
    addressed(state, &policy, request)?;
    servable(&policy, readiness, request)?;
    let deadline_ms = in_time(&policy, request, now_ms)?;
    let order = priced(&policy, request)?;
    if content::judge(&policy, &request.requester, &request.text, &request.topics).is_some() {
        // Which rule it was stands in the fact, not in the buyer's answer.
        return no(Reason::ContentPolicy, "the provider's content policy declines it");
    }
    if alerts::backup_needed(state).is_some() {
        // How much this wallet holds is nobody's business.
        return no(
            Reason::BackupNeeded,
            "the provider takes no job until its owner has seen to something",
        );
    }
    within_limits(state, &policy, request, now_ms)?;
    if readiness.receivable.0 < policy.min_price_msat {
        let why = readiness.wallet_problem.clone();
        return no(
            Reason::CannotReceive,
            why.unwrap_or_else(|| format!("the wallet can receive {} now", readiness.receivable)),
        );
    }
    let max_output_tokens = request
        .max_tokens
        .unwrap_or(policy.max_output_tokens)
        .clamp(1, policy.max_output_tokens.max(1));
    Ok(Terms {
        price_msat: policy.min_price_msat,
        order,
        deadline_ms,
        max_output_tokens,
    })
}

fn no<T>(reason: Reason, detail: impl Into<String>) -> Result<T, No> {
    Err((reason, detail.into()))
}

fn addressed(state: &State, policy: &Policy, request: &Request) -> Result<(), No> {
    let own = state
        .provider
        .identity
        .as_ref()
        .is_some_and(|id| id.public_key == request.requester.to_string());
    match request {
        _ if own => no(Reason::OwnJob, "the request is signed by this provider's own key"),
        r if r.targeted && !policy.accept_targeted => {
            no(Reason::NotForUs, "targeted requests are declined by policy")
        }
        r if !r.targeted && !r.open => no(Reason::NotForUs, "the request names other providers"),
        r if !r.targeted && !policy.accept_open => {
            no(Reason::NotForUs, "open requests are declined by policy")
        }
        r if !r.unreadable.is_empty() => no(Reason::Unreadable, r.unreadable.clone()),
        _ => Ok(()),
    }
}

fn servable(policy: &Policy, readiness: &Readiness, request: &Request) -> Result<(), No> {
    if !policy.kinds.contains(&request.kind) {
        return no(
            Reason::KindNotServed,
            format!("kind {} is not served", request.kind),
        );
    }
    match (readiness.serves(request.kind), &request.model) {
        (None, _) => no(Reason::ModelNotServed, "no model is ready"),
        (Some(ours), Some(asked)) if !ours.eq_ignore_ascii_case(asked) => no(
            Reason::ModelNotServed,
            format!("{asked} is not served, {ours} is"),
        ),
        _ => vectors_fit(readiness, request),
    }
}

/// The size of an embedding result is known ahead: what no relay would take is not worked for nothing.
fn vectors_fit(readiness: &Readiness, request: &Request) -> Result<(), No> {
    let Some(model) = readiness.embedding.as_ref().filter(|_| request.kind == EMBEDDING) else {
        return Ok(());
    };
    if request.inputs as usize > MAX_TEXTS {
        return no(
            Reason::InputTooLarge,
            format!(
                "{} texts, at most {MAX_TEXTS} are embedded at once",
                request.inputs
            ),
        );
    }
    let (bytes, room) = (
        content_bytes(request.inputs, model.dimensions),
        request.result_room_bytes,
    );
    if bytes > room {
        return no(
            Reason::InputTooLarge,
            format!(
                "{} vectors of {} dimensions take {bytes} bytes, {room} fit into one result: ask in parts",
                request.inputs, model.dimensions
            ),
        );
    }
    Ok(())
}

/// Time to live runs from the earlier of created and received, judged by the recorded clock.
fn in_time(policy: &Policy, request: &Request, now_ms: i64) -> Result<i64, No> {
    let created_ms = request.created_at_s.saturating_mul(1_000);
    let skew_ms = i64::from(policy.max_clock_skew_s) * 1_000;
    let ttl_s = if request.ttl_s == 0 {
        policy.default_ttl_s
    } else {
        request.ttl_s.min(MAX_TTL_S)
    };
    let deadline_ms = created_ms.min(now_ms).saturating_add(i64::from(ttl_s) * 1_000);
    if deadline_ms <= now_ms {
        return no(
            Reason::Expired,
            format!("it ran out {} s ago", now_ms.saturating_sub(deadline_ms) / 1_000),
        );
    }
    if created_ms.abs_diff(now_ms) > skew_ms.unsigned_abs() {
        return no(
            Reason::ClockSkew,
            format!("it is dated {} s off", created_ms.abs_diff(now_ms) / 1_000),
        );
    }
    Ok(deadline_ms)
}

fn priced(policy: &Policy, request: &Request) -> Result<PaymentOrder, No> {
    match request.bid {
        Some(bid) if bid.0 < policy.min_price_msat => no(
            Reason::PriceTooLow,
            format!(
                "it offers {} msat, the price is {} msat",
                bid.0, policy.min_price_msat
            ),
        ),
        Some(_) if request.input_bytes > policy.max_input_bytes => too_large(policy, request),
        Some(_) if policy.order == PaymentOrder::PayFirst as i32 => Ok(PaymentOrder::PayFirst),
        Some(_) => Ok(PaymentOrder::WorkFirst),
        None if !policy.quote_without_bid => {
            no(Reason::NoBid, "it offers no price, and quotes are switched off")
        }
        None if request.input_bytes > policy.max_input_bytes => too_large(policy, request),
        None => Ok(PaymentOrder::PayFirst),
    }
}

fn too_large<T>(policy: &Policy, request: &Request) -> Result<T, No> {
    no(
        Reason::InputTooLarge,
        format!(
            "{} bytes, at most {} are taken",
            request.input_bytes, policy.max_input_bytes
        ),
    )
}

fn within_limits(state: &State, policy: &Policy, request: &Request, now_ms: i64) -> Result<(), No> {
    let (of_buyer, of_all) = state.jobs.accepted_within_hour(&request.requester, now_ms);
    let (unpaid_buyer, unpaid_all) = state.jobs.at_risk(&request.requester, now_ms);
    let at = |count: usize, limit: u32| count >= limit as usize;
    if at(of_buyer, policy.per_buyer_per_hour) {
        return no(
            Reason::BuyerLimit,
            format!("{of_buyer} jobs of this buyer within the hour"),
        );
    }
    if at(of_all, policy.global_per_hour) {
        return no(Reason::GlobalQuota, format!("{of_all} jobs within the hour"));
    }
    if at(unpaid_buyer, policy.unpaid_jobs_per_buyer) || at(unpaid_all, policy.unpaid_jobs_total) {
        return no(
            Reason::UnpaidCap,
            format!(
                "{unpaid_buyer} jobs of this buyer are worked or delivered and unpaid, {unpaid_all} of all"
            ),
        );
    }
    let waiting = state.jobs.waiting_for_inputs();
    if request.remote_inputs > 0 && at(waiting, MAX_WAITING_FOR_INPUTS) {
        return no(Reason::Busy, format!("{waiting} jobs wait for their inputs"));
    }
    if at(state.jobs.in_flight(), policy.max_in_flight) {
        return no(Reason::Busy, format!("{} jobs in flight", state.jobs.in_flight()));
    }
    Ok(())
}

/// Limits of the policy that the next job would meet, whoever asks: each a cause and what helps.
pub fn used_up(state: &State, now_ms: i64) -> Vec<String> {
    let policy = state.provider.policy();
    let nobody = PublicKey::default();
    let (_, of_all) = state.jobs.accepted_within_hour(&nobody, now_ms);
    let (_, unpaid) = state.jobs.at_risk(&nobody, now_ms);
    let at = |count: usize, limit: u32| count >= limit as usize;
    let mut full = Vec::new();
    if intake_spent(state, &policy, now_ms) {
        full.push(format!(
            "the day's room for requests is used up ({} requests, {} bytes): it is free again at midnight UTC",
            policy.intake_jobs_per_day, policy.intake_bytes_per_day
        ));
    }
    if at(unpaid, policy.unpaid_jobs_total) {
        full.push(format!(
            "{unpaid} jobs are worked or delivered and unpaid, the most that are done on trust: each counts until it is paid, or a day after its invoice ran out. `autopilotctl policy set --order pay-first` takes no such risk, --unpaid-jobs-total allows more"
        ));
    }
    if at(of_all, policy.global_per_hour) {
        full.push(format!(
            "{of_all} jobs were taken within the hour, the most by policy: wait, or `autopilotctl policy set --global-per-hour`"
        ));
    }
    full
}

/// Whether the day's budget of recorded requests is spent.
pub fn intake_spent(state: &State, policy: &Policy, now_ms: i64) -> bool {
    let (jobs, bytes) = state.jobs.intake_today(now_ms);
    jobs >= policy.intake_jobs_per_day || bytes >= policy.intake_bytes_per_day
}

/// Whether what is declined has used up its half of the day's budget: the other half is kept for work, so that nobody
/// can talk a provider out of its day with requests that it declines.
pub fn declined_share_spent(state: &State, policy: &Policy, now_ms: i64) -> bool {
    let (jobs, bytes) = state.jobs.intake_today(now_ms);
    jobs >= policy.intake_jobs_per_day.div_ceil(2) || bytes >= policy.intake_bytes_per_day.div_ceil(2)
}
