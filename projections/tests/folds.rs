//! What the deciders' tests do not reach: days of odd time zones, and online time across runs that were killed.
#![allow(clippy::unwrap_used, clippy::expect_used)] // in tests a panic is the verdict
use autopilot_events::{Draft, Event, Head, Recorded, envelope, pb};
use autopilot_projections::{
    Projection, State,
    earnings::Earnings,
    provider::Provider,
    serving::{Class, Serving},
};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// The facts of these events, each at its time.
fn facts(events: Vec<(i64, Event)>) -> Vec<Recorded> {
    let mut head = Head::empty();
    events
        .into_iter()
        .enumerate()
        .map(|(n, (at_ms, event))| {
            let draft = Draft {
                event,
                stream: "test".to_owned(),
                source: pb::Source::Policy,
                idempotency_key: String::new(),
                correlation: Vec::new(),
            };
            let fact = envelope::seal(&head, n as u64 + 1, draft, 0, at_ms);
            head = fact.head();
            fact
        })
        .collect()
}

fn fold<P: Projection>(events: Vec<(i64, Event)>) -> P {
    let mut projection = P::default();
    facts(events).iter().for_each(|fact| projection.apply(fact));
    projection
}

/// Settled at these times by the wallet, 1, 10, 100 … msat each; recorded much later.
fn settled(times_ms: &[i64]) -> Earnings {
    let settled = times_ms.iter().enumerate().map(|(n, settled_at_ms)| {
        let m = pb::JobSettled {
            job_id: vec![n as u8; 32],
            payment_hash: vec![n as u8; 32],
            amount_msat: 10_u64.pow(n as u32),
            settled_at_ms: *settled_at_ms,
            payment_id: Vec::new(),
            ..pb::JobSettled::default()
        };
        (900 * DAY_MS, m.into())
    });
    fold(settled.collect())
}

/// A day that begins `offset_min` minutes before its UTC midnight holds these sums.
#[track_caller]
fn check_day(earnings: &Earnings, offset_min: i64, day: i64, earned_msat: u64, jobs: u64) {
    let from_ms = day * DAY_MS - offset_min * 60_000;
    let sum = earnings.between(from_ms, from_ms + DAY_MS);
    assert_eq!((sum.earned_msat, sum.jobs), (earned_msat, jobs));
}

#[test]
fn a_day_is_the_asker_s_day_in_every_time_zone() {
    // Around the midnight that begins day 100 in UTC.
    let midnight = 100 * DAY_MS;
    let earnings = settled(&[midnight - 1, midnight, midnight + DAY_MS - 1, midnight + DAY_MS]);
    check_day(&earnings, 0, 99, 1, 1);
    check_day(&earnings, 0, 100, 110, 2);
    check_day(&earnings, 0, 101, 1_000, 1);
    // Kathmandu +5:45, Chatham +13:45, Adelaide +9:30, Marquesas −9:30: edges that are whole quarters of an hour.
    for offset_min in [5 * 60 + 45, 13 * 60 + 45, 9 * 60 + 30, -(9 * 60 + 30)] {
        let begins = midnight - offset_min * 60_000;
        let edges = settled(&[begins - 1, begins, begins + DAY_MS - 1, begins + DAY_MS]);
        check_day(&edges, offset_min, 99, 1, 1);
        check_day(&edges, offset_min, 100, 110, 2);
        check_day(&edges, offset_min, 101, 1_000, 1);
    }
}

#[test]
fn a_day_with_a_clock_change_has_23_or_25_hours() {
    let begins = 100 * DAY_MS;
    let earnings = settled(&[
        begins,
        begins + 23 * HOUR_MS,
        begins + 24 * HOUR_MS,
        begins + 25 * HOUR_MS,
    ]);
    assert_eq!(earnings.between(begins, begins + 23 * HOUR_MS).earned_msat, 1);
    assert_eq!(earnings.between(begins, begins + 25 * HOUR_MS).earned_msat, 111);
}

#[test]
fn a_span_that_is_empty_or_turned_round_holds_nothing() {
    let earnings = settled(&[DAY_MS]);
    assert_eq!(earnings.between(DAY_MS, DAY_MS).jobs, 0);
    assert_eq!(earnings.between(2 * DAY_MS, 0).jobs, 0);
    assert_eq!(earnings.between(i64::MIN, i64::MAX).jobs, 1);
    // Before the epoch the quarters go on.
    let old = settled(&[-1, 0]);
    assert_eq!(old.between(-DAY_MS, 0).earned_msat, 1);
    assert_eq!(old.between(0, DAY_MS).earned_msat, 10);
}

#[test]
fn buckets_of_the_last_35_days_are_kept_and_it_is_said_from_when_on() {
    let days = [0, 1, 36, 40];
    let earnings = settled(&days.map(|day| day * DAY_MS));
    assert_eq!(
        earnings.kept_from_ms(),
        DAY_MS + 15 * 60_000,
        "days 0 and 1 are gone"
    );
    assert_eq!(
        earnings.between(earnings.kept_from_ms(), i64::MAX).earned_msat,
        1_100
    );
    assert_eq!(earnings.earned_msat, 1_111, "in all it counts for ever");
    let all = settled(&[0, 35 * DAY_MS - 1]);
    assert_eq!(
        (all.kept_from_ms(), all.between(i64::MIN, i64::MAX).jobs),
        (i64::MIN, 2)
    );
    // One that the wallet dates long ago, told late.
    let late = settled(&[40 * DAY_MS, 0]);
    assert_eq!((late.kept_from_ms(), late.jobs_settled), (15 * 60_000, 2));
}

#[test]
fn sums_that_would_overflow_stand_still_at_the_top() {
    let mut earnings = settled(&[0]);
    let most = pb::JobSettled {
        job_id: vec![9; 32],
        payment_hash: vec![9; 32],
        amount_msat: u64::MAX,
        settled_at_ms: 0,
        payment_id: Vec::new(),
        ..pb::JobSettled::default()
    };
    facts(vec![(0, most.clone().into()), (0, most.into())])
        .iter()
        .for_each(|fact| earnings.apply(fact));
    assert_eq!(earnings.earned_msat, u64::MAX);
    assert_eq!(earnings.between(0, DAY_MS).earned_msat, u64::MAX);
}

fn online() -> Event {
    pb::ProviderWentOnline {
        policy_digest: vec![0; 32],
        run_id: vec![1; 16],
    }
    .into()
}

fn alive(online_ms: u64) -> Event {
    pb::LivenessRecorded {
        run_id: vec![1; 16],
        online_ms,
    }
    .into()
}

fn offline(reason: &str) -> Event {
    pb::ProviderWentOffline {
        reason: reason.to_owned(),
        run_id: Vec::new(),
    }
    .into()
}

#[test]
fn online_time_of_a_killed_run_counts_as_far_as_it_is_proven() {
    let provider: Provider = fold(vec![
        (0, online()),
        (900_000, alive(900_000)),
        (1_800_000, alive(1_800_000)),
        // Killed at some time; noticed a day later.
        (DAY_MS, offline("restart")),
        (DAY_MS + 1, online()),
        (DAY_MS + 60_001, offline("asked")),
    ]);
    assert_eq!(provider.uptime_ms, 1_800_000 + 60_000);
    assert_eq!(
        (provider.online, provider.online_since_ms, provider.run_online_ms),
        (false, None, 0)
    );
    assert_eq!(provider.offline_reason, "asked");
}

#[test]
fn two_runs_without_a_word_between_them_are_not_counted_twice() {
    let provider: Provider = fold(vec![
        (0, online()),
        (900_000, alive(900_000)),
        (5_000_000, online()),
        (5_900_000, alive(900_000)),
        // A clock that stood still or went back proves no less than before.
        (5_900_000, alive(100)),
    ]);
    assert_eq!((provider.uptime_ms, provider.run_online_ms), (900_000, 900_000));
    assert_eq!(provider.online_since_ms, Some(5_000_000));
}

#[test]
fn labels_are_names_with_versions_and_digests_follow_the_content() {
    let empty = State::default();
    let labels: Vec<String> = empty.digests().into_iter().map(|(label, _)| label).collect();
    let names = [
        "provider/4",
        "jobs/4",
        "outbox/2",
        "wallet/4",
        "purchases/3",
        "earnings/3",
        "accounts/3",
        "missed/2",
        "custody/1",
        "heads/2",
        "kept_heads/1",
        "buy_modes/1",
        "canaries/1",
        "serving/1",
        "alerts/1",
        "milestones/1",
        "price/1",
        "chat/1",
    ];
    assert_eq!(labels, names);
    assert_eq!(State::label(), names.join("+"));
    let mut state = State::default();
    facts(vec![(7, online())])
        .iter()
        .for_each(|fact| state.apply(fact));
    let pairs = state.digests().into_iter().zip(empty.digests());
    let changed: Vec<String> = pairs
        .filter(|(now, before)| now != before)
        .map(|(now, _)| now.0)
        .collect();
    assert_eq!(changed, ["provider/4", "serving/1"]);
    assert!(State::from_snapshot(b"{\"provider\":{}}").is_none());
    assert!(State::from_snapshot(b"no json").is_none());
    assert_eq!(State::from_snapshot(&state.to_snapshot()), Some(state));
}

fn presence(at_ms: i64, online: bool, reason: &str) -> (i64, Event) {
    match online {
        true => (
            at_ms,
            pb::ProviderWentOnline {
                policy_digest: vec![0; 32],
                run_id: Vec::new(),
            }
            .into(),
        ),
        false => (
            at_ms,
            pb::ProviderWentOffline {
                reason: reason.to_owned(),
                run_id: Vec::new(),
            }
            .into(),
        ),
    }
}

fn proven(at_ms: i64) -> (i64, Event) {
    (at_ms, pb::LivenessRecorded::default().into())
}

#[test]
fn online_time_is_counted_in_the_asker_s_day_and_a_kill_counts_what_was_proven() {
    let begins = 100 * DAY_MS;
    let serving: Serving = fold(vec![
        presence(begins - HOUR_MS, true, ""),
        proven(begins - HOUR_MS / 2),
        proven(begins + HOUR_MS),
        presence(begins + 2 * HOUR_MS, false, "restart"),
        presence(begins + 3 * HOUR_MS, true, ""),
        presence(begins + 4 * HOUR_MS, false, "asked to"),
    ]);
    let online = |from_ms, to_ms| i64::try_from(serving.online.between(from_ms, to_ms)).unwrap();
    assert_eq!(online(begins - DAY_MS, begins), HOUR_MS);
    assert_eq!(
        online(begins, begins + DAY_MS),
        2 * HOUR_MS,
        "an hour before the kill, an hour after it"
    );
    assert_eq!(serving.first_online_at_ms, Some(begins - HOUR_MS));
    assert_eq!(serving.counted_until_ms, None);
}

#[test]
fn online_time_older_than_a_few_days_is_let_go_of() {
    let mut events = vec![presence(0, true, "")];
    events.extend((1..=400).map(|quarter| proven(quarter * 900_000)));
    let serving: Serving = fold(events);
    assert_eq!(serving.online.between(0, DAY_MS), 0);
    assert_eq!(
        serving.online.between(300 * 900_000, 400 * 900_000),
        100 * 900_000
    );
    // One span over a year costs no more than the days that are kept.
    let serving: Serving = fold(vec![presence(0, true, ""), proven(365 * DAY_MS)]);
    assert_eq!(
        i64::try_from(serving.online.between(364 * DAY_MS, 365 * DAY_MS)).unwrap(),
        DAY_MS
    );
}

fn failed(class: pb::FailureClass, code: &str) -> Event {
    let m = pb::JobFailed {
        job_id: vec![1; 32],
        class: class as i32,
        code: code.to_owned(),
        detail: "why".to_owned(),
    };
    m.into()
}

#[test]
fn every_failure_is_of_one_class_and_giving_up_is_none() {
    use pb::FailureClass::{Cancelled, Deadline, Execution, Relay};
    let events = [
        failed(Execution, "worker-died"),
        failed(Execution, "aborted"),
        failed(Cancelled, "taken-back"),
        failed(Deadline, "deadline-exceeded"),
        failed(Deadline, "input-unavailable"),
        failed(Deadline, "quote-not-taken"),
        failed(Relay, "not-delivered"),
        pb::InvoiceExpired {
            job_id: vec![1; 32],
            payment_hash: vec![1; 32],
        }
        .into(),
        pb::WalletReconciled {
            difference_msat: -5,
            ..Default::default()
        }
        .into(),
        pb::WalletReconciled::default().into(),
    ];
    let serving: Serving = fold(events.map(|event| (7, event)).into());
    let counts = Class::ALL.map(|class| serving.failures(class).jobs);
    assert_eq!(counts, [2, 2, 2, 1], "relay, execution, payment, reconciliation");
    assert_eq!((serving.cancelled, serving.undelivered), (2, 4));
    let last = serving.last.unwrap();
    assert!(!last.good && last.words.contains("unpaid"), "{last:?}");
}

#[test]
fn the_first_sats_are_counted_from_the_first_time_online_by_the_wallet_s_time() {
    let settled = pb::JobSettled {
        job_id: vec![1; 32],
        payment_hash: vec![1; 32],
        settled_at_ms: 5_000,
        amount_msat: 7,
        ..Default::default()
    };
    let serving: Serving = fold(vec![
        presence(2_000, true, ""),
        presence(3_000, false, "asked"),
        presence(4_000, true, ""),
        (9_000, settled.into()),
    ]);
    assert_eq!(serving.first_job_latency_ms(), Some(3_000));
    assert_eq!(Serving::default().first_job_latency_ms(), None);
}
