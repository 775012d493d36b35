//! A clock that jumps an hour either way in the midst of work: what runs out runs out once, nothing is done twice, and no
//! money is lost by it.
use autopilot_core::Input;

use crate::{
    given::{done, hash, online, received, request},
    ledger::NOON_MS,
};

const HOUR_MS: i64 = 3_600_000;
const SETTLED: &[&str] = &["wallet.payment_received", "job.settled 1000"];
const TAKEN: &[&str] = &["job.received", "job.accepted work-first", "job.started 1"];

#[test]
fn an_hour_ahead_and_back_costs_no_money_that_was_earned() {
    let mut ledger = online();
    ledger.delivered(1);
    ledger.check(Input::Request(request(2)), TAKEN);
    ledger.later(HOUR_MS, &["liveness.recorded"]);
    // What was under way is finished and paid, once.
    ledger.check(done(2, 1), &["job.executed"]);
    ledger.check(received(hash(1), 1_000), SETTLED);
    ledger.check(received(hash(1), 1_000), &["duplicate"]);
    // What is dated by a right clock seems to have run out, and the refusal says so.
    ledger.check(
        Input::Request(request(3)),
        &["job.received", "job.refused expired"],
    );
    // Set right again, times stand still until the clock has caught up: no order is broken, and nothing runs out twice.
    ledger.later(-HOUR_MS, &["milestone.reached 1"]);
    ledger.check(
        Input::Request(request(4)),
        &["job.received", "job.refused expired"],
    );
    let last = &ledger.facts.last().unwrap().fact;
    assert_eq!((last.recorded_at_ms, last.utc_ms), (NOON_MS + HOUR_MS, NOON_MS));
    assert_eq!(ledger.engine.state().earnings.earned_msat, 1_000);
}

#[test]
fn an_hour_back_keeps_the_order_and_goes_on() {
    let mut ledger = online();
    ledger.delivered(1);
    ledger.later(-HOUR_MS, &[]);
    ledger.check(received(hash(1), 1_000), SETTLED);
    ledger.executed(2);
    let last = &ledger.facts.last().unwrap().fact;
    assert_eq!((last.recorded_at_ms, last.utc_ms), (NOON_MS, NOON_MS - HOUR_MS));
    ledger.restart(&["provider.went_offline restart"]);
    ledger.later(HOUR_MS, &["milestone.reached 1"]);
    ledger.check(received(hash(1), 1_000), &["duplicate"]);
    assert_eq!(ledger.engine.state().earnings.earned_msat, 1_000);
}
