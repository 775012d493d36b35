//! Which requests are taken: every refusal in the order of the market contract, and the edges of time.
use autopilot_core::{
    Input,
    input::{Command, Readiness, Request},
    ports::market::MAX_TTL_S,
};
use autopilot_events::{
    Event, pb,
    words::{Msat, PublicKey},
};

use crate::{
    given::{OWN_KEY, offline, online, online_with, policy, ready, request},
    ledger::{Ledger, NOON_MS},
};

/// Everything that a judgement rests on.
#[derive(Clone)]
struct Scene {
    online: bool,
    policy: pb::Policy,
    readiness: Readiness,
    request: Request,
}

/// Puts the scene and asks once; `n` keeps requests apart.
fn ask(ledger: &mut Ledger, scene: &Scene, n: u8) -> String {
    let online = ledger.engine.is_online();
    if online != scene.online {
        ledger.submit(Input::Readiness(ready()));
        let command = match scene.online {
            true => Command::GoOnline { run_id: vec![5; 16] },
            false => Command::GoOffline {
                reason: "asked".to_owned(),
            },
        };
        ledger.submit(Input::Person(command));
    }
    ledger.submit(Input::Person(Command::SetPolicy(scene.policy.clone())));
    ledger.check(Input::Readiness(scene.readiness.clone()), &[]);
    let asked = Request {
        native_id: request(n).native_id,
        ..scene.request.clone()
    };
    let mut lines = ledger.submit(Input::Request(asked));
    assert_eq!(lines.remove(0), "job.received");
    lines.join(" ")
}

/// One request that has everything against it. What is wrong is put right one by one, and each time the next reason
/// in the contract's order shows.
#[test]
fn the_first_reason_against_a_request_is_the_one_recorded() {
    let mut ledger = online();
    ledger.delivered(1);
    ledger.check(
        Input::Request(request(2)),
        &["job.received", "job.accepted work-first", "job.started 1"],
    );
    let mut scene = Scene {
        online: false,
        policy: pb::Policy {
            accept_open: false,
            quote_without_bid: false,
            per_buyer_per_hour: 2,
            global_per_hour: 2,
            unpaid_jobs_per_buyer: 1,
            unpaid_jobs_total: 1,
            refusal_replies_per_hour: 0,
            ..policy()
        },
        readiness: Readiness {
            model: None,
            receivable: Msat(999),
            ..ready()
        },
        request: Request {
            requester: PublicKey(OWN_KEY),
            kind: 5100,
            bid: None,
            created_at_s: NOON_MS / 1_000 - 700,
            open: false,
            input_bytes: 16 * 1024 + 1,
            model: Some("gemma".to_owned()),
            unreadable: "it holds no input".to_owned(),
            ..request(3)
        },
    };
    type Cure = fn(&mut Scene);
    let steps: &[(&str, Cure)] = &[
        ("offline", |s| s.online = true),
        ("own-job", |s| s.request.requester = PublicKey([1; 32])),
        ("not-for-us", |s| s.request.open = true),
        ("not-for-us", |s| s.policy.accept_open = true),
        ("unreadable", |s| s.request.unreadable.clear()),
        ("kind-not-served", |s| s.request.kind = 5050),
        ("model-not-served", |s| {
            s.readiness.model = Some("llama".to_owned())
        }),
        ("model-not-served", |s| s.request.model = Some("LLAMA".to_owned())),
        ("expired", |s| s.request.ttl_s = 3_600),
        ("clock-skew", |s| s.request.created_at_s = NOON_MS / 1_000),
        ("no-bid", |s| s.request.bid = Some(Msat(999))),
        ("price-too-low", |s| s.request.bid = Some(Msat(1_000))),
        ("input-too-large", |s| s.request.input_bytes = 16 * 1024),
        ("buyer-limit", |s| s.policy.per_buyer_per_hour = 3),
        ("global-quota", |s| s.policy.global_per_hour = 3),
        ("unpaid-cap", |s| s.policy.unpaid_jobs_per_buyer = 3),
        ("unpaid-cap", |s| s.policy.unpaid_jobs_total = 3),
        ("busy", |s| s.policy.max_in_flight = 2),
        ("cannot-receive", |s| s.readiness.receivable = Msat(1_000)),
    ];
    for (n, (reason, cure)) in steps.iter().enumerate() {
        assert_eq!(
            ask(&mut ledger, &scene, 10 + n as u8),
            format!("job.refused {reason}")
        );
        cure(&mut scene);
    }
    assert_eq!(
        ask(&mut ledger, &scene, 99),
        "job.accepted work-first job.started 1"
    );
}

#[test]
fn targeted_requests_need_their_own_leave() {
    let mut ledger = online_with(pb::Policy {
        accept_targeted: false,
        ..policy()
    });
    let targeted = Request {
        targeted: true,
        open: false,
        ..request(1)
    };
    ledger.check(
        Input::Request(targeted),
        &["job.received", "job.refused not-for-us"],
    );
}

#[test]
fn without_a_policy_nothing_is_recorded_of_strangers() {
    let mut ledger = Ledger::empty();
    ledger.check(Input::Request(request(1)), &[]);
}

/// Dated `age_s` ago, worth doing for `ttl_s`: what comes of it, and seconds until the deadline.
#[track_caller]
fn in_time(age_s: i64, ttl_s: u32, expected: &str, left_s: Option<i64>) {
    let mut ledger = online();
    let asked = Request {
        created_at_s: (NOON_MS / 1_000).saturating_sub(age_s),
        ttl_s,
        ..request(1)
    };
    assert_eq!(
        ledger.submit(Input::Request(asked))[1],
        expected,
        "{age_s} s old, ttl {ttl_s} s"
    );
    let deadline_ms = ledger.facts.iter().find_map(|fact| match &fact.event {
        Event::JobAccepted(m) => Some(m.deadline_ms),
        _ => None,
    });
    assert_eq!(deadline_ms, left_s.map(|left_s| NOON_MS + left_s * 1_000));
}

#[test]
fn time_to_live_counts_from_the_earlier_of_created_and_received() {
    let (yes, expired, skewed) = (
        "job.accepted work-first",
        "job.refused expired",
        "job.refused clock-skew",
    );
    in_time(0, 60, yes, Some(60));
    in_time(59, 60, yes, Some(1));
    in_time(60, 60, expired, None);
    in_time(86 * 60, 75, expired, None);
    // Dated in the future it gains nothing.
    in_time(-600, 60, yes, Some(60));
    in_time(-601, 60, skewed, None);
    in_time(600, 3_600, yes, Some(3_000));
    in_time(601, 3_600, skewed, None);
    // Without a word on it, the policy's default.
    in_time(0, 0, yes, Some(60));
    in_time(60, 0, expired, None);
    // Nobody can ask for a job that never ends.
    in_time(0, u32::MAX, yes, Some(i64::from(MAX_TTL_S)));
}

#[test]
fn absurd_dates_are_refused_and_break_nothing() {
    in_time(i64::MAX, 60, "job.refused expired", None);
    for created_at_s in [i64::MIN, -1, 0] {
        let asked = Request {
            created_at_s,
            ..request(1)
        };
        online().check(Input::Request(asked), &["job.received", "job.refused expired"]);
    }
    let asked = Request {
        created_at_s: i64::MAX,
        ..request(1)
    };
    online().check(Input::Request(asked), &["job.received", "job.refused clock-skew"]);
}

#[test]
fn a_request_without_a_bid_is_quoted_and_never_worked_for_nothing() {
    let mut ledger = online();
    ledger.quoted(1);
    assert!(ledger.all("job.started").is_empty());
    let mut payers_first = online_with(pb::Policy {
        order: pb::PaymentOrder::PayFirst as i32,
        ..policy()
    });
    payers_first.check(
        Input::Request(request(1)),
        &["job.received", "job.accepted pay-first"],
    );
}

#[test]
fn a_request_is_judged_once_however_often_it_comes() {
    let mut ledger = online();
    ledger.check(
        Input::Request(request(1)),
        &["job.received", "job.accepted work-first", "job.started 1"],
    );
    ledger.check(Input::Request(request(1)), &["duplicate"]);
    ledger.restart(&["provider.went_offline restart", "job.started 2"]);
    ledger.check(
        Input::Request(Request {
            relay: "wss://two".to_owned(),
            ..request(1)
        }),
        &["duplicate"],
    );
}

#[test]
fn the_output_is_bounded_by_the_policy_and_never_empty() {
    for (asked, granted) in [(None, 256), (Some(0), 1), (Some(16), 16), (Some(u32::MAX), 256)] {
        let mut ledger = online();
        ledger.submit(Input::Request(Request {
            max_tokens: asked,
            ..request(1)
        }));
        let accepted = ledger.all("job.accepted");
        let Event::JobAccepted(m) = &accepted[0].event else {
            unreachable!()
        };
        assert_eq!(m.max_output_tokens, granted);
        assert_eq!(
            m.policy_digest,
            ledger.engine.state().provider.policy_digest.to_vec()
        );
    }
}

#[test]
fn offline_demand_is_recorded_and_refused() {
    offline(policy()).check(
        Input::Request(request(1)),
        &["job.received", "job.refused offline"],
    );
}
