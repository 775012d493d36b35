//! Round sums that were earned in all: each reached once, and shown to a person once, however often facts are replayed.
use std::collections::BTreeMap;

use autopilot_events::{Event, Recorded};
use serde::{Deserialize, Serialize};

use crate::Projection;

/// The sums that are celebrated, in sats. The first one is the first sat.
pub const SATS: [u64; 5] = [1, 10, 25, 50, 100];

/// A sum that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Milestone {
    /// When it was recorded.
    pub at_ms: i64,
    /// Number of the fact.
    pub sequence: u64,
    /// A face has shown it.
    pub celebrated: bool,
}

/// The milestones view.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Milestones {
    reached: BTreeMap<u64, Milestone>,
}

impl Milestones {
    /// One of them, by its sum in sats.
    pub fn get(&self, sats: u64) -> Option<&Milestone> {
        self.reached.get(&sats)
    }

    /// Reached, and not shown to anybody yet: sums in sats, the smallest first.
    pub fn to_celebrate(&self) -> impl Iterator<Item = (u64, &Milestone)> {
        let open = self.reached.iter().filter(|(_, milestone)| !milestone.celebrated);
        open.map(|(sats, milestone)| (*sats, milestone))
    }

    /// Sums of [`SATS`] that these earnings cover and no fact says so.
    pub fn due(&self, earned_msat: u64) -> impl Iterator<Item = u64> {
        let covered = SATS.into_iter().filter(move |sats| sats * 1_000 <= earned_msat);
        covered.filter(|sats| !self.reached.contains_key(sats))
    }
}

impl Projection for Milestones {
    const NAME: &'static str = "milestones";
    const VERSION: u32 = 1;

    fn apply(&mut self, fact: &Recorded) {
        match &fact.event {
            Event::MilestoneReached(m) => {
                self.reached.entry(m.sats).or_insert(Milestone {
                    at_ms: fact.fact.recorded_at_ms,
                    sequence: fact.fact.sequence,
                    celebrated: false,
                });
            }
            Event::MilestoneCelebrated(m) => {
                if let Some(milestone) = self.reached.get_mut(&m.sats) {
                    milestone.celebrated = true;
                }
            }
            _ => {}
        }
    }
}
