//! Signed heads: when one is due, and what a head that somebody else holds does to earning.
use autopilot_core::{
    Effect, Input,
    heads::{self, EVERY_FACTS, HeldHead, SeenHead},
    input::Command,
};
use autopilot_events::{
    Head, pb,
    words::{EventId, PublicKey, TreeHash},
};

use crate::{
    given::{body, offline, online, policy},
    ledger::{Ledger, NOON_MS},
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
        signed_at_ms: NOON_MS,
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

fn overrule(from: u64) -> Input {
    Input::Person(Command::OverruleHead {
        from,
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
    ledger.check(overrule(50), &["no: not-found"]);
    ledger.check(overrule(51), &["head.overruled"]);
    ledger.check(overrule(51), &["no: already-so"]);
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

#[test]
fn with_one_head_of_a_branch_that_was_given_up_all_older_ones_are() {
    let mut ledger = offline(policy());
    ledger.check(held(60, OTHER, None), &["head.compared RolledBack 51"]);
    ledger.check(held(70, OURS, None), &["head.compared RolledBack 51"]);
    assert!(why(&ledger).contains("over 70 facts"), "{}", why(&ledger));
    ledger.check(overrule(51), &["head.overruled", "head.overruled"]);
    ledger.check(held(65, OTHER, None), &[]);
    assert_eq!(why(&ledger), "");
    // One of before the decision says something new, and so does one that was signed after it.
    ledger.check(
        held(40, TreeHash([8; 32]), Some(OURS)),
        &["head.compared Forked 1"],
    );
    let Input::HeadHeld(mut later) = held(66, TreeHash([9; 32]), None) else {
        unreachable!()
    };
    later.signed_at_ms = ledger.now_ms + 60_000;
    ledger.check(Input::HeadHeld(later), &["head.compared RolledBack 51"]);
}

#[test]
fn an_agreement_holds_for_everything_within_it() {
    let mut ledger = offline(policy());
    ledger.check(held(40, OURS, Some(OURS)), &["head.compared Agrees 0"]);
    ledger.check(held(30, OTHER, Some(OTHER)), &[]);
    ledger.check(held(45, OTHER, Some(OTHER)), &["head.compared Agrees 0"]);
}

fn published(size: u64, relays: &[&str]) -> Input {
    Input::HeadPublished(pb::HeadPublished {
        size,
        event_id: vec![4; 32],
        relays: relays.iter().map(|relay| (*relay).to_owned()).collect(),
        relays_tried: 2,
    })
}

#[test]
fn a_signed_head_is_owed_to_relays_until_one_took_it_and_never_while_another_is_disputed() {
    let mut ledger = offline(policy());
    let owed = |ledger: &Ledger| {
        let effects = ledger.engine.outstanding();
        effects.contains(&Effect::PublishHead { size: 700 })
    };
    ledger.check(signed(700), &["head.signed"]);
    assert!(owed(&ledger));
    ledger.check(published(700, &[]), &[]);
    ledger.check(held(800, OTHER, None), &["head.compared RolledBack 51"]);
    assert!(!owed(&ledger));
    ledger.check(published(700, &["wss://a"]), &[]);
    ledger.check(overrule(51), &["head.overruled"]);
    assert!(owed(&ledger));
    ledger.check(published(700, &["wss://a"]), &["head.published"]);
    assert!(!owed(&ledger));
    ledger.check(published(700, &["wss://b"]), &[]);
}

/// A head of another's ledger over `size` facts, dated `at_s`.
fn seen(size: u64, root: TreeHash, at_s: i64) -> Input {
    Input::HeadSeen(SeenHead {
        provider: PublicKey([7; 32]),
        origin: "autopilot.ledger/07".to_owned(),
        size,
        root,
        created_at_s: at_s,
        event_id: EventId([8; 32]),
        event: body(500),
    })
}

#[test]
fn a_provider_s_ledger_is_told_to_have_grown_gone_back_or_changed() {
    let mut ledger = offline(policy());
    let verdict = |ledger: &Ledger| {
        let kept = ledger.engine.state().kept_heads.get(&PublicKey([7; 32])).unwrap();
        (
            kept.size,
            kept.trouble.as_ref().map(|trouble| trouble.size_before),
        )
    };
    ledger.check(seen(100, OURS, 1_000), &["head.kept Grew 0"]);
    ledger.check(seen(100, OURS, 1_001), &[]);
    ledger.check(seen(90, OTHER, 999), &[]);
    ledger.check(seen(120, OTHER, 1_002), &["head.kept Grew 100"]);
    assert_eq!(verdict(&ledger), (120, None));
    ledger.check(seen(120, OURS, 1_003), &["head.kept Changed 120"]);
    ledger.check(seen(110, OURS, 1_004), &["head.kept WentBack 120"]);
    assert_eq!(verdict(&ledger), (110, Some(120)));
    // It stays held against it, however its ledger grows from then on.
    ledger.check(seen(200, OURS, 1_005), &["head.kept Grew 110"]);
    assert_eq!(verdict(&ledger), (200, Some(120)));
}
