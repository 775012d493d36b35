//! First jobs of a new provider. No hub funds any in this version: the pane says so, and where work comes from instead.
use autopilot_host::desk::Pane;

use super::{Action, Scene, Screen, Wish, frame};
use crate::design::Element;

/// The pane.
#[derive(Debug, Default)]
pub struct StarterJobs;

/// What can happen in it.
#[derive(Clone, Debug)]
pub enum Message {
    /// Another pane.
    Go(Pane),
}

impl Screen for StarterJobs {
    type Message = Message;

    fn update(&mut self, message: Message, _: &Scene<'_>) -> Action<Message> {
        match message {
            Message::Go(pane) => Action::wish(Wish::Open(pane)),
        }
    }

    fn view<'a>(&'a self, scene: &Scene<'a>) -> Element<'a, Message> {
        let told = frame::told(
            scene,
            Pane::StarterJobs,
            "No starter program is connected",
            "Nobody funds first jobs here yet, so there is no lease, no budget and nothing to opt out of. Work comes through the relays.",
        );
        frame::signpost(told, "See what was asked for", Message::Go(Pane::JobInbox))
    }

    fn actions(&self, _: &Scene<'_>) -> Vec<(String, Message)> {
        vec![("Starter Jobs: see what was asked for".to_owned(), Message::Go(Pane::JobInbox))]
    }
}
