//! Outstanding work is a function of the facts: the same after a kill at any point. (Every step of every story
//! compares it with a second fold, read back from bytes; here a whole story is cut at each fact.)
use autopilot_core::{Input, effects::outstanding};
use autopilot_events::pb::Purpose;

use crate::{
    given::{buy, hash, online_with, policy, published, purchase, received, request, result, sent, signed},
    ledger::{Ledger, fold},
};

fn story() -> Ledger {
    let mut ledger = online_with(policy());
    ledger.delivered(1);
    ledger.quoted(2);
    ledger.submit(buy(3, purchase(3)));
    ledger.submit(result(3, 10, 1, 50));
    ledger.submit(result(3, 11, 2, 51));
    ledger.submit(received(hash(1), 1_000));
    ledger.submit(signed(1, Purpose::Success));
    ledger.submit(Input::Request(request(4)));
    ledger.submit(sent(hash(50), 4_000));
    ledger.submit(published(1, Purpose::Success, 1));
    ledger.submit(signed(2, Purpose::PaymentRequired));
    ledger
}

#[test]
fn a_kill_between_any_two_decisions_loses_nothing_and_repeats_nothing() {
    let mut ledger = story();
    let ends = ledger.facts.len();
    for at in 0..=ends {
        // The facts before the cut, from a snapshot and from the start: the same list of work.
        let (_, state) = fold(&ledger.facts[..at]);
        let loaded = autopilot_projections::State::from_snapshot(&state.to_snapshot()).unwrap();
        assert_eq!(outstanding(&loaded), outstanding(&state));
        ledger.reopen(at);
    }
}

#[test]
fn no_two_effects_are_the_same_piece_of_work() {
    let mut effects = story().engine.outstanding();
    assert!(effects.len() >= 4, "{effects:?}");
    let count = effects.len();
    effects.sort();
    effects.dedup();
    assert_eq!(effects.len(), count);
}
