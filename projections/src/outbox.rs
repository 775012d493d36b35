//! Events that were signed and are owed to the relays.
use std::collections::BTreeMap;

use autopilot_events::{
    Event, Recorded, pb,
    words::{EventId, JobId},
};
use serde::{Deserialize, Serialize};

use crate::Projection;

/// One event to publish.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Owed {
    /// Job or purchase that it belongs to.
    pub job: JobId,
    /// What it says.
    pub purpose: i32,
    /// Kind of the event.
    pub kind: u32,
    /// The signed bytes.
    pub event: pb::BodyRef,
    /// Publishing is given up after this.
    pub deadline_ms: i64,
    /// Further relays that the buyer asks answers at.
    pub relays: Vec<String>,
}

/// Signed and not yet published or abandoned.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outbox {
    owed: BTreeMap<EventId, Owed>,
}

impl Outbox {
    /// All of it, by event id.
    pub fn owed(&self) -> impl Iterator<Item = (&EventId, &Owed)> {
        self.owed.iter()
    }

    /// One of it.
    pub fn get(&self, id: &EventId) -> Option<&Owed> {
        self.owed.get(id)
    }
}

impl Projection for Outbox {
    const NAME: &'static str = "outbox";
    const VERSION: u32 = 2;

    fn apply(&mut self, fact: &Recorded) {
        match &fact.event {
            Event::EventSigned(m) => {
                let owed = Owed {
                    job: JobId::of(&m.job_id),
                    purpose: m.purpose,
                    kind: m.kind,
                    event: m.event.clone().unwrap_or_default(),
                    deadline_ms: m.deadline_ms,
                    relays: m.relays.clone(),
                };
                self.owed.insert(EventId::of(&m.event_id), owed);
            }
            Event::EventPublished(m) => drop(self.owed.remove(&EventId::of(&m.event_id))),
            Event::EventAbandoned(m) => drop(self.owed.remove(&EventId::of(&m.event_id))),
            _ => {}
        }
    }
}
