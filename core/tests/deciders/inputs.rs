//! Inputs that lie elsewhere, and embeddings: what is admitted, what is waited for, and for how long.
use autopilot_core::{
    Effect, Input,
    admission::MAX_WAITING_FOR_INPUTS,
    embedding::EMBEDDING,
    input::{EmbeddingModel, Readiness, Request},
    tick::INPUT_WAIT_MS,
};
use autopilot_events::{pb, words::Msat};

use crate::{
    given::{done, job, online, online_with, policy, ready, request, resolved, unresolved},
    ledger::Ledger,
};

fn chained(n: u8) -> Input {
    Input::Request(Request {
        remote_inputs: 1,
        ..request(n)
    })
}

const WAITS: &[&str] = &["job.received", "job.accepted work-first"];

#[test]
fn nothing_is_worked_or_priced_before_its_inputs_are_on_record() {
    let mut ledger = online();
    ledger.check(chained(1), WAITS);
    ledger.owes(&[Effect::Resolve { job: job(1) }]);
    ledger.check(done(1, 1), &[]);
    ledger.check(resolved(1, 900), &["job.inputs_resolved", "job.started 1"]);
    ledger.check(resolved(1, 900), &[]);
    ledger.check(done(1, 1), &["job.executed"]);

    // A quote goes out only for what can be worked.
    let mut ledger = online();
    let quote = Request {
        bid: None,
        remote_inputs: 1,
        ..request(2)
    };
    ledger.check(Input::Request(quote), &["job.received", "job.accepted pay-first"]);
    ledger.owes(&[Effect::Resolve { job: job(2) }]);
    ledger.check(resolved(2, 900), &["job.inputs_resolved"]);
    ledger.owes(&[Effect::Invoice {
        job: job(2),
        amount: Msat(1_000),
        expiry_s: 3_600,
    }]);
}

#[test]
fn an_input_that_will_not_do_ends_the_job() {
    let check = |outcome: Input| {
        let mut ledger = online();
        ledger.check(chained(1), WAITS);
        ledger.check(outcome, &["job.failed input-unavailable"]);
    };
    check(unresolved(1));
    check(resolved(1, policy().max_input_bytes + 1));
}

#[test]
fn the_content_policy_holds_for_what_an_input_stands_for() {
    let mut ledger = online_with(pb::Policy {
        refused_words: vec!["text".to_owned()],
        ..policy()
    });
    ledger.check(chained(1), WAITS);
    ledger.check(
        resolved(1, 900),
        &["job.inputs_resolved", "job.refused content-policy"],
    );
    let state = ledger.engine.state();
    assert_eq!(state.jobs.in_flight(), 0);
    ledger.check(done(1, 1), &[]);
}

#[test]
fn the_clock_ends_the_wait() {
    let wait = |ttl_s: u32, until_ms: i64| {
        let mut ledger = online();
        let asked = Request {
            remote_inputs: 2,
            ttl_s,
            ..request(1)
        };
        ledger.check(Input::Request(asked), WAITS);
        ledger.later(until_ms - 1, &[]);
        ledger.later(1, &["job.failed input-unavailable"]);
    };
    wait(30, 30_000);
    wait(86_400, INPUT_WAIT_MS);
}

#[test]
fn who_waits_holds_no_place_and_few_may_wait() {
    let waiting = u8::try_from(MAX_WAITING_FOR_INPUTS).unwrap();
    // Whoever waits may end unpaid, and counts as such.
    let mut ledger = online_with(pb::Policy {
        unpaid_jobs_per_buyer: 100,
        unpaid_jobs_total: 100,
        ..policy()
    });
    for n in 1..=waiting {
        ledger.check(chained(n), WAITS);
    }
    ledger.check(chained(waiting + 1), &["job.received", "job.refused busy"]);
    let other = Input::Request(request(waiting + 2));
    ledger.check(
        other,
        &["job.received", "job.accepted work-first", "job.started 1"],
    );
    ledger.restart(&["provider.went_offline restart", "job.started 2"]);
    assert!(
        ledger
            .engine
            .outstanding()
            .contains(&Effect::Resolve { job: job(1) })
    );
}

fn embedding(text: Option<&str>, dimensions: u32) -> Ledger {
    let mut ledger = online_with(pb::Policy {
        kinds: vec![5050, EMBEDDING],
        ..policy()
    });
    let readiness = Readiness {
        model: text.map(str::to_owned),
        embedding: (dimensions > 0).then(|| EmbeddingModel {
            name: "mini".to_owned(),
            dimensions,
        }),
        ..ready()
    };
    ledger.check(Input::Readiness(readiness), &[]);
    ledger
}

#[test]
fn each_kind_is_served_by_its_own_model_and_vectors_have_to_fit() {
    let check = |mut ledger: Ledger, asked: Request, expected: &str| {
        let found = ledger.submit(Input::Request(asked));
        assert_eq!(found[1], expected, "{found:?}");
    };
    let asked = |inputs: u32| Request {
        kind: EMBEDDING,
        inputs,
        result_room_bytes: 60_000,
        ..request(1)
    };
    const TAKEN: &str = "job.accepted work-first";
    check(embedding(Some("llama"), 384), asked(3), TAKEN);
    check(embedding(None, 384), asked(3), TAKEN);
    check(embedding(None, 384), request(1), "job.refused model-not-served");
    check(
        embedding(Some("llama"), 0),
        asked(3),
        "job.refused model-not-served",
    );
    let named = |model: &str| Request {
        model: Some(model.to_owned()),
        ..asked(1)
    };
    check(embedding(Some("llama"), 384), named("MINI"), TAKEN);
    check(
        embedding(Some("llama"), 384),
        named("llama"),
        "job.refused model-not-served",
    );
    check(embedding(Some("llama"), 384), asked(29), TAKEN);
    check(
        embedding(Some("llama"), 384),
        asked(30),
        "job.refused input-too-large",
    );
    check(embedding(Some("llama"), 8), asked(32), TAKEN);
    check(
        embedding(Some("llama"), 8),
        asked(33),
        "job.refused input-too-large",
    );
}
