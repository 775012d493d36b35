//! The list of conversations, newest first.
use autopilot_proto::control::v1::ChatThread;
use iced::{
    Alignment, Length,
    widget::{column, container, row},
};

use super::{AutopilotChat, Message, Scene, beginning};
use crate::{
    design::{Element, Tone, badge, caption, choice, entry, flat, space},
    words::{one_line, time},
};

/// Id of the list, for the keyboard.
const LIST: &str = "conversations";

/// The tone of a message's state.
pub(super) fn tone(state: &str) -> Tone {
    match state {
        "done" => Tone::Good,
        "running" => Tone::Accent,
        "queued" => Tone::Attention,
        "error" => Tone::Bad,
        _ => Tone::Quiet,
    }
}

impl AutopilotChat {
    pub(super) fn list<'a>(&'a self, scene: &Scene<'a>) -> Element<'a, Message> {
        let rows = self.threads.view(
            LIST,
            || caption("The first message begins one.").into(),
            |thread| self.row(scene, thread),
            Message::Scrolled,
            Message::Again,
        );
        let begin = choice("New conversation", self.talk.is_some().then_some(Message::New));
        column![begin, container(rows).height(Length::Fill)].spacing(space::S).into()
    }

    fn row<'a>(&'a self, scene: &Scene<'a>, thread: &'a ChatThread) -> Element<'a, Message> {
        let title = match thread.title.is_empty() {
            true => "(its text is gone)".to_owned(),
            false => one_line(&thread.title),
        };
        let content = row![
            container(flat(title, Tone::Plain)).width(Length::Fill).clip(true),
            caption(time(thread.last_at_ms, scene.now_ms, scene.zone)),
        ]
        .push((thread.state != "done").then(|| badge(thread.state.as_str(), tone(&thread.state))))
        .spacing(space::S)
        .align_y(Alignment::Center);
        let chosen = self.talk.as_ref().is_some_and(|talk| talk.thread_id == thread.thread_id);
        entry(content, chosen, Message::Choose(thread.thread_id.clone()))
    }
}

/// A row, for the keyboard.
pub(super) fn open_action(thread: &ChatThread) -> (String, Message) {
    let words = format!("Conversation: {}", beginning(&thread.title, &thread.thread_id));
    (words, Message::Choose(thread.thread_id.clone()))
}
