//! Signed heads: when one is due, and what a head that somebody else holds does to earning.
use autopilot_core::{
    Input,
    heads::{self, EVERY_FACTS, HeldHead},
    input::Command,
};
use autopilot_events::{Head, pb, words::TreeHash};

use crate::{
    given::{offline, online, policy},
    ledger::Ledger,
};

const OURS: TreeHash = TreeHash([1; 32]);
const OTHER: TreeHash = TreeHash([2; 32]);

/// A head over `size` facts, of a ledger that had 50 facts when this run opened it.
fn held(size: u64, root: TreeHash, own_root: Option<TreeHash>) -> Input {
    Input::HeadHeld(HeldHead {
        size,
        root,
        held_by: "wss://relay.example".to_owned(),
        note: "a note".to_owned(),
        own_root,
        opened_at: 50,
    })
}

fn signed(size: u64) -> Input {
    Input::HeadSigned(pb::HeadSigned {
        size,
        root: OURS.to_vec(),
        chain: vec![3; 32],
        note: "a note".to_owned(),
        verifier_key: "a key".to_owned(),
    })
}

fn overrule() -> Input {
    Input::Person(Command::OverruleHead {
        reason: "the disk died".to_owned(),
    })
}

fn go_online() -> Input {
    Input::Person(Command::GoOnline { run_id: vec![5; 16] })
}

fn why(ledger: &Ledger) -> String {
    heads::blocker(ledger.engine.state()).unwrap_or_default()
}

#[test]
fn a_head_is_due_after_so_many_facts_and_an_older_one_says_nothing_new() {
    let mut ledger = offline(policy());
    let at = |sequence| Head {
        sequence,
        ..Head::empty()
    };
    let due = |ledger: &Ledger, sequence| heads::due(ledger.engine.state(), &at(sequence));
    assert!(!due(&ledger, EVERY_FACTS - 1));
    assert!(due(&ledger, EVERY_FACTS));
    ledger.check(signed(700), &["head.signed"]);
    ledger.check(signed(700), &[]);
    ledger.check(signed(699), &[]);
    assert!(!due(&ledger, EVERY_FACTS));
    assert!(due(&ledger, 700 + EVERY_FACTS));
}

#[test]
fn a_head_that_agrees_is_recorded_once() {
    let mut ledger = online();
    ledger.check(held(40, OURS, Some(OURS)), &["head.compared Agrees 0"]);
    ledger.check(held(40, OURS, Some(OURS)), &[]);
    assert_eq!(why(&ledger), "");
    assert!(ledger.engine.is_online());
}

#[test]
fn a_longer_head_elsewhere_stops_earning_until_a_person_decides() {
    let mut ledger = online();
    let stopped = "provider.went_offline another head of this ledger is held elsewhere";
    ledger.check(held(60, OTHER, None), &["head.compared RolledBack 51", stopped]);
    ledger.check(held(60, OTHER, None), &[]);
    let words = why(&ledger);
    assert!(
        words.contains("wss://relay.example") && words.contains("fact 51 "),
        "{words}"
    );
    ledger.restart(&[]);
    ledger.check(go_online(), &["no: not-ready"]);
    ledger.check(overrule(), &["head.overruled"]);
    ledger.check(overrule(), &["no: already-so"]);
    ledger.check(held(60, OTHER, None), &[]);
    ledger.check(go_online(), &["provider.went_online"]);
}

#[test]
fn facts_of_this_run_do_not_hide_that_others_are_missing() {
    let mut ledger = offline(policy());
    // Meanwhile this ledger grew beyond 60 again, by other facts.
    ledger.check(held(60, OTHER, Some(OURS)), &["head.compared RolledBack 51"]);
}

#[test]
fn another_history_of_the_same_length_is_a_fork_and_says_from_where_on() {
    let mut ledger = offline(policy());
    ledger.check(held(20, OURS, Some(OURS)), &["head.compared Agrees 0"]);
    ledger.check(held(40, OTHER, Some(OURS)), &["head.compared Forked 21"]);
    let words = why(&ledger);
    assert!(words.contains("between 21 and 40"), "{words}");
}

#[test]
fn a_head_of_this_run_agrees_with_the_ledger_that_grew() {
    let mut ledger = offline(policy());
    ledger.check(held(55, OURS, Some(OURS)), &["head.compared Agrees 0"]);
}
