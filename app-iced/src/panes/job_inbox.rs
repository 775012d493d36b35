//! JobInbox.
use super::{Action, Scene, Screen, frame};
use crate::design::Element;

/// The pane.
#[derive(Debug, Default)]
pub struct JobInbox;

/// What can happen in it.
#[derive(Clone, Debug)]
pub enum Message {}

impl Screen for JobInbox {
    type Message = Message;

    fn update(&mut self, message: Message, _scene: &Scene<'_>) -> Action<Message> {
        match message {}
    }

    fn view<'a>(&'a self, _scene: &Scene<'a>) -> Element<'a, Message> {
        frame::loading()
    }
}
