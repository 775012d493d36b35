//! Conversations with the model of this machine: listed, read, written to, stopped.
mod standing;
mod transcript;

use autopilot_core::{Input, group::Done, input::Command};
use autopilot_events::{
    pb as facts,
    texts::MAX_CHAT_BYTES,
    words::{MessageId, ThreadId},
};
use autopilot_projections::chat::{Reply, Thread};
use autopilot_proto::control::v1::{self as pb};
use tonic::Status;

use super::{Service, errors, views::basis};
use crate::secrets;

/// Conversations or messages on a page at most, and where nothing else is asked for.
const MAX_PAGE: u32 = 100;
const USUAL_PAGE: u32 = 20;
/// Letters of a title at most.
const TITLE_CHARS: usize = 80;
/// The longest key of a face, in characters.
const KEY_CHARS_MAX: usize = 128;
/// Digits that name a conversation or a message at least.
const LEAST_DIGITS: usize = 8;

fn page(limit: u32) -> usize {
    match limit {
        0 => USUAL_PAGE as usize,
        limit => limit.min(MAX_PAGE) as usize,
    }
}

/// The one id that begins so, or is that.
fn named<T: std::fmt::Display + Copy>(
    ids: impl Iterator<Item = T>,
    name: &str,
    what: &str,
) -> Result<T, Status> {
    let name = name.to_lowercase();
    if name.len() < LEAST_DIGITS {
        let sentence = format!("a {what} is named by at least {LEAST_DIGITS} of its digits");
        return Err(errors::invalid(sentence));
    }
    let mut found = ids.filter(|id| id.to_string().starts_with(&name));
    match (found.next(), found.next()) {
        (Some(id), None) => Ok(id),
        (Some(_), Some(_)) => Err(errors::invalid(format!(
            "more than one {what} begins so: more digits"
        ))),
        (None, _) => Err(errors::not_found(format!(
            "there is no such {what}, or it is over or forgotten"
        ))),
    }
}

impl Service {
    /// The conversation of an id or of its beginning.
    pub(super) async fn thread_named(&self, name: &str) -> Result<ThreadId, Status> {
        let ids: Vec<ThreadId> = self
            .look(|engine| engine.state().chat.threads().map(|(id, _)| *id).collect())
            .await?;
        named(ids.into_iter(), name, "conversation")
    }

    /// Whether a message has no outcome yet.
    pub(super) async fn chat_waits(&self) -> bool {
        let waits = self.look(|engine| engine.state().chat.waiting().len() > 0).await;
        waits.unwrap_or(false)
    }

    pub(super) async fn answer_chat_threads(
        &self,
        request: pb::ChatThreadsRequest,
    ) -> Result<pb::ChatThreadsReply, Status> {
        let standing = self.chat_standing().await?;
        let before = match request.before_sequence {
            0 => u64::MAX,
            before => before,
        };
        let (basis, mut threads) = self
            .look(move |engine| {
                let threads = engine.state().chat.threads();
                let older: Vec<(ThreadId, Thread)> = threads
                    .filter(|(_, thread)| thread.last_fact < before)
                    .map(|(id, thread)| (*id, *thread))
                    .collect();
                (basis(engine, "ledger"), older)
            })
            .await?;
        threads.sort_unstable_by_key(|(_, thread)| std::cmp::Reverse(thread.last_fact));
        let limit = page(request.limit);
        let more = threads.len() > limit;
        threads.truncate(limit);
        let next = threads.last().map_or(0, |(_, thread)| thread.last_fact);
        let mut lines = Vec::with_capacity(threads.len());
        for (id, thread) in threads {
            lines.push(self.thread_line(id, thread, &standing).await?);
        }
        Ok(pb::ChatThreadsReply {
            basis: Some(basis),
            threads: lines,
            next_before_sequence: if more { next } else { 0 },
            waiting: standing.waiting(),
            running: standing.running().map_or_else(String::new, |id| id.to_string()),
            waits_because: standing.because(),
            model: standing.model.clone().unwrap_or_default(),
            text_bytes_max: MAX_CHAT_BYTES,
        })
    }

    async fn thread_line(
        &self,
        id: ThreadId,
        thread: Thread,
        standing: &standing::Standing,
    ) -> Result<pb::ChatThread, Status> {
        let state = match thread.last_reply {
            Reply::Waiting => standing.state_at(thread.last_asked).0,
            Reply::Answered => "done",
            Reply::Failed => "error",
            Reply::Stopped => "stopped",
        };
        Ok(pb::ChatThread {
            thread_id: id.to_string(),
            title: self.title(thread.first_asked).await?,
            begun_at_ms: thread.begun_at_ms,
            last_at_ms: thread.last_at_ms,
            messages: thread.messages,
            state: state.to_owned(),
            sequence: thread.last_fact,
        })
    }

    /// First words of the message that a fact asks.
    async fn title(&self, sequence: u64) -> Result<String, Status> {
        let ledger = &self.outside.ledger;
        let fact = ledger.reader().facts(sequence.saturating_sub(1), 1).await;
        let fact = fact.map_err(errors::read)?.pop();
        let Some(reference) = fact.and_then(|fact| autopilot_events::texts::body_ref(&fact.event).cloned())
        else {
            return Ok(String::new());
        };
        let text = ledger.text(&reference).await.map_err(errors::read)?;
        let text = String::from_utf8(text.unwrap_or_default()).unwrap_or_default();
        let line = text.lines().map(str::trim).find(|line| !line.is_empty());
        Ok(cut(line.unwrap_or_default()))
    }

    pub(super) async fn answer_chat_send(
        &self,
        request: pb::ChatSendRequest,
    ) -> Result<pb::ChatSendReply, Status> {
        if request.text.trim().is_empty() {
            return Err(errors::invalid("there is nothing to ask"));
        }
        if request.key.chars().count() > KEY_CHARS_MAX {
            let sentence = format!("a key has at most {KEY_CHARS_MAX} characters");
            return Err(errors::invalid(sentence));
        }
        let message = match request.key.as_str() {
            "" => {
                let random = secrets::random::<32>().map_err(|e| errors::invalid(e.to_string()))?;
                MessageId(random)
            }
            key => MessageId::derive(key),
        };
        let begins = request.thread_id.is_empty();
        let thread = match request.thread_id.as_str() {
            "" => ThreadId::begun_by(&message),
            name => self.thread_named(name).await?,
        };
        let asked = facts::ChatAsked {
            thread_id: thread.to_vec(),
            message_id: message.to_vec(),
            ..facts::ChatAsked::default()
        };
        let input = Input::Person(Command::Ask { asked, begins });
        let body = Some((thread.subject(), request.text.as_bytes()));
        let done = self.outside.ledger.submit(input, body).await;
        let sequence = match done.map_err(errors::submit)? {
            Done::Recorded { sequences, .. } => sequences.first().copied().unwrap_or_default(),
            Done::Duplicate { sequence } => sequence,
        };
        Ok(pb::ChatSendReply {
            basis: Some(self.look(|engine| basis(engine, "ledger")).await?),
            message_id: message.to_string(),
            thread_id: thread.to_string(),
            sequence,
        })
    }

    pub(super) async fn answer_chat_stop(
        &self,
        request: pb::ChatStopRequest,
    ) -> Result<pb::ChatStopReply, Status> {
        let waiting: Vec<MessageId> = self
            .look(|engine| {
                let waiting = engine.state().chat.waiting();
                waiting.map(|(_, waiting)| waiting.message).collect()
            })
            .await?;
        let message = named(waiting.into_iter(), &request.message_id, "message that waits")?;
        self.command(Command::StopAnswer(message)).await?;
        Ok(pb::ChatStopReply {
            basis: Some(self.look(|engine| basis(engine, "ledger")).await?),
        })
    }
}

/// A line of so many letters at most.
fn cut(line: &str) -> String {
    match line.char_indices().nth(TITLE_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_cut_between_letters() {
        assert_eq!(cut("short"), "short");
        let long = "ü".repeat(TITLE_CHARS + 1);
        assert_eq!(cut(&long).chars().count(), TITLE_CHARS + 1);
        assert!(cut(&long).ends_with("ü…"));
    }

    #[test]
    fn an_id_is_named_by_its_beginning() {
        let ids = || [[0x11; 32], [0x12; 32], [0x11; 32]].into_iter().map(MessageId);
        let found = |name: &str| named(ids().take(2), name, "message");
        assert_eq!(found("11111111").unwrap(), MessageId([0x11; 32]));
        assert_eq!(found("1111").unwrap_err().code(), tonic::Code::InvalidArgument);
        assert_eq!(found("99999999").unwrap_err().code(), tonic::Code::NotFound);
        let twice = named(ids(), "11111111", "message");
        assert_eq!(twice.unwrap_err().code(), tonic::Code::InvalidArgument);
    }
}
