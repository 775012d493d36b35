//! A conversation of one message. Its texts are nowhere: whoever reads it finds them gone.
use autopilot_events::{
    Draft, Event,
    pb::{self, FailureClass, Source},
};

use super::{body, hex, id};
use crate::stories::Reply;

pub(super) fn conversation(n: u64, reply: Reply) -> Vec<Draft> {
    let (thread_id, message_id) = (id("thread", n), id("message", n));
    let stream = format!("chat/{}", hex(&thread_id));
    let draft = |event: Event, source: Source, key: String| Draft {
        event,
        stream: stream.clone(),
        source,
        idempotency_key: key,
        correlation: thread_id.clone(),
    };
    let asked = pb::ChatAsked {
        thread_id: thread_id.clone(),
        message_id: message_id.clone(),
        text: body("asked", n, &stream),
        previous: 0,
        number: 1,
    };
    let key = format!("chat/{}", hex(&message_id));
    let mut facts = vec![draft(asked.into(), Source::Person, key.clone())];
    let outcome: Option<(Event, Source)> = match reply {
        Reply::Answered => {
            let receipt = pb::Receipt {
                model: "tiny".into(),
                output_tokens: 7,
                finish: "eos".into(),
                ..Default::default()
            };
            let answered = pb::ChatAnswered {
                thread_id: thread_id.clone(),
                message_id,
                receipt: Some(receipt),
                output: body("answered", n, &stream),
                left_out: 0,
            };
            Some((answered.into(), Source::Model))
        }
        Reply::Failed => {
            let failed = pb::ChatFailed {
                thread_id: thread_id.clone(),
                message_id,
                class: FailureClass::Execution as i32,
                code: "prompt-too-long".into(),
                detail: "the prompt has 9000 tokens, at most 2048 fit".into(),
            };
            Some((failed.into(), Source::Model))
        }
        Reply::Stopped => {
            let stopped = pb::ChatStopped {
                thread_id: thread_id.clone(),
                message_id,
            };
            Some((stopped.into(), Source::Person))
        }
        Reply::Waiting => None,
    };
    facts.extend(outcome.map(|(event, source)| draft(event, source, format!("{key}/outcome"))));
    facts
}
