//! Signed heads of this ledger, and how they compare with what others hold.
use std::collections::VecDeque;

use autopilot_events::{
    Event, Recorded,
    pb::{self, HeadVerdict},
    words::TreeHash,
};
use serde::{Deserialize, Serialize};

use crate::Projection;

/// Overruled heads that are remembered; whoever still holds an older one is asked about again.
const OVERRULED_KEPT: usize = 64;

/// The newest head that was signed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Signed {
    /// Facts it covers.
    pub size: u64,
    /// Root of the tree over them.
    pub root: TreeHash,
    /// The signed note.
    pub note: String,
    /// When (milliseconds since the Unix epoch).
    pub at_ms: i64,
}

/// A comparison with a head that somebody else holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Facts that the held head covers.
    pub held_size: u64,
    /// Its root.
    pub held_root: TreeHash,
    /// Who holds it.
    pub held_by: String,
    /// What came of it: [`HeadVerdict`].
    pub verdict: i32,
    /// First fact that is missing or may be another.
    pub first_different: u64,
    /// When (milliseconds since the Unix epoch).
    pub at_ms: i64,
}

/// What is known about the ledger's own integrity from outside of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Heads {
    /// The newest head that was signed.
    pub signed: Option<Signed>,
    /// The largest head of somebody else's that agreed.
    pub agreed: Option<Comparison>,
    /// A head of somebody else's that says otherwise, and that nobody has overruled: earning stops.
    pub disputed: Option<Comparison>,
    overruled: VecDeque<TreeHash>,
}

impl Heads {
    /// Whether a person has decided to go on in spite of this head.
    pub fn is_overruled(&self, root: &TreeHash) -> bool {
        self.overruled.contains(root)
    }

    fn compared(&mut self, m: &pb::HeadCompared, at_ms: i64) {
        let comparison = Comparison {
            held_size: m.held_size,
            held_root: TreeHash::of(&m.held_root),
            held_by: m.held_by.clone(),
            verdict: m.verdict,
            first_different: m.first_different,
            at_ms,
        };
        if m.verdict() != HeadVerdict::Agrees {
            self.disputed = Some(comparison);
        } else if self.agreed.as_ref().is_none_or(|a| a.held_size <= m.held_size) {
            self.agreed = Some(comparison);
        }
    }
}

impl Projection for Heads {
    const NAME: &'static str = "heads";
    const VERSION: u32 = 1;

    fn apply(&mut self, fact: &Recorded) {
        let at_ms = fact.fact.recorded_at_ms;
        match &fact.event {
            Event::HeadSigned(m) => {
                self.signed = Some(Signed {
                    size: m.size,
                    root: TreeHash::of(&m.root),
                    note: m.note.clone(),
                    at_ms,
                });
            }
            Event::HeadCompared(m) => self.compared(m, at_ms),
            Event::HeadOverruled(m) => {
                let root = TreeHash::of(&m.held_root);
                self.disputed.take_if(|disputed| disputed.held_root == root);
                self.overruled.push_back(root);
                if self.overruled.len() > OVERRULED_KEPT {
                    self.overruled.pop_front();
                }
            }
            _ => {}
        }
    }
}
