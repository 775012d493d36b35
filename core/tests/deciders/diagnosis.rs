//! "Why am I getting no jobs?", case by case; and demand that can't be claimed.
use autopilot_core::{
    Input,
    diagnosis::{Standing, why_no_jobs},
    input::{Command, Readiness, Request},
};
use autopilot_events::{
    Event,
    pb::{self, KindDemand},
    words::Msat,
};

use crate::{
    given::{offline, online, policy, ready, request},
    ledger::Ledger,
};

fn seen(kind: u32, jobs: u64, elsewhere: u64, highest_bid_msat: u64) -> KindDemand {
    KindDemand {
        kind,
        jobs,
        elsewhere,
        bids: jobs - elsewhere,
        bids_msat: highest_bid_msat,
        highest_bid_msat,
        ..KindDemand::default()
    }
}

/// Codes of all causes now, in order; each has a sentence.
fn causes(ledger: &Ledger, announced: Option<u32>) -> Vec<&'static str> {
    let readiness = ledger.engine.readiness();
    let standing = Standing {
        readiness,
        online: ledger.engine.is_online(),
        announced,
    };
    let causes = why_no_jobs(ledger.engine.state(), standing, ledger.now_ms);
    causes
        .into_iter()
        .map(|cause| {
            assert!(!cause.sentence.is_empty());
            cause.code
        })
        .collect()
}

#[test]
fn each_standing_has_its_cause() {
    assert_eq!(
        causes(&Ledger::empty(), None),
        Vec::<&str>::new(),
        "who serves nothing asks nothing"
    );
    let off = offline(policy());
    assert_eq!(causes(&off, None), ["offline", "no-demand"]);
    let mut on = online();
    assert_eq!(causes(&on, None), ["no-demand"]);
    assert_eq!(causes(&on, Some(0)), ["not-announced", "no-demand"]);
    let broken = Readiness {
        model: None,
        relays_connected: 0,
        receivable: Msat(0),
        wallet_problem: None,
        ..ready()
    };
    on.check(Input::Readiness(broken), &[]);
    assert_eq!(
        causes(&on, Some(1)),
        ["not-ready", "not-ready", "not-ready", "no-demand"]
    );
    on.check(Input::Readiness(ready()), &[]);
    on.check(Input::Demand(vec![seen(5100, 3, 1, 900)]), &[]);
    on.check(Input::Tick, &["demand.seen"]);
    assert_eq!(causes(&on, Some(1)), ["other-kinds"]);
    let cheap = Request {
        bid: Some(Msat(1)),
        ..request(1)
    };
    on.check(
        Input::Request(cheap),
        &["job.received", "job.refused price-too-low"],
    );
    assert_eq!(causes(&on, Some(1)), ["refused"]);
    on.check(
        Input::Request(request(2)),
        &["job.received", "job.accepted work-first", "job.started 1"],
    );
    assert_eq!(causes(&on, Some(1)), Vec::<&str>::new(), "jobs come");
    on.check(crate::given::cancelled(2, 1), &["job.failed cancelled"]);
    on.now_ms += 3 * 3_600_000;
    assert_eq!(
        causes(&on, Some(1)),
        ["no-demand"],
        "an old hour says nothing of now"
    );
}

#[test]
fn what_others_get_and_what_the_canary_said_are_causes() {
    let mut off = offline(policy());
    off.check(Input::Demand(vec![seen(5050, 2, 2, 0)]), &[]);
    off.check(Input::Tick, &["demand.seen"]);
    assert_eq!(causes(&off, None), ["offline", "for-others"]);
    let mut off = offline(policy());
    off.check(Input::Demand(vec![seen(5050, 2, 1, 5_000)]), &[]);
    off.check(Input::Tick, &["demand.seen"]);
    assert_eq!(causes(&off, None), ["offline", "missed-offline"]);
    let mut on = online();
    let job_id = crate::given::job(1).to_vec();
    on.submit(Input::Person(Command::StartCanary(pb::CanaryStarted {
        job_id: job_id.clone(),
        native_id: vec![1; 32],
        requester: vec![2; 32],
        ..pb::CanaryStarted::default()
    })));
    on.submit(Input::Person(Command::FinishCanary(pb::CanaryFinished {
        job_id,
        outcome: "failed".to_owned(),
        ..pb::CanaryFinished::default()
    })));
    assert_eq!(causes(&on, Some(1)), ["canary-failed", "no-demand"]);
}

#[test]
fn demand_becomes_one_fact_a_window_and_never_a_job() {
    let mut ledger = offline(policy());
    ledger.check(Input::Demand(vec![seen(5050, 1, 0, 700)]), &[]);
    ledger.check(Input::Tick, &["demand.seen"]);
    for bid in [300, 400] {
        ledger.check(Input::Demand(vec![seen(5050, 1, 0, bid)]), &[]);
        ledger.later(60_000, &[]);
    }
    ledger.later(180_000, &["demand.seen"]);
    ledger.later(3_600_000, &[]);
    // What was counted offline is recorded as that, also when the provider is online by then.
    ledger.check(Input::Demand(vec![seen(5050, 1, 0, 100)]), &[]);
    ledger.check(
        Input::Person(Command::GoOnline { run_id: vec![5; 16] }),
        &["provider.went_online"],
    );
    ledger.check(Input::Demand(vec![seen(5100, 1, 0, 50)]), &["demand.seen"]);
    let missed = &ledger.engine.state().missed;
    let demand = missed.total.offline[&5050];
    assert_eq!(
        (demand.jobs, demand.bids_msat, demand.highest_bid_msat),
        (4, 1_500, 700)
    );
    assert_eq!((missed.total.received, missed.total.other_kinds.len()), (0, 0));
    let Event::DemandSeen(m) = &ledger.all("demand.seen")[1].event else {
        unreachable!()
    };
    assert_eq!(
        (m.kinds[0].jobs, m.window_end_ms - m.window_start_ms),
        (2, 300_000)
    );
    ledger.later(300_000, &["demand.seen"]);
    assert_eq!(ledger.engine.state().missed.total.other_kinds[&5100].jobs, 1);
    assert_eq!(ledger.engine.state().jobs.open().count(), 0);
}
