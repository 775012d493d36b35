//! Signed heads of this ledger, and how they compare with what others hold.
use std::collections::VecDeque;

use autopilot_events::{
    Event, Recorded,
    pb::{self, HeadVerdict},
    words::{EventId, TreeHash},
};
use serde::{Deserialize, Serialize};

use crate::Projection;

/// Overruled heads that are remembered; whoever still holds an older one is asked about again.
const OVERRULED_KEPT: usize = 64;
/// Heads that say otherwise and are kept at once; of more the largest stay.
const DISPUTED_KEPT: usize = 16;

/// The newest head that was signed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Signed {
    /// Facts it covers.
    pub size: u64,
    /// Root of the tree over them.
    pub root: TreeHash,
    /// The signed note.
    pub note: String,
    /// The key that checks it.
    pub verifier_key: String,
    /// When (milliseconds since the Unix epoch).
    pub at_ms: i64,
}

/// Where the newest head that was published lies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Published {
    /// Facts it covers.
    pub size: u64,
    /// The event that carries it.
    pub event_id: EventId,
    /// Relays that took it at once.
    pub relays: Vec<String>,
    /// Relays that it was offered to.
    pub tried: u32,
    /// When (milliseconds since the Unix epoch).
    pub at_ms: i64,
}

/// What a person decided: from this fact on, heads that were signed before are no longer asked about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Overruled {
    root: TreeHash,
    from: u64,
    at_ms: i64,
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
    /// The newest one that relays took.
    pub published: Option<Published>,
    /// The largest head of somebody else's that agreed.
    pub agreed: Option<Comparison>,
    /// Heads of somebody else's that say otherwise, and that nobody has overruled, by size: earning stops.
    pub disputed: Vec<Comparison>,
    overruled: VecDeque<Overruled>,
}

impl Heads {
    /// Whether a person has decided to go on in spite of this head, over `size` facts and signed at `signed_at_ms`: with
    /// one head of a branch that was given up, all that were signed until then are.
    pub fn is_overruled(&self, root: &TreeHash, size: u64, signed_at_ms: i64) -> bool {
        self.overruled
            .iter()
            .any(|o| o.root == *root || (o.from <= size && signed_at_ms <= o.at_ms))
    }

    /// The signed head that no relay has taken yet. Nothing is published while another head is disputed.
    pub fn unpublished(&self) -> Option<&Signed> {
        let published = self.published.as_ref().map_or(0, |published| published.size);
        self.signed
            .as_ref()
            .filter(|signed| signed.size > published && self.disputed.is_empty())
    }

    /// Of the heads that say otherwise, the one that reaches back furthest; of these the largest.
    pub fn gravest(&self) -> Option<&Comparison> {
        self.disputed
            .iter()
            .min_by_key(|disputed| (disputed.first_different, u64::MAX - disputed.held_size))
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
            self.disputed.push(comparison);
            self.disputed.sort_by_key(|disputed| disputed.held_size);
            if self.disputed.len() > DISPUTED_KEPT {
                self.disputed.remove(0);
            }
        } else if self.agreed.as_ref().is_none_or(|a| a.held_size <= m.held_size) {
            self.agreed = Some(comparison);
        }
    }
}

impl Projection for Heads {
    const NAME: &'static str = "heads";
    const VERSION: u32 = 2;

    fn apply(&mut self, fact: &Recorded) {
        let at_ms = fact.fact.recorded_at_ms;
        match &fact.event {
            Event::HeadSigned(m) => {
                self.signed = Some(Signed {
                    size: m.size,
                    root: TreeHash::of(&m.root),
                    note: m.note.clone(),
                    verifier_key: m.verifier_key.clone(),
                    at_ms,
                });
            }
            Event::HeadPublished(m) => {
                self.published = Some(Published {
                    size: m.size,
                    event_id: EventId::of(&m.event_id),
                    relays: m.relays.clone(),
                    tried: m.relays_tried,
                    at_ms,
                });
            }
            Event::HeadCompared(m) => self.compared(m, at_ms),
            Event::HeadOverruled(m) => {
                let root = TreeHash::of(&m.held_root);
                self.disputed.retain(|disputed| disputed.held_root != root);
                self.overruled.push_back(Overruled {
                    root,
                    from: m.first_different,
                    at_ms,
                });
                if self.overruled.len() > OVERRULED_KEPT {
                    self.overruled.pop_front();
                }
            }
            _ => {}
        }
    }
}
