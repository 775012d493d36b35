//! "Why am I getting no jobs?": causes from facts and from what the outside world could do now, the likeliest first,
//! each with the next step.
use autopilot_events::words::Msat;
use autopilot_projections::{
    State,
    missed::{Demand, Group, Span},
};

use crate::{
    canary::{outcome, span},
    input::Readiness,
    presence::blockers,
};

/// A job that was taken so short a while ago needs no explanation, in milliseconds.
pub const QUIET_MS: i64 = 15 * 60_000;
/// Demand of this time back is looked at, in milliseconds; by the full hour.
const LOOK_BACK_MS: i64 = 3_600_000;
/// A failed canary of this age still says something, in milliseconds.
const CANARY_MS: i64 = 24 * 3_600_000;

/// One cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Closed code, e.g. `offline`.
    pub code: &'static str,
    /// For a person.
    pub sentence: String,
    /// A command; empty where only time or others help.
    pub next: String,
}

/// What this run knows beside the facts.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// Of the outside world.
    pub readiness: &'a Readiness,
    /// Whether this run serves.
    pub online: bool,
    /// Relays that took the last announcement; `None`: not known yet.
    pub announced: Option<u32>,
}

/// All causes that hold now. None for who serves nothing, and while jobs come.
pub fn why_no_jobs(state: &State, standing: Standing<'_>, now_ms: i64) -> Vec<Cause> {
    let taken = state.missed.last_taken_at_ms;
    let busy = taken.is_some_and(|at| now_ms.saturating_sub(at) < QUIET_MS) || state.jobs.in_flight() > 0;
    if state.provider.policy.is_none() || (standing.online && busy) {
        return Vec::new();
    }
    let recent = state.missed.since(now_ms.saturating_sub(LOOK_BACK_MS));
    let mut causes = Vec::new();
    if !standing.online {
        causes.push(cause(
            "offline",
            "the provider is offline: it takes no request",
            "autopilotctl provider online",
        ));
    }
    causes.extend(
        blockers(state, standing.readiness)
            .into_iter()
            .map(|blocker| cause("not-ready", blocker, "autopilotctl doctor")),
    );
    if standing.online && standing.announced == Some(0) {
        causes.push(cause(
            "not-announced",
            "no relay took the last announcement: nobody can find this provider",
            "autopilotctl relays",
        ));
    }
    causes.extend(canary(state, now_ms));
    causes.extend(demand(&recent, standing.online));
    causes.extend(refusals(&recent));
    if causes.is_empty() {
        causes.push(cause(
            "none-found",
            "everything stands ready; the market is quiet",
            "autopilotctl canary",
        ));
    }
    causes
}

fn cause(code: &'static str, sentence: impl Into<String>, next: impl Into<String>) -> Cause {
    Cause {
        code,
        sentence: sentence.into(),
        next: next.into(),
    }
}

fn canary(state: &State, now_ms: i64) -> Option<Cause> {
    let (at_ms, end) = state.canaries.last.as_ref()?.finished.as_ref()?;
    let age_ms = now_ms.saturating_sub(*at_ms);
    (end.outcome == outcome::FAILED && age_ms < CANARY_MS).then(|| {
        let sentence = format!("the canary failed {} ago: {}", span(age_ms), end.detail);
        cause("canary-failed", sentence, "autopilotctl canary")
    })
}

/// What was asked for at all, within the last hour or so.
fn demand(recent: &Span, online: bool) -> Option<Cause> {
    let seen = if online {
        &recent.other_kinds
    } else {
        &recent.offline
    };
    let sum = |of: fn(&Demand) -> u64| seen.values().map(of).fold(0, u64::saturating_add);
    let (jobs, elsewhere) = (sum(|demand| demand.jobs), sum(|demand| demand.elsewhere));
    if recent.received > 0 {
        return None;
    }
    if jobs == 0 {
        let sentence = "no request of any kind was seen within the last hour: the relays may be quiet, or others than the buyers'";
        return Some(cause("no-demand", sentence, "autopilotctl relays"));
    }
    if jobs == elsewhere {
        let sentence = format!("{jobs} requests were seen within the last hour, all for other providers");
        return Some(cause("for-others", sentence, ""));
    }
    let best = seen
        .iter()
        .max_by_key(|(_, demand)| (demand.highest_bid_msat, demand.jobs));
    let (kind, highest) = best.map_or((0, 0), |(kind, demand)| (*kind, demand.highest_bid_msat));
    let bid = format!("up to {} (kind {kind})", Msat(highest));
    Some(match online {
        true => cause(
            "other-kinds",
            format!(
                "{jobs} requests were seen within the last hour, all of kinds that are not served, bidding {bid}"
            ),
            "autopilotctl missed --since 1h",
        ),
        false => cause(
            "missed-offline",
            format!("{jobs} requests were seen while offline within the last hour, bidding {bid}"),
            "autopilotctl provider online",
        ),
    })
}

/// What came and was not taken, most frequent first.
fn refusals(recent: &Span) -> Vec<Cause> {
    let mut groups: Vec<&Group> = recent.groups.values().collect();
    groups.sort_by_key(|group| std::cmp::Reverse((group.jobs, group.msat)));
    let refused = |group: &Group| {
        let would = match group.setting.as_str() {
            "" => String::new(),
            setting => format!(
                "; {setting} {} → {} would have taken them",
                group.now, group.needed
            ),
        };
        let sentence = format!(
            "{} of {} requests of the last hour were refused: {}, worth {}{would}",
            group.jobs,
            recent.received,
            group.reason,
            Msat(group.msat)
        );
        cause("refused", sentence, next_command(&group.setting, &group.needed))
    };
    groups.into_iter().map(refused).collect()
}

/// The command that changes a setting of a refusal, or what else to do.
pub fn next_command(setting: &str, needed: &str) -> String {
    match setting {
        "" => String::new(),
        "online" => "autopilotctl provider online".to_owned(),
        "model" => "autopilotctl model list".to_owned(),
        "backup" => "autopilotctl identity backup".to_owned(),
        "channel-capacity" => "autopilotctl wallet balance".to_owned(),
        "content-policy" => "autopilotctl refusals --reason content-policy".to_owned(),
        setting => format!("autopilotctl policy set --{setting} {needed}"),
    }
}
