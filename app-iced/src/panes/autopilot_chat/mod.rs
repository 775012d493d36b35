//! Conversations with the model of this machine: the list at the left, what was said in one, and a line to write in.
mod line;
mod talk;
mod threads;

use autopilot_host::desk::Pane;
use autopilot_proto::control::v1::{
    ChatMessage, ChatSendReply, ChatSendRequest, ChatStopReply, ChatStopRequest, ChatThread,
    ChatThreadsReply, ChatThreadsRequest, ChatTranscriptReply, Trouble,
};
use iced::{
    Length, Task,
    widget::{column, container, row, text_editor},
};

use super::{Action, Scene, Screen, Wish, frame};
use crate::{
    design::{Element, list as rows, space},
    face::Answer,
    paging::{Ask, Page, Pages},
    shell::toast::Toast,
    words::short,
};
pub use line::FIELD;
use line::Line;
use talk::Talk;

/// Conversations on a page: the most that a host gives.
const PAGE: u32 = 100;

/// The pane.
#[derive(Debug, Default)]
pub struct AutopilotChat {
    threads: Pages<ChatThread>,
    /// The conversation that is looked at; none: the next message begins one.
    talk: Option<Talk>,
    /// Nothing was chosen yet: the newest conversation is shown once it is known.
    chosen: bool,
    line: Line,
    trouble: Option<Trouble>,
    seen: Option<ChatThreadsReply>,
}

/// What can happen in it.
#[derive(Clone, Debug)]
pub enum Message {
    /// The list was scrolled.
    Scrolled(rows::Window),
    /// A page of conversations.
    Threads(Ask, Answer<ChatThreadsReply>),
    /// Ask again for what could not be had.
    Again,
    /// Look at a conversation.
    Choose(String),
    /// The next message begins a conversation.
    New,
    /// A page of a conversation: which one, and before which fact.
    Said(String, u64, Answer<ChatTranscriptReply>),
    /// Look at what was said before.
    Earlier,
    /// And back.
    Later,
    /// Something was typed, marked or moved to.
    Edited(text_editor::Action),
    /// Send it.
    Send,
    /// It was sent, or not.
    Sent(Answer<ChatSendReply>),
    /// No answer is wanted any more.
    Stop(String),
    /// It was stopped, or was over already.
    Stopped(Answer<ChatStopReply>),
    /// Into the clipboard.
    Copy(String, &'static str),
}

impl Screen for AutopilotChat {
    type Message = Message;

    const VIEWS: &'static [&'static str] = &["chat"];
    const FIELD: Option<&'static str> = Some(FIELD);

    fn opened(&mut self, scene: &Scene<'_>) -> Action<Message> {
        self.threads.refresh();
        self.load(scene, self.again(scene))
    }

    /// The host tells of conversations when one of them moved, or what its messages wait for did.
    fn news(&mut self, scene: &Scene<'_>) -> Action<Message> {
        let told = scene.views.chat.value.clone().map(|chat| ChatThreadsReply { basis: None, ..chat });
        if told.is_none() || self.seen == told {
            return Action::none();
        }
        self.seen = told;
        self.threads.refresh();
        self.load(scene, self.again(scene))
    }

    fn update(&mut self, message: Message, scene: &Scene<'_>) -> Action<Message> {
        match message {
            Message::Scrolled(window) => self.threads.scrolled(window),
            Message::Threads(ask, answer) => return self.listed(ask, answer, scene),
            Message::Again => {
                self.threads.refresh();
                return self.load(scene, self.again(scene));
            }
            Message::Choose(thread_id) => return self.choose(thread_id, scene),
            Message::New => {
                (self.talk, self.chosen, self.trouble) = (None, true, None);
            }
            Message::Said(thread_id, before, answer) => {
                if let Some(talk) = self.talk.as_mut().filter(|talk| talk.thread_id == thread_id) {
                    talk.answered(before, answer);
                }
            }
            Message::Earlier => return self.turn(scene, Talk::earlier),
            Message::Later => return self.turn(scene, Talk::later),
            Message::Edited(action) => {
                self.line.edited(action);
                self.trouble = None;
            }
            Message::Send => return self.send(scene),
            Message::Sent(answer) => return self.sent(answer, scene),
            Message::Stop(message_id) => {
                let request = ChatStopRequest { message_id };
                let asked = scene.face.ask(move |mut host| async move { host.chat_stop(request).await });
                return asked.map(Message::Stopped).into();
            }
            Message::Stopped(Ok(_)) => {}
            Message::Stopped(Err(trouble)) => return Action::wish(Wish::Say(Toast::bad(trouble.sentence))),
            Message::Copy(text, what) => return Action::wish(Wish::Copy(text, what)),
        }
        self.load(scene, Task::none())
    }

    fn view<'a>(&'a self, scene: &Scene<'a>) -> Element<'a, Message> {
        frame::shown(&scene.views.chat, |chat| {
            let said = match &self.talk {
                Some(talk) => talk.view(scene),
                None if self.threads.is_unknown() => frame::loading(),
                None => frame::told(
                    scene,
                    Pane::AutopilotChat,
                    "Nothing was said yet",
                    "Write to the model of this machine: paid jobs go first, and nobody else reads it.",
                ),
            };
            let right = column![container(said).height(Length::Fill)]
                .push(self.trouble.as_ref().map(frame::broken))
                .push(self.line.view(chat, self.talk.is_some()));
            row![
                container(self.list(scene)).width(Length::FillPortion(2)),
                right.spacing(space::S).width(Length::FillPortion(5)),
            ]
            .spacing(space::S)
            .padding(space::S)
            .into()
        })
    }

    fn actions(&self, _: &Scene<'_>) -> Vec<(String, Message)> {
        let named = |words: &str, message: Message| (format!("Chat: {words}"), message);
        let mut actions = vec![named("load again", Message::Again)];
        if self.line.message().is_some() {
            actions.insert(0, named("send", Message::Send));
        }
        if self.talk.is_some() {
            actions.push(named("new conversation", Message::New));
        }
        if let Some(talk) = &self.talk {
            actions.extend(talk.actions().into_iter().map(|(words, message)| named(&words, message)));
        }
        actions.extend(self.threads.seen().map(threads::open_action));
        actions
    }
}

impl AutopilotChat {
    fn load(&mut self, scene: &Scene<'_>, other: Task<Message>) -> Action<Message> {
        let asks = self.threads.asks().into_iter().map(|ask| {
            let request = ChatThreadsRequest {
                limit: PAGE,
                before_sequence: ask.before,
            };
            let answer = scene.face.ask(move |mut host| async move { host.chat_threads(request).await });
            answer.map(move |answer| Message::Threads(ask, answer))
        });
        Task::batch(asks.chain([other])).into()
    }

    /// What is looked at, asked for once more.
    fn again(&self, scene: &Scene<'_>) -> Task<Message> {
        self.talk.as_ref().map_or(Task::none(), |talk| talk.ask(scene))
    }

    fn listed(&mut self, ask: Ask, answer: Answer<ChatThreadsReply>, scene: &Scene<'_>) -> Action<Message> {
        let newest = answer.as_ref().ok().and_then(|reply| reply.threads.first()).cloned();
        self.threads.answered(ask, answer.map(page));
        match newest {
            Some(thread) if !self.chosen => self.choose(thread.thread_id, scene),
            _ => self.load(scene, Task::none()),
        }
    }

    fn choose(&mut self, thread_id: String, scene: &Scene<'_>) -> Action<Message> {
        (self.chosen, self.trouble) = (true, None);
        let talk = Talk::new(thread_id);
        let asked = talk.ask(scene);
        self.talk = Some(talk);
        self.load(scene, asked)
    }

    fn turn(&mut self, scene: &Scene<'_>, turn: fn(&mut Talk)) -> Action<Message> {
        let Some(talk) = &mut self.talk else {
            return Action::none();
        };
        turn(talk);
        talk.ask(scene).into()
    }

    /// Under a key of its own, so that a message whose answer was lost is not sent twice.
    fn send(&mut self, scene: &Scene<'_>) -> Action<Message> {
        let Some((text, key)) = self.line.sending() else {
            return Action::none();
        };
        let request = ChatSendRequest {
            text,
            thread_id: self.talk.as_ref().map(|talk| talk.thread_id.clone()).unwrap_or_default(),
            key,
        };
        let asked = scene.face.ask(move |mut host| async move { host.chat_send(request).await });
        asked.map(Message::Sent).into()
    }

    fn sent(&mut self, answer: Answer<ChatSendReply>, scene: &Scene<'_>) -> Action<Message> {
        self.line.answered(answer.is_ok());
        match answer {
            Ok(reply) => {
                self.threads.refresh();
                self.choose(reply.thread_id, scene)
            }
            Err(trouble) => {
                self.trouble = Some(trouble);
                Action::none()
            }
        }
    }
}

fn page(reply: ChatThreadsReply) -> Page<ChatThread> {
    Page {
        rows: reply.threads,
        next: reply.next_before_sequence,
    }
}

/// Whether a message has no outcome yet.
fn is_open(message: &ChatMessage) -> bool {
    matches!(message.state.as_str(), "queued" | "running")
}

/// The beginning of what was said, for the keyboard.
fn beginning(text: &str, id: &str) -> String {
    match text.lines().next().map(|line| line.chars().take(30).collect::<String>()) {
        Some(words) if !words.is_empty() => words,
        _ => short(id),
    }
}
