//! What one relay says, read without a connection to it: the same inbox, for tests of the reading alone.
use std::sync::Arc;

use autopilot_core::ports::market::{Interest, Notice};

use super::{inbox::Inbox, journal::Journal, lane::LaneStats, supervisor::Resubscriptions};
use crate::identity::Identity;

const CAPACITY: usize = 16;

/// The inbox of one relay.
pub struct Reading {
    inbox: Inbox,
}

impl Reading {
    /// An inbox that was promised what `interest` says. Nothing is asked for.
    pub fn new(identity: &Identity, interest: Interest) -> Self {
        let stats = vec![Arc::new(LaneStats::new("wss://relay.example".to_owned()))];
        let inbox = Inbox::new(
            identity.keys().clone(),
            stats,
            Arc::new(Journal::new(CAPACITY)),
            (CAPACITY, CAPACITY),
            Arc::new(Resubscriptions::new(1)),
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
