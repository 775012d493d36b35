//! Conversations with the model of this machine: what waits for an answer, and where each conversation stands. Their texts
//! are beside the facts, and what was said before is found by walking back from the last message.
use std::collections::BTreeMap;

use autopilot_events::{
    Event, Recorded, pb,
    words::{MessageId, ThreadId},
};
use serde::{Deserialize, Serialize};

use crate::Projection;

/// How far a message came, as facts tell it. Whether the model is at it now is no fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// No outcome yet.
    Waiting,
    /// The model answered.
    Answered,
    /// It gave no answer.
    Failed,
    /// A person wanted none any more.
    Stopped,
}

/// One conversation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thread {
    /// When its first message was written.
    pub begun_at_ms: i64,
    /// When something happened in it last.
    pub last_at_ms: i64,
    /// Messages of the person in it.
    pub messages: u64,
    /// Fact of the first of them.
    pub first_asked: u64,
    /// Fact of the last of them.
    pub last_asked: u64,
    /// The last fact of it.
    pub last_fact: u64,
    /// What became of the last message.
    pub last_reply: Reply,
}

/// A message without an outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    /// Which message.
    pub message: MessageId,
    /// Of which conversation.
    pub thread: ThreadId,
    /// Its text.
    pub text: pb::BodyRef,
    /// When it was written.
    pub asked_at_ms: i64,
}

/// The conversations view. Bounded: the decider lets so many conversations and waiting messages be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Chat {
    threads: BTreeMap<ThreadId, Thread>,
    /// By the number of the fact that asks, so the oldest is first.
    waiting: BTreeMap<u64, Waiting>,
}

impl Chat {
    /// Conversations that are not forgotten.
    pub fn threads(&self) -> impl Iterator<Item = (&ThreadId, &Thread)> {
        self.threads.iter()
    }

    /// One of them.
    pub fn thread(&self, id: &ThreadId) -> Option<&Thread> {
        self.threads.get(id)
    }

    /// How many there are.
    pub fn thread_count(&self) -> usize {
        self.threads.len()
    }

    /// Messages without an outcome, the oldest first, each with the fact that asks.
    pub fn waiting(&self) -> impl ExactSizeIterator<Item = (u64, &Waiting)> {
        self.waiting
            .iter()
            .map(|(sequence, waiting)| (*sequence, waiting))
    }

    /// One of them.
    pub fn waits(&self, message: &MessageId) -> Option<(u64, &Waiting)> {
        self.waiting().find(|(_, waiting)| waiting.message == *message)
    }

    fn ask(&mut self, m: &pb::ChatAsked, sequence: u64, at_ms: i64) {
        let (thread, message) = (ThreadId::of(&m.thread_id), MessageId::of(&m.message_id));
        let known = self.threads.entry(thread).or_insert(Thread {
            begun_at_ms: at_ms,
            last_at_ms: at_ms,
            messages: 0,
            first_asked: sequence,
            last_asked: sequence,
            last_fact: sequence,
            last_reply: Reply::Waiting,
        });
        known.messages += 1;
        known.last_asked = sequence;
        known.last_fact = sequence;
        known.last_at_ms = at_ms;
        known.last_reply = Reply::Waiting;
        let waiting = Waiting {
            message,
            thread,
            text: m.text.clone().unwrap_or_default(),
            asked_at_ms: at_ms,
        };
        self.waiting.insert(sequence, waiting);
    }

    fn end(&mut self, message_id: &[u8], reply: Reply, sequence: u64, at_ms: i64) {
        let Some((asked, thread)) = self
            .waits(&MessageId::of(message_id))
            .map(|(asked, waiting)| (asked, waiting.thread))
        else {
            return;
        };
        self.waiting.remove(&asked);
        let Some(thread) = self.threads.get_mut(&thread) else {
            return;
        };
        thread.last_fact = sequence;
        thread.last_at_ms = at_ms;
        if thread.last_asked == asked {
            thread.last_reply = reply;
        }
    }

    fn forget(&mut self, subject: &str) {
        let id = subject.strip_prefix("chat/").and_then(|id| id.parse().ok());
        if let Some(id) = id {
            self.threads.remove(&id);
            self.waiting.retain(|_, waiting| waiting.thread != id);
        }
    }
}

impl Projection for Chat {
    const NAME: &'static str = "chat";
    const VERSION: u32 = 1;

    fn apply(&mut self, fact: &Recorded) {
        let (sequence, at_ms) = (fact.fact.sequence, fact.fact.recorded_at_ms);
        match &fact.event {
            Event::ChatAsked(m) => self.ask(m, sequence, at_ms),
            Event::ChatAnswered(m) => self.end(&m.message_id, Reply::Answered, sequence, at_ms),
            Event::ChatFailed(m) => self.end(&m.message_id, Reply::Failed, sequence, at_ms),
            Event::ChatStopped(m) => self.end(&m.message_id, Reply::Stopped, sequence, at_ms),
            Event::TextForgotten(m) => self.forget(&m.subject),
            _ => {}
        }
    }
}
