//! The shared state of several devices. No server shares anything in this version: the pane says so, and what stands instead.
use autopilot_host::desk::Pane;

use super::{Action, Scene, Screen, Wish, frame};
use crate::design::Element;

/// The pane.
#[derive(Debug, Default)]
pub struct SyncHealth;

/// What can happen in it.
#[derive(Clone, Debug)]
pub enum Message {
    /// Another pane.
    Go(Pane),
}

impl Screen for SyncHealth {
    type Message = Message;

    fn update(&mut self, message: Message, _: &Scene<'_>) -> Action<Message> {
        match message {
            Message::Go(pane) => Action::wish(Wish::Open(pane)),
        }
    }

    fn view<'a>(&'a self, scene: &Scene<'a>) -> Element<'a, Message> {
        let told = frame::told(
            scene,
            Pane::SyncHealth,
            "Nothing is shared between devices",
            "This ledger stands alone on this machine: it has no subscription and no cursor that could fall behind, and earning waits for none. What others hold of it are signed heads.",
        );
        frame::signpost(told, "See the ledger", Message::Go(Pane::ActivityFeed))
    }

    fn actions(&self, _: &Scene<'_>) -> Vec<(String, Message)> {
        vec![("Sync Health: see the ledger".to_owned(), Message::Go(Pane::ActivityFeed))]
    }
}
