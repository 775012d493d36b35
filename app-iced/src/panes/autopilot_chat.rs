//! Conversations with an agent on this machine. There is none yet: the pane says so, as the host knows it.
use autopilot_host::desk::Pane;
use iced::widget::{center, column};

use super::{Action, Scene, Screen, frame};
use crate::design::{Element, caption, heading, space};

/// The pane.
#[derive(Debug, Default)]
pub struct AutopilotChat;

/// What can happen in it.
#[derive(Clone, Debug)]
pub enum Message {}

impl Screen for AutopilotChat {
    type Message = Message;

    fn update(&mut self, message: Message, _: &Scene<'_>) -> Action<Message> {
        match message {}
    }

    fn view<'a>(&'a self, scene: &Scene<'a>) -> Element<'a, Message> {
        frame::shown(&scene.views.panes, |panes| {
            let id = Pane::AutopilotChat.id();
            let line = panes.panes.iter().find(|line| line.id == id);
            let words = line.map_or(("", ""), |line| (line.sentence.as_str(), line.next.as_str()));
            center(column![heading(words.0), caption(words.1)].spacing(space::S).max_width(460.0)).into()
        })
    }
}
