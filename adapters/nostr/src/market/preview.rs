//! Demand that can't be claimed: counted by kind, nothing of one request is kept.

use std::collections::BTreeMap;

use autopilot_events::pb::KindDemand;
use nostr::{Event, Keys};

/// Counts by kind. Bounded by the kinds that are asked for.
#[derive(Default)]
pub(super) struct Preview(BTreeMap<u16, KindDemand>);

impl Preview {
    /// Counts a request whose signature holds and that was not counted before. Our own is no demand.
    pub fn count(&mut self, event: &Event, me: &Keys) {
        if event.pubkey == me.public_key() {
            return;
        }
        let kind = event.kind.as_u16();
        let demand = self.0.entry(kind).or_default();
        demand.kind = u32::from(kind);
        demand.jobs += 1;
        let mut named = event.tags.public_keys().peekable();
        let others = named.peek().is_some();
        let targeted = named.any(|key| *key == me.public_key());
        demand.targeted += u64::from(targeted);
        if others && !targeted {
            demand.elsewhere += 1;
            return;
        }
        if let Some(bid) = bid_msat(event) {
            demand.bids += 1;
            demand.bids_msat = demand.bids_msat.saturating_add(bid);
            demand.highest_bid_msat = demand.highest_bid_msat.max(bid);
        }
    }

    /// Takes what was counted.
    pub fn drain(&mut self) -> Vec<KindDemand> {
        std::mem::take(&mut self.0).into_values().collect()
    }
}

/// The bid in clear, in millisatoshi; one that can't be read is none.
fn bid_msat(event: &Event) -> Option<u64> {
    let tags = event.tags.iter().map(|tag| tag.as_slice());
    let bid = tags
        .into_iter()
        .find(|tag| tag.first().is_some_and(|name| name == "bid"))?;
    bid.get(1)?.trim().parse().ok()
}
