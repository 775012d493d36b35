//! The canary: the provider tries itself as a stranger with a throw-away key. A fact binds the job to the trial before
//! its request is published; the job is then judged and worked like any other, and its money is booked apart.
use autopilot_events::{
    Draft,
    pb::{self, Source},
    words::JobId,
};
use autopilot_projections::{State, canaries::Canary};

use crate::{
    draft::of_job,
    refusal::{Code, Refusal},
};

/// One trial in so many milliseconds at most.
pub const LEAST_PAUSE_MS: i64 = 10_000;
/// A trial whose host forgot it is over so long after its deadline, in milliseconds.
const GIVEN_UP_MS: i64 = 60_000;

/// How far a trial came.
pub mod outcome {
    /// Reached, worked, and the payment arrived.
    pub const PAID: &str = "paid";
    /// Reached, worked, and billed.
    pub const WORKED: &str = "worked";
    /// Reached and quoted: it is paid before it is worked.
    pub const QUOTED: &str = "quoted";
    /// Less than that.
    pub const FAILED: &str = "failed";
    /// The program ended meanwhile.
    pub const INTERRUPTED: &str = "interrupted";
}

/// Whether a trial shows that a stranger is served: at least as far as a bill or a quote.
pub fn came_through(end: &str) -> bool {
    matches!(end, outcome::PAID | outcome::WORKED | outcome::QUOTED)
}

/// A trial begins: its job is named before anybody sees the request.
pub fn start(
    state: &State,
    online: bool,
    started: pb::CanaryStarted,
    now_ms: i64,
) -> Result<Vec<Draft>, Refusal> {
    if !online {
        return Err(Refusal::new(
            Code::NotReady,
            "the provider is offline, where nobody can reach it: `autopilotctl provider online`",
        ));
    }
    let last = state.canaries.last.as_ref();
    if state.canaries.running().is_some()
        || last.is_some_and(|canary| now_ms.saturating_sub(canary.started_at_ms) < LEAST_PAUSE_MS)
    {
        return Err(Refusal::new(
            Code::AlreadySo,
            "a canary is under way or has just ended: ask again in ten seconds",
        ));
    }
    let id = started.job_id.clone();
    Ok(vec![of_job(&id, Source::Person, started)])
}

/// A trial ends, once.
pub fn finish(state: &State, finished: pb::CanaryFinished) -> Vec<Draft> {
    let running = state.canaries.running();
    match running.is_some_and(|canary| canary.job.0 == *finished.job_id) {
        true => vec![of_job(&finished.job_id.clone(), Source::Policy, finished)],
        false => Vec::new(),
    }
}

/// The program was started again, or the trial was forgotten.
fn interrupted(canary: &Canary) -> Draft {
    let finished = pb::CanaryFinished {
        job_id: canary.job.to_vec(),
        outcome: outcome::INTERRUPTED.to_owned(),
        stages: Vec::new(),
        detail: "the program ended, or lost it".to_owned(),
    };
    of_job(&canary.job.0, Source::Clock, finished)
}

/// A new run of the program knows nothing of the throw-away key.
pub fn resumed(state: &State) -> Option<Draft> {
    state.canaries.running().map(interrupted)
}

/// A trial long past its deadline.
pub fn overdue(state: &State, now_ms: i64) -> Option<Draft> {
    let running = state.canaries.running()?;
    (now_ms >= running.deadline_ms.saturating_add(GIVEN_UP_MS)).then(|| interrupted(running))
}

/// Money for a delivered job: an earning, or for a trial the owner's own.
pub fn settled(state: &State, source: Source, m: pb::JobSettled) -> Draft {
    let id = JobId::of(&m.job_id);
    if !state.canaries.jobs.contains(&m.job_id) {
        return of_job(&id.0, source, m);
    }
    let apart = pb::CanarySettled {
        job_id: m.job_id,
        payment_hash: m.payment_hash,
        amount_msat: m.amount_msat,
        settled_at_ms: m.settled_at_ms,
        payment_id: m.payment_id,
        prepaid: m.prepaid,
    };
    of_job(&id.0, source, apart)
}

/// The last trial in words, e.g. "reachable, worked and paid 40 s ago". None was ever: empty.
pub fn words(state: &State, now_ms: i64) -> String {
    let Some(canary) = &state.canaries.last else {
        return String::new();
    };
    let Some((at_ms, end)) = &canary.finished else {
        return "under way".to_owned();
    };
    let ago = format!("{} ago", span(now_ms.saturating_sub(*at_ms)));
    match end.outcome.as_str() {
        outcome::PAID => format!("reachable, worked and paid {ago}"),
        outcome::WORKED => format!("reachable, worked and billed {ago}; {}", end.detail),
        outcome::QUOTED => format!("reachable and quoted {ago}; {}", end.detail),
        outcome::INTERRUPTED => format!("interrupted {ago}: {}", end.detail),
        _ => format!("FAILED {ago}: {}", end.detail),
    }
}

/// Milliseconds in their largest unit.
pub fn span(ms: i64) -> String {
    let seconds = ms.max(0) / 1_000;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
