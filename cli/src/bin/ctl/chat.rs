//! Conversations with the model of this machine: written to, followed, read, stopped.
use std::{io::Write, time::Duration};

use autopilot_proto::control::v1::{
    ChatMessage, ChatSendRequest, ChatStopRequest, ChatThread, ChatThreadsReply, ChatThreadsRequest,
    ChatTranscriptReply, ChatTranscriptRequest, WatchRequest, WatchUpdate, watch_update::Answer,
};
use tokio::time::{Instant, timeout_at};
use tonic::Streaming;

use crate::{
    args::{Chat, ChatPage, ChatSend},
    buy::read,
    connect::{Client, call},
    failure::{Failure, Kind, Outcome},
    output::{Out, at, clean, clean_line, say, short, table},
};

/// Messages of one look at how far an answer is; more of them never wait.
const NEWEST: u32 = 100;

pub async fn chat(client: &mut Client, out: Out, action: Chat) -> Outcome {
    match action {
        Chat::Send(order) => send(client, out, order).await,
        Chat::Threads(page) => threads(client, out, page).await,
        Chat::Show { thread, page } => show(client, out, thread, page).await,
        Chat::Stop { message } => {
            let request = ChatStopRequest { message_id: message };
            let reply = call(client.chat_stop(request)).await?;
            out.show(&reply, |_| "No answer will come.".to_owned())
        }
    }
}

async fn threads(client: &mut Client, out: Out, page: ChatPage) -> Outcome {
    let request = ChatThreadsRequest {
        limit: page.limit,
        before_sequence: page.before,
    };
    let reply = call(client.chat_threads(request)).await?;
    out.show(&reply, |reply: &ChatThreadsReply| {
        if reply.threads.is_empty() {
            return "Nothing was said yet: autopilotctl chat send TEXT".to_owned();
        }
        let row = |thread: &ChatThread| {
            vec![
                short(&thread.thread_id),
                at(thread.last_at_ms),
                thread.messages.to_string(),
                thread.state.clone(),
                clean_line(&thread.title),
            ]
        };
        let rows: Vec<_> = reply.threads.iter().map(row).collect();
        let head = ["conversation", "last", "messages", "state", "begins with"];
        let text = older(table(&head, &rows), reply.next_before_sequence);
        match reply.waits_because.is_empty() {
            true => text,
            false => format!(
                "{text}\n{} wait: {}",
                reply.waiting,
                clean_line(&reply.waits_because)
            ),
        }
    })
}

async fn show(client: &mut Client, out: Out, thread: String, page: ChatPage) -> Outcome {
    let request = ChatTranscriptRequest {
        thread_id: thread,
        limit: page.limit,
        before_sequence: page.before,
    };
    let reply = call(client.chat_transcript(request)).await?;
    out.show(&reply, |reply: &ChatTranscriptReply| {
        let said: Vec<String> = reply.messages.iter().rev().map(words).collect();
        older(said.join("\n\n"), reply.next_before_sequence)
    })
}

fn older(text: String, next: u64) -> String {
    match next {
        0 => text,
        next => format!("{text}\nOlder ones: --before {next}"),
    }
}

/// A message and what became of it.
fn words(message: &ChatMessage) -> String {
    let lost = || "(its text is forgotten or damaged)".to_owned();
    let asked = match message.text.is_empty() {
        true => lost(),
        false => clean(&message.text),
    };
    let became = match message.state.as_str() {
        "done" if message.answer.is_empty() && message.text_lost => lost(),
        "done" => clean(&message.answer),
        state if message.words.is_empty() => format!("({state})"),
        state => format!("({state}: {})", clean_line(&message.words)),
    };
    let left_out = match message.left_out {
        0 => String::new(),
        some => format!(", without {some} earlier messages"),
    };
    let who = match message.model.is_empty() {
        true => "model".to_owned(),
        false => format!("{}{left_out}", clean_line(&message.model)),
    };
    format!(
        "{}  you  {}\n{asked}\n\n{who}\n{became}",
        at(message.asked_at_ms),
        short(&message.message_id),
    )
}

async fn send(client: &mut Client, out: Out, order: ChatSend) -> Outcome {
    let text = read(&order.text)?;
    // Before the message is sent, so that no piece of its answer is missed.
    let updates = match order.follow {
        true => Some(watch(client).await?),
        false => None,
    };
    let request = ChatSendRequest {
        text,
        thread_id: order.thread,
        key: order.key,
    };
    let sent = call(client.chat_send(request)).await?;
    let Some(mut updates) = updates else {
        out.show(&sent, |sent| sent.message_id.clone())?;
        out.hint(&format!("autopilotctl chat show {}", short(&sent.thread_id)));
        return Ok(());
    };
    let until = Instant::now() + Duration::from_secs(order.timeout);
    let following = Following {
        thread_id: sent.thread_id,
        message_id: sent.message_id,
        until,
    };
    let (message, shown) = following.follow(client, out, &mut updates).await?;
    finish(out, &message, &shown)
}

async fn watch(client: &mut Client) -> Outcome<Streaming<WatchUpdate>> {
    let request = WatchRequest {
        views: vec!["chat".to_owned(), "tokens".to_owned()],
        ..WatchRequest::default()
    };
    call(client.watch(request)).await
}

/// A message whose answer is waited for.
struct Following {
    thread_id: String,
    message_id: String,
    until: Instant,
}

impl Following {
    /// Shows pieces as they come; the message once it has an outcome, and what was shown of it.
    async fn follow(
        &self,
        client: &mut Client,
        out: Out,
        updates: &mut Streaming<WatchUpdate>,
    ) -> Outcome<(ChatMessage, String)> {
        let (mut shown, mut told) = (String::new(), String::new());
        loop {
            let update = match timeout_at(self.until, updates.message()).await {
                Ok(update) => update?,
                Err(_) => return Err(self.late(client).await),
            };
            let Some(update) = update else {
                let ended = "the host ended; the message stays, and is answered when it is back";
                return Err(Failure::new(Kind::Unreachable, "unreachable", ended));
            };
            match update.answer {
                Some(Answer::Token(token)) if token.job_id == self.message_id => {
                    self.piece(out, &token.text, &mut shown)?;
                }
                Some(Answer::Chat(_)) => {
                    let message = self.look(client).await?;
                    if !matches!(message.state.as_str(), "queued" | "running") {
                        return Ok((message, shown));
                    }
                    if !out.json && message.words != told {
                        told.clone_from(&message.words);
                        say(&format!("{}: {}", message.state, clean_line(&told)));
                    }
                }
                _ => {}
            }
        }
    }

    fn piece(&self, out: Out, text: &str, shown: &mut String) -> Outcome {
        if text.is_empty() {
            if !shown.is_empty() && !out.json {
                out.line("\n(it begins anew)")?;
            }
            shown.clear();
            return Ok(());
        }
        shown.push_str(text);
        if out.json {
            return Ok(());
        }
        let mut stdout = std::io::stdout().lock();
        let written = write!(stdout, "{}", clean(text)).and_then(|()| stdout.flush());
        written.map_err(|error| Failure::new(Kind::Other, "output", error.to_string()))
    }

    async fn look(&self, client: &mut Client) -> Outcome<ChatMessage> {
        let request = ChatTranscriptRequest {
            thread_id: self.thread_id.clone(),
            limit: NEWEST,
            before_sequence: 0,
        };
        let reply = call(client.chat_transcript(request)).await?;
        let found = reply
            .messages
            .into_iter()
            .find(|message| message.message_id == self.message_id);
        found.ok_or_else(|| Failure::new(Kind::NotFound, "not-found", "the message is not there any more"))
    }

    async fn late(&self, client: &mut Client) -> Failure {
        let why = match self.look(client).await {
            Ok(message) if message.words.is_empty() => message.state,
            Ok(message) => clean_line(&message.words),
            Err(failure) => failure.message,
        };
        Failure::new(Kind::Timeout, "timeout", format!("there is no answer yet: {why}"))
            .next(format!("autopilotctl chat show {}", short(&self.thread_id)))
    }
}

/// The end of an answer: whole, where what was shown of it is not.
fn finish(out: Out, message: &ChatMessage, shown: &str) -> Outcome {
    if out.json {
        out.json_line(message)?;
    } else if message.state == "done" && shown != message.answer {
        out.line(&format!("\n{}", clean(&message.answer)))?;
    } else {
        out.line("")?;
    }
    match message.state.as_str() {
        "done" => Ok(()),
        "stopped" => Err(Failure::new(Kind::Refused, "stopped", "the message was stopped")),
        _ => Err(Failure::new(
            Kind::Refused,
            "no-answer",
            format!(
                "the model gave no answer ({}): {}",
                message.code,
                clean_line(&message.words)
            ),
        )),
    }
}
