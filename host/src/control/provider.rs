//! Provider status: green rests on what came of jobs, not on a flag.
use autopilot_core::{Engine, canary};
use autopilot_projections::{
    jobs::Work,
    serving::{Class, Serving},
};
use autopilot_proto::control::v1::{self as pb};
use tonic::Status;

use super::{
    Service,
    presence::{standing, uptime_ms},
    views::basis,
};
use crate::{clock, pulse::Beat};

impl Service {
    pub(super) async fn answer_provider(
        &self,
        request: pb::ProviderRequest,
    ) -> Result<pb::ProviderReply, Status> {
        let beat = *self.heartbeat.borrow();
        self.look(move |engine| of_engine(engine, beat, &request, clock::now_ms()))
            .await
    }
}

pub(super) fn of_engine(
    engine: &Engine,
    beat: Option<Beat>,
    day: &pb::ProviderRequest,
    now_ms: i64,
) -> pb::ProviderReply {
    let state = engine.state();
    let (serving, earnings, jobs) = (&state.serving, &state.earnings, &state.jobs);
    let (online, blockers) = standing(engine);
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let age = |at_ms: i64| u64::try_from(now_ms.saturating_sub(at_ms)).unwrap_or(0);
    let working = jobs.open().filter(|(_, job)| job.work == Work::Running);
    let quoted = jobs
        .open()
        .filter(|(_, job)| job.work == Work::Accepted && job.pay_first && !job.waits_for_inputs);
    let trial = state.canaries.last.as_ref();
    let trial_end = trial.and_then(|canary| canary.finished.as_ref());
    pb::ProviderReply {
        basis: Some(basis(engine, "ledger")),
        state: online.to_owned(),
        blockers,
        heartbeat_age_ms: beat.map(|beat| age(beat.at_ms)),
        heartbeat_relays: beat.and_then(|beat| beat.relays),
        uptime_ms: uptime_ms(engine, now_ms),
        uptime_today_ms: uptime_today_ms(engine, day, now_ms),
        in_flight: count(jobs.in_flight()),
        running: count(working.count()),
        places: state.provider.policy().max_in_flight,
        waiting_for_inputs: count(jobs.waiting_for_inputs()),
        waiting_for_payment: count(quoted.count()),
        failures: Class::ALL.map(|class| failures(serving, class, day)).into(),
        cancelled: serving.cancelled,
        jobs_accepted: earnings.jobs_accepted,
        jobs_delivered: earnings.jobs_delivered,
        jobs_settled: earnings.jobs_settled,
        completion_permille: permille(earnings.jobs_delivered, serving.undelivered),
        payout_permille: permille(earnings.jobs_settled, earnings.invoices_expired),
        first_job_latency_ms: serving.first_job_latency_ms(),
        last_outcome: serving.last.as_ref().map(|last| pb::OutcomeLine {
            job_id: last.job.to_string(),
            good: last.good,
            words: last.words.clone(),
            at_ms: last.at_ms,
            sequence: last.sequence,
        }),
        canary: canary::words(state, now_ms),
        canary_age_ms: trial_end.map(|(at_ms, _)| age(*at_ms)),
        canary_good: trial_end.map(|(_, end)| canary::came_through(&end.outcome)),
    }
}

fn failures(serving: &Serving, class: Class, day: &pb::ProviderRequest) -> pb::FailureLine {
    let failures = serving.failures(class);
    pb::FailureLine {
        class: class.name().to_owned(),
        jobs: failures.jobs,
        today: failures.recent.between(day.day_start_ms, day.day_end_ms),
        last_code: failures.last_code,
        last_words: failures.last_words,
        last_at_ms: failures.last_at_ms,
    }
}

/// What the facts prove of the day, and for a run that is online now the time since the last of them.
fn uptime_today_ms(engine: &Engine, day: &pb::ProviderRequest, now_ms: i64) -> u64 {
    let serving = &engine.state().serving;
    let proven = serving.online.between(day.day_start_ms, day.day_end_ms);
    let since = serving.counted_until_ms.filter(|_| engine.is_online());
    let rest = since.map_or(0, |since_ms| {
        now_ms.min(day.day_end_ms) - since_ms.max(day.day_start_ms)
    });
    proven.saturating_add(u64::try_from(rest).unwrap_or(0))
}

/// The good ones of all, in thousandths; none while there is none at all.
fn permille(good: u64, bad: u64) -> Option<u32> {
    let all = good.saturating_add(bad);
    let share = good.saturating_mul(1_000).checked_div(all)?;
    u32::try_from(share).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_nothing_is_no_share() {
        assert_eq!(permille(0, 0), None);
        assert_eq!(
            (permille(3, 0), permille(2, 1), permille(0, 5)),
            (Some(1_000), Some(666), Some(0))
        );
    }
}
