//! Counts by quarters of an hour, of the last days: every time zone's day begins with a whole one.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Width of a quarter, in milliseconds.
pub const QUARTER_MS: i64 = 15 * 60 * 1_000;
/// Quarters kept up to the newest: three days, so that yesterday is whole in every time zone.
const KEPT: i64 = 3 * 24 * 4;

/// What was counted in each quarter of an hour.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quarters(BTreeMap<i64, u64>);

impl Quarters {
    /// Counts something that happened at one moment.
    pub fn add(&mut self, at_ms: i64, count: u64) {
        let quarter = self.0.entry(at_ms.div_euclid(QUARTER_MS)).or_default();
        *quarter = quarter.saturating_add(count);
        let newest = self.0.last_key_value().map_or(i64::MIN, |(newest, _)| *newest);
        let oldest = newest.saturating_sub(KEPT - 1);
        while self.0.first_key_value().is_some_and(|(first, _)| *first < oldest) {
            self.0.pop_first();
        }
    }

    /// Counts the milliseconds of a span in the quarters that it lies in.
    pub fn add_span(&mut self, from_ms: i64, to_ms: i64) {
        // What is older would be let go of at once.
        let mut from_ms = from_ms.max(to_ms.saturating_sub(KEPT * QUARTER_MS));
        while from_ms < to_ms {
            let end_ms = (from_ms.div_euclid(QUARTER_MS) + 1)
                .saturating_mul(QUARTER_MS)
                .min(to_ms);
            self.add(from_ms, u64::try_from(end_ms - from_ms).unwrap_or(0));
            from_ms = end_ms;
        }
    }

    /// The sum over `from_ms..to_ms`, both rounded down to quarters.
    pub fn between(&self, from_ms: i64, to_ms: i64) -> u64 {
        let (from, to) = (from_ms.div_euclid(QUARTER_MS), to_ms.div_euclid(QUARTER_MS));
        let counts = self.0.range(from..to.max(from)).map(|(_, count)| *count);
        counts.fold(0, u64::saturating_add)
    }
}
