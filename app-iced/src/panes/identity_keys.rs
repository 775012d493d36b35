//! IdentityKeys.
use super::{Action, Scene, Screen, frame};
use crate::design::Element;

/// The pane.
#[derive(Debug, Default)]
pub struct IdentityKeys;

/// What can happen in it.
#[derive(Clone, Debug)]
pub enum Message {}

impl Screen for IdentityKeys {
    type Message = Message;

    fn update(&mut self, message: Message, _scene: &Scene<'_>) -> Action<Message> {
        match message {}
    }

    fn view<'a>(&'a self, _scene: &Scene<'a>) -> Element<'a, Message> {
        frame::loading()
    }
}
