//! Opening a ledger, policies, going online and offline, and a ledger that a newer program wrote.
use autopilot_core::{
    Input,
    input::{Command, Readiness},
    policy::MAX_INPUT_BYTES,
    presence,
};
use autopilot_events::{Draft, Event, envelope, pb, pb::Source, words::Msat};

use crate::{
    given::{OWN_KEY, offline, online, policy, ready, request},
    ledger::{Ledger, NOON_MS},
};

fn open(network: &str, identity: [u8; 32]) -> Input {
    Input::Person(Command::OpenLedger(pb::LedgerOpened {
        ledger_id: vec![9; 16],
        network: network.to_owned(),
        identity: identity.to_vec(),
        program: "tests".to_owned(),
    }))
}

fn go_online() -> Input {
    Input::Person(Command::GoOnline { run_id: vec![5; 16] })
}

fn go_offline() -> Input {
    Input::Person(Command::GoOffline {
        reason: "asked".to_owned(),
    })
}

#[test]
fn a_ledger_belongs_to_one_identity_and_one_network() {
    let mut ledger = Ledger::empty();
    ledger.check(open("regtest", OWN_KEY), &["ledger.opened"]);
    ledger.check(open("regtest", OWN_KEY), &[]);
    ledger.check(open("bitcoin", OWN_KEY), &["no: not-found"]);
    ledger.check(open("regtest", [1; 32]), &["no: not-found"]);
}

#[test]
fn a_policy_that_cannot_earn_or_has_no_bound_is_refused() {
    let set = |change: fn(&mut pb::Policy)| {
        let mut policy = policy();
        change(&mut policy);
        Input::Person(Command::SetPolicy(policy))
    };
    let wrong: &[fn(&mut pb::Policy)] = &[
        |p| p.min_price_msat = 0,
        |p| p.kinds.clear(),
        |p| p.kinds.push(4_999),
        |p| p.kinds.push(6_000),
        |p| p.max_input_bytes = 0,
        |p| p.max_input_bytes = MAX_INPUT_BYTES + 1,
        |p| p.max_in_flight = 0,
        |p| p.max_in_flight = 65,
        |p| p.invoice_expiry_s = 59,
        |p| p.invoice_expiry_s = 86_401,
        |p| p.max_output_tokens = 0,
        |p| p.max_output_tokens = 8_193,
    ];
    let mut ledger = offline(policy());
    for change in wrong {
        ledger.check(set(*change), &["no: policy-invalid"]);
    }
    let edges: &[fn(&mut pb::Policy)] = &[
        |p| p.min_price_msat = 1,
        |p| p.kinds = vec![5_000, 5_999],
        |p| p.max_in_flight = 64,
        |p| p.invoice_expiry_s = 60,
        |p| p.max_output_tokens = 8_192,
    ];
    for change in edges {
        ledger.check(set(*change), &["policy.changed"]);
        ledger.check(set(*change), &[]);
    }
}

#[test]
fn what_stands_between_now_and_earning_is_said() {
    let mut bare = Ledger::empty();
    bare.check(go_online(), &["no: not-ready"]);
    assert_eq!(
        presence::blockers(bare.engine.state(), bare.engine.readiness()).len(),
        4
    );
    let missing: &[fn(&mut Readiness)] = &[
        |r| r.model = None,
        |r| r.relays_connected = 0,
        |r| r.receivable = Msat(999),
        |r| r.ledger_problem = Some("the ledger does not hold: fact 7".to_owned()),
    ];
    for take in missing {
        let mut readiness = ready();
        take(&mut readiness);
        let mut ledger = offline(policy());
        ledger.check(Input::Readiness(readiness), &[]);
        assert_eq!(
            presence::blockers(ledger.engine.state(), ledger.engine.readiness()).len(),
            1
        );
        ledger.check(go_online(), &["no: not-ready"]);
        assert!(!ledger.engine.is_online());
        ledger.check(Input::Readiness(ready()), &[]);
        ledger.check(go_online(), &["provider.went_online"]);
    }
}

#[test]
fn presence_is_of_a_run_and_never_restored() {
    let mut ledger = online();
    assert!(ledger.engine.is_online());
    ledger.check(go_online(), &[]);
    ledger.restart(&["provider.went_offline restart"]);
    assert!(!ledger.engine.is_online());
    ledger.restart(&[]);
    ledger.check(
        Input::Request(request(1)),
        &["job.received", "job.refused offline"],
    );
    ledger.check(go_offline(), &[]);
    ledger.check(go_online(), &["provider.went_online"]);
    ledger.check(go_offline(), &["provider.went_offline asked"]);
    ledger.check(go_offline(), &[]);
}

#[test]
fn uptime_survives_a_kill_up_to_the_last_proof() {
    let mut ledger = online();
    ledger.later(15 * 60_000 - 1, &[]);
    ledger.later(1, &["liveness.recorded"]);
    ledger.later(14 * 60_000, &[]);
    ledger.restart(&["provider.went_offline restart"]);
    assert_eq!(ledger.engine.state().provider.uptime_ms, 15 * 60_000);
    // Offline no time is counted.
    ledger.later(3_600_000, &[]);
    ledger.check(go_online(), &["provider.went_online"]);
    ledger.now_ms += 60_000;
    ledger.check(go_offline(), &["provider.went_offline asked"]);
    assert_eq!(ledger.engine.state().provider.uptime_ms, 16 * 60_000);
}

#[test]
fn a_clock_that_goes_back_is_held() {
    let mut ledger = online();
    ledger.now_ms -= 7_200_000;
    ledger.check(Input::Tick, &[]);
    ledger.check(
        Input::Request(request(1)),
        &["job.received", "job.accepted work-first", "job.started 1"],
    );
    let fact = &ledger.all("job.accepted")[0].fact;
    assert_eq!((fact.recorded_at_ms, fact.utc_ms), (NOON_MS, NOON_MS - 7_200_000));
    // A jump ahead ends what has run out, and no more.
    ledger.later(14_400_000, &["liveness.recorded"]);
    ledger.later(-14_400_000, &[]);
}

#[test]
fn the_first_fact_of_a_decision_caused_the_others() {
    let mut ledger = online();
    ledger.check(
        Input::Request(request(1)),
        &["job.received", "job.accepted work-first", "job.started 1"],
    );
    let first = ledger.all("job.received")[0].fact.sequence;
    assert_eq!(ledger.all("job.received")[0].fact.causation, 0);
    assert_eq!(ledger.all("job.accepted")[0].fact.causation, first);
    assert_eq!(ledger.all("job.started")[0].fact.causation, first);
}

/// A fact of a type that this program does not know, after all others.
fn from_the_future(ledger: &Ledger, critical: bool) -> autopilot_events::Recorded {
    let event = Event::Unknown {
        kind: "job.teleported".to_owned(),
        version: 7,
    };
    let draft = Draft {
        event,
        stream: "provider".to_owned(),
        source: Source::Policy,
        idempotency_key: String::new(),
        correlation: Vec::new(),
    };
    let mut recorded = envelope::seal(ledger.engine.head(), 1, draft, 0, NOON_MS);
    recorded.fact.critical = critical;
    recorded
}

#[test]
fn an_unknown_critical_fact_makes_the_ledger_read_only() {
    let mut ledger = online();
    let state = ledger.engine.state().clone();
    let fact = from_the_future(&ledger, true);
    ledger.engine.replay(&fact);
    assert_eq!(*ledger.engine.state(), state);
    for input in [
        Input::Tick,
        Input::Resumed,
        Input::Request(request(1)),
        go_offline(),
    ] {
        ledger.check(input, &["no: read-only"]);
    }
    let mut other = online();
    let fact = from_the_future(&other, false);
    other.engine.replay(&fact);
    assert!(
        other
            .engine
            .decide(Input::Request(request(1)), NOON_MS)
            .is_ok_and(|drafts| drafts.len() == 3)
    );
}

#[test]
fn another_model_is_a_fact() {
    let choose = Input::Person(Command::ChooseModel(pb::ModelChosen {
        name: "qwen2.5-1.5b".to_owned(),
        sha256: vec![6; 32],
        source: "fetch".to_owned(),
    }));
    for mut ledger in [online(), offline(policy())] {
        ledger.check(choose.clone(), &["model.chosen"]);
    }
}

#[test]
fn other_relays_are_a_fact_and_the_last_one_stays() {
    let change = |relays: &[&str], added: &[&str], removed: &[&str]| {
        let owned = |relays: &[&str]| relays.iter().map(|relay| (*relay).to_owned()).collect();
        Input::Person(Command::ChangeRelays(pb::RelaysChanged {
            relays: owned(relays),
            added: owned(added),
            removed: owned(removed),
        }))
    };
    for mut ledger in [online(), offline(policy())] {
        ledger.check(
            change(&["wss://a", "wss://b"], &["wss://b"], &[]),
            &["relays.changed"],
        );
        ledger.check(change(&["wss://b"], &[], &["wss://a"]), &["relays.changed"]);
        ledger.check(change(&[], &[], &["wss://b"]), &["no: not-ready"]);
        ledger.check(change(&["wss://b"], &[], &[]), &[]);
    }
}
