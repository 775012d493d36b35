//! Conversations with the model of this machine. A message is the intent to answer it; its outcome is an answer, a failure
//! or a person's stop. Paid work goes first: while a job waits or runs, no message is given to the model.
use autopilot_events::{
    Draft,
    pb::{self, Source},
    texts::MAX_CHAT_BYTES,
    words::{MessageId, ThreadId},
};
use autopilot_projections::{State, chat::Waiting};

use crate::{
    draft::{fact, keyed},
    input::{Outcome, Replied},
    keys::{chat_key, chat_outcome_key},
    refusal::{Code, Refusal},
};

/// Messages that wait at most, all conversations together.
pub const MAX_WAITING: usize = 32;
/// Conversations that are kept at most; a forgotten one makes room.
pub const MAX_THREADS: usize = 1_000;

/// A person's message becomes an intent. `begins`: it begins its conversation.
///
/// # Errors
/// [`Code::TextTooLong`], [`Code::TooManyWaiting`], [`Code::TooManyThreads`]; [`Code::NotFound`] for a conversation that is
/// not known or is forgotten.
pub fn ask(state: &State, mut asked: pb::ChatAsked, begins: bool) -> Result<Vec<Draft>, Refusal> {
    let thread_id = ThreadId::of(&asked.thread_id);
    let known = state.chat.thread(&thread_id);
    let bytes = asked.text.as_ref().map_or(0, |text| text.size);
    let refuse = |code, sentence: String| Err(Refusal::new(code, sentence));
    if bytes > MAX_CHAT_BYTES {
        let sentence =
            format!("the message has {bytes} bytes, at most {MAX_CHAT_BYTES} are taken: shorten it");
        return refuse(Code::TextTooLong, sentence);
    }
    if known.is_none() && !begins {
        let sentence = "there is no such conversation, or it is forgotten; see `autopilotctl chat threads`";
        return refuse(Code::NotFound, sentence.to_owned());
    }
    if known.is_none() && state.chat.thread_count() >= MAX_THREADS {
        let sentence = format!(
            "{MAX_THREADS} conversations are kept: forget one (`autopilotctl forget --chat`) to begin another"
        );
        return refuse(Code::TooManyThreads, sentence);
    }
    if state.chat.waiting().len() >= MAX_WAITING {
        let sentence = format!("{MAX_WAITING} messages wait for the model already: stop one, or wait");
        return refuse(Code::TooManyWaiting, sentence);
    }
    asked.previous = known.map_or(0, |thread| thread.last_asked);
    asked.number = known.map_or(0, |thread| thread.messages) + 1;
    let key = chat_key(&asked.message_id);
    Ok(vec![keyed(of_thread(&thread_id, Source::Person, asked), key)])
}

/// What the model made of a message. One that was stopped or answered meanwhile has its outcome already.
pub fn replied(state: &State, replied: Replied) -> Vec<Draft> {
    let Some((_, waiting)) = state.chat.waits(&replied.message) else {
        return Vec::new();
    };
    let (thread_id, message_id) = (waiting.thread.to_vec(), waiting.message.to_vec());
    let key = chat_outcome_key(&message_id);
    let draft = match replied.outcome {
        Outcome::Done { receipt, output } => {
            let answered = pb::ChatAnswered {
                thread_id,
                message_id,
                receipt: Some(*receipt),
                output: Some(output),
                left_out: replied.left_out,
            };
            of_thread(&waiting.thread, Source::Model, answered)
        }
        // It goes on waiting.
        Outcome::Failed { again: true, .. } => return Vec::new(),
        Outcome::Failed {
            class, code, detail, ..
        } => {
            let failed = pb::ChatFailed {
                thread_id,
                message_id,
                class: class as i32,
                code,
                detail,
            };
            of_thread(&waiting.thread, Source::Model, failed)
        }
    };
    vec![keyed(draft, key)]
}

/// A person wants no answer any more.
///
/// # Errors
/// [`Code::NotFound`] where no such message waits.
pub fn stop(state: &State, message: MessageId) -> Result<Vec<Draft>, Refusal> {
    let Some((_, waiting)) = state.chat.waits(&message) else {
        let sentence = "no such message waits for an answer: there is nothing to stop";
        return Err(Refusal::new(Code::NotFound, sentence));
    };
    let stopped = pb::ChatStopped {
        thread_id: waiting.thread.to_vec(),
        message_id: message.to_vec(),
    };
    let draft = of_thread(&waiting.thread, Source::Person, stopped);
    Ok(vec![keyed(draft, chat_outcome_key(&message.0))])
}

/// The message that the model may have now: the oldest that waits, unless paid work waits or runs.
pub fn due(state: &State) -> Option<&Waiting> {
    let (_, oldest) = state.chat.waiting().next()?;
    (state.jobs.in_flight() == 0).then_some(oldest)
}

fn of_thread(thread: &ThreadId, source: Source, event: impl Into<autopilot_events::Event>) -> Draft {
    Draft {
        correlation: thread.to_vec(),
        ..fact(thread.subject(), source, event)
    }
}
