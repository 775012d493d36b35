//! What one relay says, read without a connection to it: the same inbox, for tests of the reading alone.
use std::sync::Arc;

use autopilot_core::ports::market::{Interest, Notice};

use nostr::RelayUrl;

use super::{inbox::Inbox, journal::Journal, lanes::Lanes, supervisor::Resubscriptions};
use crate::identity::Identity;

const CAPACITY: usize = 16;

/// The inbox of one relay.
pub struct Reading {
    inbox: Inbox,
}

impl Reading {
    /// An inbox that was promised what `interest` says. Nothing is asked for.
    pub fn new(identity: &Identity, interest: Interest) -> Self {
        let lanes = Arc::new(Lanes::default());
        // The one address is sound, and there is room for it.
        let lane = RelayUrl::parse("wss://relay.example").map(|url| lanes.reserve(&url));
        debug_assert!(matches!(lane, Ok(Ok(0))));
        let inbox = Inbox::new(
            identity.keys().clone(),
            lanes,
            Arc::new(Journal::new(CAPACITY)),
            (CAPACITY, CAPACITY),
            Arc::new(Resubscriptions::default()),
        );
        inbox.watch(interest);
        Self { inbox }
    }

    /// Takes one message of the relay, and hands out what became of it.
    pub fn take(&self, frame: &str) -> Vec<Notice> {
        self.inbox.take(0, frame);
        self.inbox.taken()
    }
}
