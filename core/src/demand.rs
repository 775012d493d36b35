//! Demand that can't be claimed: what relays counted becomes one fact per window.
use std::collections::BTreeMap;

use autopilot_events::{
    Draft,
    pb::{DemandSeen, KindDemand, Source},
};

use crate::draft::fact;

/// At most one fact in so many milliseconds; the first one comes at once.
pub const WINDOW_MS: i64 = 5 * 60_000;

/// Kinds of the NIP-90 registry (github.com/nostr-protocol/data-vending-machines), as of 2026-11: what is counted though
/// nobody here serves it.
pub const KNOWN_KINDS: [u16; 18] = [
    5000, 5001, 5002, 5050, 5100, 5200, 5201, 5202, 5250, 5300, 5301, 5302, 5303, 5400, 5500, 5900, 5901,
    5905,
];

/// What is counted and not recorded yet.
#[derive(Clone, Debug, Default)]
pub struct Demand {
    since_ms: i64,
    online: bool,
    last_fact_ms: Option<i64>,
    kinds: BTreeMap<u32, KindDemand>,
}

impl Demand {
    /// Takes counts in. What was counted under another presence is recorded first.
    pub fn count(&mut self, online: bool, seen: Vec<KindDemand>, now_ms: i64) -> Option<Draft> {
        let other = (self.online != online).then(|| self.record(now_ms)).flatten();
        if self.kinds.is_empty() {
            (self.since_ms, self.online) = (now_ms, online);
        }
        for m in seen {
            let sum = self.kinds.entry(m.kind).or_default();
            sum.kind = m.kind;
            sum.jobs = sum.jobs.saturating_add(m.jobs);
            sum.targeted = sum.targeted.saturating_add(m.targeted);
            sum.elsewhere = sum.elsewhere.saturating_add(m.elsewhere);
            sum.bids = sum.bids.saturating_add(m.bids);
            sum.bids_msat = sum.bids_msat.saturating_add(m.bids_msat);
            sum.highest_bid_msat = sum.highest_bid_msat.max(m.highest_bid_msat);
        }
        other
    }

    /// The fact, where one is due.
    pub fn due(&mut self, now_ms: i64) -> Option<Draft> {
        let early = self
            .last_fact_ms
            .is_some_and(|at| now_ms.saturating_sub(at) < WINDOW_MS);
        if early { None } else { self.record(now_ms) }
    }

    fn record(&mut self, now_ms: i64) -> Option<Draft> {
        if self.kinds.is_empty() {
            return None;
        }
        self.last_fact_ms = Some(now_ms);
        let seen = DemandSeen {
            window_start_ms: self.since_ms,
            window_end_ms: now_ms,
            online: self.online,
            kinds: std::mem::take(&mut self.kinds).into_values().collect(),
        };
        Some(fact("provider", Source::Relay, seen))
    }
}
