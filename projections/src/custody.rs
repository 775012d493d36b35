//! What became of the identity's words: how they are protected, and whether anybody ever backed them up.
use autopilot_events::{Event, Recorded};
use serde::{Deserialize, Serialize};

use crate::Projection;

/// What the facts say about keeping the identity. The words themselves are in no fact.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Custody {
    /// The newest backup.
    pub backed_up_at_ms: Option<i64>,
    /// How many there were.
    pub backups: u64,
    /// `folder` or `passphrase`, as last changed; empty: as at the beginning.
    pub protected_by: String,
}

impl Projection for Custody {
    const NAME: &'static str = "custody";
    const VERSION: u32 = 1;

    fn apply(&mut self, fact: &Recorded) {
        match &fact.event {
            Event::IdentityBackedUp(_) => {
                self.backed_up_at_ms = Some(fact.fact.recorded_at_ms);
                self.backups = self.backups.saturating_add(1);
            }
            Event::IdentityProtected(m) => self.protected_by.clone_from(&m.by),
            _ => {}
        }
    }
}
