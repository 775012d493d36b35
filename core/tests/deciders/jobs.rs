//! A job's work: attempts, deadlines, restarts, delivery, and who may end it.
use autopilot_core::{
    Effect, Input,
    input::{Command, Outcome, Worked},
};
use autopilot_events::{
    pb::{self, Purpose},
    words::Msat,
};

use crate::{
    given::{
        body, cancelled, done, event, failed, hash, invoiced, job, offline, online, policy, published,
        received, request, signed,
    },
    ledger::Ledger,
};

const TAKEN: &[&str] = &["job.received", "job.accepted work-first", "job.started 1"];
const DELIVERED: &[&str] = &["job.delivered", "event.published result"];

fn taken() -> Ledger {
    let mut ledger = online();
    ledger.check(Input::Request(request(1)), TAKEN);
    ledger
}

fn sign(purpose: Purpose) -> Effect {
    Effect::Sign {
        job: job(1),
        purpose: purpose as i32,
    }
}

#[test]
fn from_request_to_success_each_step_owes_the_next() {
    let mut ledger = taken();
    ledger.owes(&[
        sign(Purpose::Processing),
        Effect::Run {
            job: job(1),
            attempt: 1,
        },
    ]);
    ledger.check(signed(1, Purpose::Processing), &["event.signed processing"]);
    ledger.check(
        published(1, Purpose::Processing, 3),
        &["event.published processing"],
    );
    ledger.check(done(1, 1), &["job.executed"]);
    ledger.owes(&[Effect::Invoice {
        job: job(1),
        amount: Msat(1_000),
        expiry_s: 3_600,
    }]);
    ledger.check(invoiced(1), &["invoice.issued"]);
    ledger.owes(&[sign(Purpose::Result)]);
    ledger.check(signed(1, Purpose::Result), &["event.signed result"]);
    ledger.owes(&[Effect::Publish {
        event: event(1, Purpose::Result),
    }]);
    ledger.check(published(1, Purpose::Result, 1), DELIVERED);
    ledger.owes(&[]);
    ledger.check(
        received(hash(1), 1_000),
        &["wallet.payment_received", "job.settled 1000"],
    );
    ledger.owes(&[sign(Purpose::Success)]);
    ledger.check(signed(1, Purpose::Success), &["event.signed success"]);
    ledger.check(published(1, Purpose::Success, 2), &["event.published success"]);
    ledger.owes(&[]);
    assert_eq!(ledger.engine.state().jobs.open().count(), 0);
    assert_eq!(ledger.engine.state().earnings.earned_msat, 1_000);
}

#[test]
fn a_result_is_delivered_with_the_first_relay_and_once() {
    let mut ledger = online();
    ledger.executed(1);
    ledger.check(signed(1, Purpose::Result), &["event.signed result"]);
    ledger.check(published(1, Purpose::Result, 0), &[]);
    ledger.check(published(1, Purpose::Result, 1), DELIVERED);
    ledger.check(published(1, Purpose::Result, 3), &[]);
    assert_eq!(ledger.engine.state().earnings.jobs_delivered, 1);
}

#[test]
fn a_recorded_result_is_never_worked_out_again() {
    let mut ledger = taken();
    ledger.check(done(1, 1), &["job.executed"]);
    ledger.check(done(1, 1), &[]);
    ledger.check(failed(1, 1, true), &[]);
    ledger.restart(&["provider.went_offline restart"]);
    ledger.check(done(1, 2), &[]);
    ledger.owes(&[Effect::Invoice {
        job: job(1),
        amount: Msat(1_000),
        expiry_s: 3_600,
    }]);
}

#[test]
fn a_job_has_one_invoice() {
    let mut ledger = online();
    ledger.executed(1);
    ledger.check(invoiced(1), &["duplicate"]);
    let Input::Invoiced(first) = invoiced(1) else {
        unreachable!()
    };
    let other = pb::InvoiceIssued {
        payment_hash: hash(77).to_vec(),
        ..first.clone()
    };
    ledger.check(Input::Invoiced(other), &[]);
    // Another job under the same hash could not be told apart by it: a conflict, never "ok".
    ledger.check(Input::Request(request(2)), TAKEN);
    ledger.check(done(2, 1), &["job.executed"]);
    let stolen = pb::InvoiceIssued {
        job_id: job(2).to_vec(),
        ..first
    };
    ledger.check(Input::Invoiced(stolen), &["conflict"]);
    ledger.check(
        Input::Invoiced(pb::InvoiceIssued {
            job_id: vec![9; 32],
            payment_hash: vec![9; 32],
            ..Default::default()
        }),
        &[],
    );
}

#[test]
fn attempts_end_after_three() {
    let mut ledger = taken();
    ledger.check(failed(1, 1, true), &["job.started 2"]);
    ledger.check(failed(1, 1, true), &[]);
    ledger.check(failed(1, 2, true), &["job.started 3"]);
    ledger.check(failed(1, 3, true), &["job.failed attempts-exhausted"]);
    ledger.owes(&[sign(Purpose::Error)]);
    ledger.check(done(1, 3), &[]);
}

#[test]
fn a_failure_that_would_come_again_ends_the_job_at_once() {
    let mut ledger = taken();
    ledger.check(failed(1, 1, false), &["job.failed worker-died"]);
    ledger.check(signed(1, Purpose::Error), &["event.signed error"]);
    ledger.check(published(1, Purpose::Error, 1), &["event.published error"]);
    assert_eq!(ledger.engine.state().jobs.open().count(), 0);
}

#[test]
fn there_is_no_other_attempt_after_the_deadline() {
    let mut ledger = taken();
    ledger.now_ms += 59_999;
    ledger.check(failed(1, 1, true), &["job.started 2"]);
    ledger.now_ms += 1;
    ledger.check(failed(1, 2, true), &["job.failed deadline-exceeded"]);
}

#[test]
fn a_restart_begins_the_next_attempt_or_fails() {
    let mut ledger = taken();
    ledger.restart(&["provider.went_offline restart", "job.started 2"]);
    // An answer to the attempt that died with the program changes nothing.
    ledger.check(done(1, 1), &[]);
    ledger.restart(&["job.started 3"]);
    ledger.restart(&["job.failed attempts-exhausted"]);
    ledger.restart(&[]);
    let mut late = taken();
    late.now_ms += 60_000;
    late.restart(&["provider.went_offline restart", "job.failed deadline-exceeded"]);
}

#[test]
fn what_is_owed_is_finished_offline() {
    let mut ledger = taken();
    ledger.check(
        Input::Person(Command::GoOffline {
            reason: "asked".to_owned(),
        }),
        &["provider.went_offline asked"],
    );
    ledger.check(done(1, 1), &["job.executed"]);
    ledger.check(invoiced(1), &["invoice.issued"]);
    ledger.check(signed(1, Purpose::Result), &["event.signed result"]);
    ledger.check(published(1, Purpose::Result, 1), DELIVERED);
}

#[test]
fn only_its_author_takes_a_request_back_and_only_in_time() {
    let mut ledger = taken();
    ledger.check(cancelled(1, 2), &[]);
    ledger.check(cancelled(2, 1), &[]);
    ledger.check(cancelled(1, 1), &["job.failed cancelled"]);
    // Its author knows: nothing is said.
    ledger.owes(&[]);
    ledger.check(cancelled(1, 1), &[]);
    ledger.check(done(1, 1), &[]);
    let mut executed = taken();
    executed.check(done(1, 1), &["job.executed"]);
    executed.check(cancelled(1, 1), &[]);
    let mut paid = online();
    paid.quoted(1);
    paid.check(
        received(hash(1), 1_000),
        &["wallet.payment_received", "job.prepaid", "job.started 1"],
    );
    paid.check(cancelled(1, 1), &[]);
}

#[test]
fn a_person_gives_up_what_is_not_done() {
    let abort = || Input::Person(Command::Abort(job(1)));
    offline(policy()).check(abort(), &["no: not-found"]);
    let mut ledger = taken();
    ledger.check(abort(), &["job.failed aborted"]);
    ledger.check(abort(), &["no: too-late"]);
    ledger.check(done(1, 1), &[]);
    let mut executed = taken();
    executed.check(done(1, 1), &["job.executed"]);
    executed.check(abort(), &["no: too-late"]);
}

#[test]
fn a_result_that_no_relay_took_is_a_failed_job() {
    let mut ledger = online();
    ledger.executed(1);
    ledger.check(signed(1, Purpose::Result), &["event.signed result"]);
    ledger.later(599_999, &[]);
    ledger.later(1, &["job.failed not-delivered", "event.abandoned result"]);
    ledger.owes(&[sign(Purpose::Error)]);
    ledger.check(published(1, Purpose::Result, 1), &[]);
    ledger.check(signed(1, Purpose::Error), &["event.signed error"]);
    ledger.check(published(1, Purpose::Error, 1), &["event.published error"]);
    // The invoice is with nobody, and runs out.
    ledger.later(4_200_000, &["invoice.expired", "liveness.recorded"]);
    assert_eq!(ledger.engine.state().jobs.open().count(), 0);
}

#[test]
fn nothing_is_said_before_it_is_true() {
    let mut ledger = taken();
    let early = [
        Purpose::PaymentRequired,
        Purpose::Result,
        Purpose::Success,
        Purpose::Error,
        Purpose::Request,
    ];
    early
        .into_iter()
        .for_each(|purpose| ledger.check(signed(1, purpose), &[]));
    ledger.check(signed(1, Purpose::Processing), &["event.signed processing"]);
    ledger.check(signed(1, Purpose::Processing), &[]);
    ledger.check(done(1, 1), &["job.executed"]);
    ledger.check(invoiced(1), &["invoice.issued"]);
    ledger.check(signed(1, Purpose::Result), &["event.signed result"]);
    ledger.check(published(1, Purpose::Result, 1), DELIVERED);
    // A relay, a buyer or a bug may want it: success waits for the wallet.
    ledger.check(signed(1, Purpose::Success), &[]);
    ledger.check(
        received(hash(1), 1_000),
        &["wallet.payment_received", "job.settled 1000"],
    );
    ledger.check(signed(1, Purpose::Success), &["event.signed success"]);
    // About a job that nobody knows, nothing is said.
    ledger.check(signed(9, Purpose::Processing), &[]);
}

#[test]
fn an_answer_to_an_unknown_job_or_attempt_changes_nothing() {
    let mut ledger = taken();
    let outcome = Outcome::Done {
        receipt: Box::default(),
        output: body(1),
    };
    ledger.check(
        Input::Worked(Worked {
            job: job(1),
            attempt: 2,
            outcome,
        }),
        &[],
    );
    ledger.check(done(5, 1), &[]);
}
