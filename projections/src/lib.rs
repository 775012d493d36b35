//! Pure folds over the facts, one per meaning, used to decide and to show. No I/O, no way to fail.

pub mod accounts;
pub mod activity;
pub mod alerts;
pub mod buy_modes;
pub mod canaries;
pub mod chart;
pub mod chat;
pub mod custody;
pub mod difference;
pub mod earnings;
pub mod heads;
mod job;
pub mod jobs;
pub mod kept_heads;
pub mod ladder;
pub mod milestones;
pub mod missed;
pub mod movements;
pub mod outbox;
pub mod price;
pub mod prices;
pub mod provider;
pub mod purchases;
pub mod quarters;
pub mod report;
pub mod rows;
pub mod serving;
pub mod state;
pub mod wallet;

use autopilot_events::{Recorded, words::Digest};
use serde::{Serialize, de::DeserializeOwned};

pub use state::State;

/// A fold over the facts in their order.
pub trait Projection: Default + Clone + Serialize + DeserializeOwned {
    /// Name of the view, e.g. `earnings`.
    const NAME: &'static str;
    /// Version of its digest: a new column is a new version, never a silent change.
    const VERSION: u32;

    /// Takes the next fact in. Facts that mean nothing to this view change nothing.
    fn apply(&mut self, fact: &Recorded);

    /// `NAME/VERSION`.
    fn label() -> String {
        format!("{}/{}", Self::NAME, Self::VERSION)
    }

    /// The view as bytes: JSON with fields in their written order and keys of maps sorted.
    fn to_bytes(&self) -> Vec<u8> {
        // Serialising owned plain data with string keys into memory has no way to fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// `blake3(label ‖ 0 ‖ bytes)`.
    fn digest(&self) -> Digest {
        let mut hasher = blake3::Hasher::new();
        hasher
            .update(Self::label().as_bytes())
            .update(b"\0")
            .update(&self.to_bytes());
        Digest(*hasher.finalize().as_bytes())
    }
}

/// Bytes of any length as lower-case hexadecimal text.
fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
