//! Forgetting texts: once, for good, and not while anything open rests on them.
use autopilot_core::{
    Input,
    input::{Command, Request},
    policy,
};
use autopilot_events::{
    Event,
    pb::{self, ForgetReason, Purpose},
};

use crate::given::{buy, failed, hash, job, offline, online, published, purchase, received, request, signed};

fn forget(subject: &str, reason: ForgetReason) -> Input {
    let subject = subject.to_owned();
    Input::Person(Command::Forget { subject, reason })
}

fn of_job(n: u8) -> Input {
    forget(&format!("job/{}", job(n)), ForgetReason::Job)
}

#[test]
fn a_job_is_forgotten_once_nothing_rests_on_it_and_only_once() {
    let mut ledger = online();
    ledger.delivered(1);
    ledger.check(of_job(1), &["no: still-needed"]); // An unpaid claim.
    ledger.check(
        received(hash(1), 1_000),
        &["wallet.payment_received", "job.settled 1000"],
    );
    ledger.check(signed(1, Purpose::Success), &["event.signed success"]);
    ledger.check(of_job(1), &["no: still-needed"]); // Owed to the relays.
    ledger.check(published(1, Purpose::Success, 1), &["event.published success"]);
    let state = ledger.engine.state().digests();
    ledger.check(of_job(1), &["text.forgotten"]);
    assert_eq!(
        ledger.engine.state().digests(),
        state,
        "no fold is any different for it"
    );
    ledger.check(
        forget(&format!("job/{}", job(1)), ForgetReason::Retention),
        &["duplicate"],
    );
    let fact = ledger.all("text.forgotten")[0];
    assert_eq!(fact.fact.source, pb::Source::Person as i32);
    assert!(matches!(&fact.event, Event::TextForgotten(m) if m.reason == ForgetReason::Job as i32));
}

#[test]
fn an_invoice_that_ran_out_closes_the_claim() {
    let mut ledger = online();
    ledger.delivered(1);
    ledger.check(of_job(1), &["no: still-needed"]);
    ledger.later(4_200_000, &["invoice.expired", "liveness.recorded"]);
    ledger.check(of_job(1), &["text.forgotten"]);
}

#[test]
fn a_refusal_that_is_to_be_answered_and_a_failure_wait_for_their_answer() {
    let mut ledger = offline(crate::given::policy());
    let targeted = Request {
        targeted: true,
        open: false,
        ..request(1)
    };
    ledger.check(Input::Request(targeted), &["job.received", "job.refused offline"]);
    ledger.check(of_job(1), &["no: still-needed"]);
    ledger.check(signed(1, Purpose::Error), &["event.signed error"]);
    ledger.check(of_job(1), &["no: still-needed"]);
    ledger.check(published(1, Purpose::Error, 1), &["event.published error"]);
    ledger.check(of_job(1), &["text.forgotten"]);
    ledger.check(
        Input::Request(request(2)),
        &["job.received", "job.refused offline"],
    );
    ledger.check(of_job(2), &["text.forgotten"]); // Nobody is told.

    // Paid, and failed: a debt, whose job is not forgotten however old it is.
    let mut ledger = online();
    ledger.quoted(3);
    ledger.check(
        received(hash(3), 2_000),
        &["wallet.payment_received", "job.prepaid", "job.started 1"],
    );
    ledger.check(failed(3, 1, false), &["job.failed worker-died"]);
    ledger.check(signed(3, Purpose::Error), &["event.signed error"]);
    ledger.check(published(3, Purpose::Error, 1), &["event.published error"]);
    ledger.check(of_job(3), &["no: still-needed"]);
}

#[test]
fn purchases_and_what_is_none_of_it() {
    let mut ledger = offline(crate::given::policy());
    let of_purchase = || forget(&format!("purchase/{}", job(1)), ForgetReason::Age);
    ledger.check(
        buy(1, purchase(1)),
        &["purchase.requested", "event.signed request"],
    );
    ledger.check(published(1, Purpose::Request, 1), &["event.published request"]);
    ledger.check(of_purchase(), &["no: still-needed"]);
    ledger.check(
        Input::Person(Command::CancelPurchase(job(1))),
        &["purchase.closed cancelled"],
    );
    ledger.check(of_purchase(), &["no: still-needed"]); // Late answers are still told that they are too late.
    for other in ["", "job", "job/", "job/xyz", "wallet", "head/00", "job/../x"] {
        ledger.check(forget(other, ForgetReason::Job), &["no: not-found"]);
    }
}

#[test]
fn a_retention_is_bounded() {
    let with = |keep_texts_days| pb::Policy {
        keep_texts_days,
        ..crate::given::policy()
    };
    assert!(policy::check(&with(0)).is_ok() && policy::check(&with(policy::MAX_KEEP_DAYS)).is_ok());
    assert!(policy::check(&with(policy::MAX_KEEP_DAYS + 1)).is_err());
}
