//! Conversations with the model: who waits for an answer, in which order, behind which work, and what ends it.
use autopilot_core::{
    Effect, Input,
    chat::{MAX_THREADS, MAX_WAITING},
    input::{Command, Outcome, Replied},
};
use autopilot_events::{
    Event,
    pb::{self, ForgetReason},
    texts::MAX_CHAT_BYTES,
    words::MessageId,
};
use autopilot_projections::chat::Reply;

use crate::{
    given::{done, offline, online, policy, request},
    ledger::Ledger,
    said::{ask, message, replied, stop_answer, thread},
};

fn failed(n: u8, again: bool) -> Input {
    let outcome = Outcome::Failed {
        class: pb::FailureClass::Execution,
        code: "prompt-too-long".to_owned(),
        detail: "it has 9,000 tokens".to_owned(),
        again,
    };
    Input::Replied(Replied {
        message: message(n),
        outcome,
        left_out: 0,
    })
}

fn forget(n: u8) -> Input {
    let (subject, reason) = (thread(n).subject(), ForgetReason::Job);
    Input::Person(Command::Forget { subject, reason })
}

fn answers(n: u8) -> Effect {
    Effect::Answer { message: message(n) }
}

#[track_caller]
fn check_last(ledger: &Ledger, n: u8, reply: Reply, messages: u64) {
    let known = ledger.engine.state().chat.thread(&thread(n)).unwrap();
    assert_eq!((known.last_reply, known.messages), (reply, messages));
}

#[test]
fn a_message_waits_for_its_answer_and_has_one() {
    // Neither online nor with a wallet that can receive: nobody pays for it.
    let mut ledger = offline(policy());
    ledger.check(ask(1, None, 20), &["chat.asked"]);
    ledger.owes(&[answers(1)]);
    check_last(&ledger, 1, Reply::Waiting, 1);
    ledger.restart(&[]);
    ledger.owes(&[answers(1)]);
    ledger.check(replied(message(1), Some(3)), &["chat.answered"]);
    ledger.owes(&[]);
    check_last(&ledger, 1, Reply::Answered, 1);
    // A second answer, or a stop that comes too late, changes nothing.
    ledger.check(replied(message(1), Some(3)), &[]);
    ledger.check(failed(1, false), &[]);
    ledger.check(stop_answer(1), &["no: not-found"]);
    let Event::ChatAnswered(answered) = &ledger.all("chat.answered")[0].event else {
        unreachable!()
    };
    assert_eq!(answered.left_out, 3);
    assert_eq!(answered.thread_id, thread(1).0);
}

#[test]
fn messages_are_answered_in_their_order_and_each_knows_the_one_before_it() {
    let mut ledger = offline(policy());
    ledger.check(ask(1, None, 20), &["chat.asked"]);
    ledger.check(ask(2, None, 20), &["chat.asked"]);
    ledger.check(ask(3, Some(1), 20), &["chat.asked"]);
    ledger.owes(&[answers(1)]);
    ledger.check(failed(1, false), &["chat.failed prompt-too-long"]);
    ledger.owes(&[answers(2)]);
    // The outcome of an earlier message is not the conversation's last word.
    check_last(&ledger, 1, Reply::Waiting, 2);
    ledger.check(stop_answer(2), &["chat.stopped"]);
    check_last(&ledger, 2, Reply::Stopped, 1);
    ledger.owes(&[answers(3)]);
    ledger.check(failed(3, true), &[]);
    ledger.owes(&[answers(3)]);
    let asked = ledger.all("chat.asked");
    let previous = |n: usize| match &asked[n].event {
        Event::ChatAsked(asked) => asked.previous,
        _ => unreachable!(),
    };
    assert_eq!(
        [previous(0), previous(1), previous(2)],
        [0, 0, asked[0].fact.sequence]
    );
}

#[test]
fn paid_work_goes_first() {
    let mut ledger = online();
    ledger.check(ask(1, None, 20), &["chat.asked"]);
    ledger.owes(&[answers(1)]);
    ledger.check(
        Input::Request(request(1)),
        &["job.received", "job.accepted work-first", "job.started 1"],
    );
    assert!(!ledger.engine.outstanding().contains(&answers(1)));
    ledger.check(done(1, 1), &["job.executed"]);
    assert!(
        ledger.engine.outstanding().contains(&answers(1)),
        "the model is free while the invoice waits"
    );
}

#[test]
fn the_same_key_is_the_same_message_and_with_another_text_a_conflict() {
    let mut ledger = offline(policy());
    ledger.check(ask(1, None, 20), &["chat.asked"]);
    ledger.check(ask(1, None, 20), &["duplicate"]);
    ledger.check(ask(1, None, 30), &["conflict"]);
    ledger.check(ask(2, None, 20), &["chat.asked"]);
    ledger.check(ask(1, Some(2), 20), &["conflict"]);
    ledger.check(replied(message(1), Some(0)), &["chat.answered"]);
    ledger.check(ask(1, None, 20), &["duplicate"]);
}

#[test]
fn what_is_too_much_is_refused() {
    let mut ledger = offline(policy());
    ledger.check(ask(1, Some(9), 20), &["no: not-found"]);
    ledger.check(ask(1, None, MAX_CHAT_BYTES + 1), &["no: text-too-long"]);
    for n in 0..MAX_WAITING as u8 {
        ledger.check(ask(n, None, MAX_CHAT_BYTES), &["chat.asked"]);
    }
    ledger.check(ask(200, None, 20), &["no: too-many-waiting"]);
    ledger.check(stop_answer(7), &["chat.stopped"]);
    ledger.check(ask(200, None, 20), &["chat.asked"]);
    ledger.check(stop_answer(7), &["no: not-found"]);
}

#[test]
fn conversations_are_bounded_and_a_forgotten_one_makes_room() {
    let mut ledger = offline(policy());
    let begin = |n: usize| {
        let id = MessageId::derive(&format!("many {n}"));
        let asked = pb::ChatAsked {
            thread_id: autopilot_events::words::ThreadId::begun_by(&id).to_vec(),
            message_id: id.to_vec(),
            text: Some(pb::BodyRef::default()),
            ..pb::ChatAsked::default()
        };
        (id, Input::Person(Command::Ask { asked, begins: true }))
    };
    ledger.check(ask(1, None, 20), &["chat.asked"]);
    ledger.check(replied(message(1), Some(0)), &["chat.answered"]);
    for n in 1..MAX_THREADS {
        let (id, input) = begin(n);
        ledger.check(input, &["chat.asked"]);
        ledger.check(replied(id, Some(0)), &["chat.answered"]);
    }
    ledger.check(begin(MAX_THREADS).1, &["no: too-many-threads"]);
    ledger.check(ask(2, Some(1), 20), &["chat.asked"]);
    ledger.check(stop_answer(2), &["chat.stopped"]);
    ledger.check(forget(1), &["text.forgotten"]);
    ledger.check(begin(MAX_THREADS).1, &["chat.asked"]);
}

#[test]
fn a_conversation_is_forgotten_once_nothing_of_it_waits_and_is_not_gone_on_with() {
    let mut ledger = offline(policy());
    ledger.check(ask(1, None, 20), &["chat.asked"]);
    ledger.check(ask(2, None, 20), &["chat.asked"]);
    ledger.check(forget(1), &["no: still-needed"]);
    ledger.check(replied(message(1), Some(0)), &["chat.answered"]);
    ledger.check(forget(1), &["text.forgotten"]);
    assert_eq!(ledger.engine.state().chat.thread(&thread(1)), None);
    ledger.check(ask(3, Some(1), 20), &["no: not-found"]);
    ledger.owes(&[answers(2)]);
}
