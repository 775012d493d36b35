//! What a refused job would have paid, and the one setting that would have taken it.
use autopilot_events::pb::{Policy, RefusalReason as Reason};
use autopilot_projections::State;

use crate::{
    content,
    input::{Readiness, Request},
    policy::MAX_INPUT_BYTES,
};

/// A setting, what it is, and what would have taken the job. An empty name: no setting of ours would have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remedy {
    /// As `autopilotctl policy set --<setting>` names it; or `online`, `model`, `channel-capacity`, `content-policy`, `backup`.
    pub setting: &'static str,
    /// At the refusal.
    pub now: String,
    /// What would have been enough.
    pub needed: String,
}

/// What the job would have brought: our price, or the bid where that is lower.
pub fn would_pay_msat(policy: &Policy, request: &Request) -> u64 {
    request
        .bid
        .map_or(policy.min_price_msat, |bid| bid.0.min(policy.min_price_msat))
}

/// The setting that stood against the job. Every reason has its answer here.
pub fn remedy(
    reason: Reason,
    state: &State,
    readiness: &Readiness,
    request: &Request,
    now_ms: i64,
) -> Remedy {
    let policy = state.provider.policy();
    let (of_buyer, of_all) = state.jobs.accepted_within_hour(&request.requester, now_ms);
    let (unpaid_buyer, unpaid_all) = state.jobs.at_risk(&request.requester, now_ms);
    let one_more = |setting, limit: u32, count: usize| is(setting, limit, count.saturating_add(1));
    match reason {
        Reason::Offline => is("online", false, true),
        Reason::NotForUs if request.targeted => is("accept-targeted", false, true),
        Reason::NotForUs if request.open => is("accept-open", false, true),
        Reason::KindNotServed => {
            let kinds: Vec<String> = policy.kinds.iter().map(u32::to_string).collect();
            let kinds = kinds.join(",");
            is("kinds", &kinds, format!("{kinds},{}", request.kind))
        }
        Reason::ModelNotServed => is(
            "model",
            readiness.serves(request.kind).unwrap_or("none").to_owned(),
            request.model.clone().unwrap_or_else(|| "any".to_owned()),
        ),
        Reason::NoBid => is("quote-without-bid", false, true),
        Reason::PriceTooLow => match request.bid {
            Some(bid) if bid.0 > 0 => is(
                "min-price",
                format!("{}msat", policy.min_price_msat),
                format!("{}msat", bid.0),
            ),
            _ => Remedy::default(),
        },
        Reason::InputTooLarge if request.input_bytes <= MAX_INPUT_BYTES => {
            is("max-input-bytes", policy.max_input_bytes, request.input_bytes)
        }
        Reason::BuyerLimit => one_more("per-buyer-per-hour", policy.per_buyer_per_hour, of_buyer),
        Reason::GlobalQuota => one_more("global-per-hour", policy.global_per_hour, of_all),
        Reason::UnpaidCap if unpaid_buyer >= policy.unpaid_jobs_per_buyer as usize => one_more(
            "unpaid-jobs-per-buyer",
            policy.unpaid_jobs_per_buyer,
            unpaid_buyer,
        ),
        Reason::UnpaidCap => one_more("unpaid-jobs-total", policy.unpaid_jobs_total, unpaid_all),
        Reason::Busy => one_more("max-in-flight", policy.max_in_flight, state.jobs.in_flight()),
        Reason::CannotReceive => is(
            "channel-capacity",
            format!("{}msat", readiness.receivable.0),
            format!("{}msat", policy.min_price_msat),
        ),
        Reason::BackupNeeded => is("backup", "none", "one"),
        Reason::ContentPolicy => {
            let rule = content::judge(&policy, &request.requester, &request.text, &request.topics);
            is("content-policy", rule.unwrap_or_default(), "without it")
        }
        // Nothing that is set here would have taken it: it named others, was too old, or could not be read.
        Reason::NotForUs
        | Reason::OwnJob
        | Reason::Expired
        | Reason::ClockSkew
        | Reason::InputTooLarge
        | Reason::Unreadable
        | Reason::IntakeBudget
        | Reason::Unspecified => Remedy::default(),
    }
}

fn is(setting: &'static str, now: impl ToString, needed: impl ToString) -> Remedy {
    Remedy {
        setting,
        now: now.to_string(),
        needed: needed.to_string(),
    }
}
