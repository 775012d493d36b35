//! Messages to the model, and what it makes of them.
use autopilot_core::{
    Input,
    input::{Command, Outcome, Replied},
};
use autopilot_events::{
    pb,
    words::{MessageId, ThreadId},
};

use crate::given::body;

/// The message of this number.
pub fn message(n: u8) -> MessageId {
    MessageId::derive(&format!("key {n}"))
}

/// The conversation that it begins.
pub fn thread(n: u8) -> ThreadId {
    ThreadId::begun_by(&message(n))
}

/// A message of so many bytes, in the conversation that another one begins, or in one of its own.
pub fn ask(n: u8, in_of: Option<u8>, bytes: u64) -> Input {
    let text = pb::BodyRef {
        ciphertext_digest: vec![n; 32],
        size: bytes,
        commitment: vec![bytes as u8; 32],
        subject: thread(in_of.unwrap_or(n)).subject(),
    };
    Input::Person(Command::Ask {
        asked: pb::ChatAsked {
            thread_id: thread(in_of.unwrap_or(n)).to_vec(),
            message_id: message(n).to_vec(),
            text: Some(text),
            ..pb::ChatAsked::default()
        },
        begins: in_of.is_none(),
    })
}

pub fn stop_answer(n: u8) -> Input {
    Input::Person(Command::StopAnswer(message(n)))
}

/// An answer without so many of the earlier messages; `None`: none now, and maybe later.
pub fn replied(message: MessageId, left_out: Option<u32>) -> Input {
    let outcome = match left_out {
        Some(_) => Outcome::Done {
            receipt: Box::default(),
            output: body(50),
        },
        None => Outcome::Failed {
            class: pb::FailureClass::Execution,
            code: "worker-died".to_owned(),
            detail: "it died".to_owned(),
            again: true,
        },
    };
    Input::Replied(Replied {
        message,
        outcome,
        left_out: left_out.unwrap_or(0),
    })
}
