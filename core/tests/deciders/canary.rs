//! The canary: bound by a fact before anybody sees its request, worked like any job, booked apart.
use autopilot_core::{
    Input, canary,
    input::{Command, Request},
};
use autopilot_events::{
    pb::{self, Purpose},
    words::PublicKey,
};
use autopilot_projections::accounts::Account;

use crate::{
    given::{
        hash, invoiced, job, offline, online, online_with, policy, published, received, request, signed,
    },
    ledger::{Ledger, NOON_MS},
};

fn start(n: u8) -> Input {
    Input::Person(Command::StartCanary(pb::CanaryStarted {
        job_id: job(n).to_vec(),
        native_id: vec![n; 32],
        requester: vec![1; 32],
        price_msat: 1_000,
        deadline_ms: NOON_MS + 60_000,
        pays: true,
    }))
}

fn finish(n: u8, outcome: &str) -> Input {
    Input::Person(Command::FinishCanary(pb::CanaryFinished {
        job_id: job(n).to_vec(),
        outcome: outcome.to_owned(),
        stages: Vec::new(),
        detail: String::new(),
    }))
}

fn words(ledger: &Ledger) -> String {
    canary::words(ledger.engine.state(), ledger.now_ms)
}

#[test]
fn a_trial_is_worked_like_any_job_and_its_money_is_no_earning() {
    let mut ledger = online();
    ledger.check(start(1), &["canary.started"]);
    ledger.delivered(1);
    ledger.check(
        received(hash(1), 1_000),
        &["wallet.payment_received", "canary.settled"],
    );
    ledger.check(finish(1, "paid"), &["canary.finished paid"]);
    ledger.now_ms += 40_000;
    assert_eq!(words(&ledger), "reachable, worked and paid 40 s ago");
    // A job of somebody's stands beside it.
    ledger.check(signed(1, Purpose::Success), &["event.signed success"]);
    ledger.delivered(2);
    ledger.check(
        received(hash(2), 1_000),
        &["wallet.payment_received", "job.settled 1000"],
    );
    let state = ledger.engine.state();
    assert_eq!(
        (state.earnings.earned_msat, state.earnings.jobs_settled),
        (1_000, 1)
    );
    assert_eq!(
        (state.earnings.jobs_accepted, state.earnings.jobs_delivered),
        (1, 1)
    );
    assert_eq!(state.canaries.settled_msat, 1_000);
    assert_eq!(state.accounts.balance_msat(Account::EquityCanary), -1_000);
    assert_eq!(state.accounts.balance_msat(Account::EquityUnbound), 0);
    assert_eq!((state.missed.total.received, state.missed.total.taken), (1, 1));
}

#[test]
fn an_unpaid_trial_takes_no_unpaid_place_and_counts_as_no_failure() {
    let mut ledger = online_with(pb::Policy {
        unpaid_jobs_per_buyer: 1,
        unpaid_jobs_total: 1,
        ..policy()
    });
    ledger.check(start(1), &["canary.started"]);
    ledger.delivered(1);
    ledger.check(finish(1, "worked"), &["canary.finished worked"]);
    ledger.check(
        Input::Request(request(2)),
        &["job.received", "job.accepted work-first", "job.started 1"],
    );
    ledger.check(crate::given::cancelled(2, 1), &["job.failed cancelled"]);
    ledger.later(3_600_000 + 600_000, &["invoice.expired", "liveness.recorded"]);
    let late = Request {
        created_at_s: ledger.now_ms / 1_000,
        ..request(3)
    };
    ledger.check(
        Input::Request(late),
        &["job.received", "job.accepted work-first", "job.started 1"],
    );
    assert_eq!(ledger.engine.state().earnings.invoices_expired, 0);
}

#[test]
fn a_trial_that_is_paid_first_is_no_earning_either() {
    let mut ledger = online();
    ledger.check(start(1), &["canary.started"]);
    ledger.quoted(1);
    ledger.check(
        received(hash(1), 1_000),
        &["wallet.payment_received", "job.prepaid", "job.started 1"],
    );
    ledger.check(crate::given::done(1, 1), &["job.executed"]);
    ledger.check(signed(1, Purpose::Result), &["event.signed result"]);
    ledger.check(
        published(1, Purpose::Result, 1),
        &["job.delivered", "canary.settled", "event.published result"],
    );
    let state = ledger.engine.state();
    assert_eq!(state.accounts.balance_msat(Account::EquityCanary), -1_000);
    assert_eq!(state.accounts.balance_msat(Account::LiabilitiesPrepaid), 0);
    ledger.check(invoiced(1), &["duplicate"]);
}

#[test]
fn one_at_a_time_only_online_and_every_trial_ends() {
    offline(policy()).check(start(1), &["no: not-ready"]);
    let mut ledger = online();
    assert_eq!(words(&ledger), "");
    ledger.check(start(1), &["canary.started"]);
    ledger.check(start(2), &["no: already-so"]);
    assert_eq!(words(&ledger), "under way");
    ledger.check(finish(2, "paid"), &[]);
    ledger.check(finish(1, "failed"), &["canary.finished failed"]);
    ledger.check(finish(1, "paid"), &[]);
    ledger.check(start(2), &["no: already-so"]);
    ledger.now_ms += 10_000;
    ledger.check(start(2), &["canary.started"]);
    ledger.later(110_000, &["canary.finished interrupted"]);
    ledger.check(start(3), &["canary.started"]);
    ledger.restart(&["provider.went_offline restart", "canary.finished interrupted"]);
    // A job that comes with a stranger's key is a stranger's, whatever was tried before.
    assert!(
        !ledger
            .engine
            .state()
            .canaries
            .jobs
            .contains(&PublicKey([1; 32]).0)
    );
}
