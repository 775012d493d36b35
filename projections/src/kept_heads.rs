//! Heads of ledgers that belong to providers we bought from: the newest of each, and whether its ledger ever went back.
use std::collections::BTreeMap;

use autopilot_events::{
    Event, Recorded,
    pb::{self, KeptVerdict},
    words::{EventId, PublicKey, TreeHash},
};
use serde::{Deserialize, Serialize};

use crate::Projection;

/// Providers whose head is kept; of more, the one that told us nothing for the longest time is dropped.
pub const MAX_KEPT: usize = 256;

/// What is held against a provider's ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trouble {
    /// [`KeptVerdict::WentBack`] or [`KeptVerdict::Changed`].
    pub verdict: i32,
    /// Facts of the head before.
    pub size_before: u64,
    /// Facts of the head after it.
    pub size: u64,
    /// When it was seen (milliseconds since the Unix epoch).
    pub at_ms: i64,
}

/// The newest head of one provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// Which ledger of its.
    pub origin: String,
    /// Facts it covers.
    pub size: u64,
    /// Root over them.
    pub root: TreeHash,
    /// The provider's date, Unix seconds.
    pub created_at_s: i64,
    /// The event that carries it.
    pub event_id: EventId,
    /// The signed event.
    pub event: pb::BodyRef,
    /// When it was recorded (milliseconds since the Unix epoch).
    pub at_ms: i64,
    /// The last time that its ledger did not grow as ledgers do.
    pub trouble: Option<Trouble>,
}

/// Heads by provider.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KeptHeads {
    kept: BTreeMap<PublicKey, Kept>,
}

impl KeptHeads {
    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = (&PublicKey, &Kept)> {
        self.kept.iter()
    }

    /// Of one provider.
    pub fn get(&self, provider: &PublicKey) -> Option<&Kept> {
        self.kept.get(provider)
    }
}

impl Projection for KeptHeads {
    const NAME: &'static str = "kept_heads";
    const VERSION: u32 = 1;

    fn apply(&mut self, fact: &Recorded) {
        let Event::HeadKept(m) = &fact.event else { return };
        let at_ms = fact.fact.recorded_at_ms;
        let provider = PublicKey::of(&m.provider);
        let before = self.kept.remove(&provider).and_then(|kept| kept.trouble);
        let grew = m.verdict() == KeptVerdict::Grew;
        let trouble = (!grew).then_some(Trouble {
            verdict: m.verdict,
            size_before: m.size_before,
            size: m.size,
            at_ms,
        });
        if self.kept.len() >= MAX_KEPT {
            let oldest = self.kept.iter().min_by_key(|(_, kept)| kept.at_ms);
            if let Some(oldest) = oldest.map(|(provider, _)| *provider) {
                self.kept.remove(&oldest);
            }
        }
        let kept = Kept {
            origin: m.origin.clone(),
            size: m.size,
            root: TreeHash::of(&m.root),
            created_at_s: m.created_at_s,
            event_id: EventId::of(&m.event_id),
            event: m.event.clone().unwrap_or_default(),
            at_ms,
            trouble: trouble.or(before),
        };
        self.kept.insert(provider, kept);
    }
}
