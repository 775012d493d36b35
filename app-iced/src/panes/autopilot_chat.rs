//! Conversations with an agent on this machine. There is none yet: the pane says so, as the host knows it.
use autopilot_host::desk::Pane;

use super::{Action, Scene, Screen, frame};
use crate::design::Element;

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
        frame::told(scene, Pane::AutopilotChat, "", "")
    }
}
