//! What is done to the world while it works, and when.
use serde::{Deserialize, Serialize};

use crate::life::draw::Draw;

/// What is done to the world while it works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Blow {
    /// SIGTERM to a host, then its start.
    ProviderStop,
    /// SIGKILL to a host, then its start.
    ProviderKill,
    /// The same for the buyer.
    BuyerStop,
    /// The same for the buyer.
    BuyerKill,
    /// The same for the hub.
    HubStop,
    /// The same for the hub.
    HubKill,
    /// SIGKILL to the inference worker, which the host replaces.
    WorkerKill,
    /// A relay ends, and begins again without memory.
    Relay(u8),
}

const BLOWS: [Blow; 10] = [
    Blow::ProviderStop,
    Blow::ProviderKill,
    Blow::BuyerStop,
    Blow::BuyerKill,
    Blow::HubStop,
    Blow::HubKill,
    Blow::WorkerKill,
    Blow::Relay(0),
    Blow::Relay(1),
    Blow::Relay(2),
];

/// Two or three blows, in the order in which they come.
pub(super) fn draw(seed: u64, round: u32, jobs: u32) -> Vec<(u32, Blow)> {
    let mut stream = Draw::of(seed, round);
    let count = 2 + stream.below(2);
    let mut blows: Vec<(u32, Blow)> = (0..count)
        .filter_map(|_| {
            let after = u32::try_from(stream.below(u64::from(jobs))).ok()?;
            stream.one_of(&BLOWS).map(|blow| (after, *blow))
        })
        .collect();
    blows.sort_by_key(|(after, _)| *after);
    blows
}
