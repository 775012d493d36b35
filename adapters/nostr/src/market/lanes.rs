//! The relays in use, a lane each. A lane keeps its number as long as the program runs; one whose relay was removed is
//! used no more, and a relay that is added again gets a new one.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use autopilot_core::ports::market::MarketError;
use nostr::{RelayUrl, Url};
use nostr_sdk::Relay;

use super::config::MAX_RELAYS;
use super::lane::LaneStats;

#[derive(Clone)]
struct Lane {
    url: RelayUrl,
    stats: Arc<LaneStats>,
    /// None while its connection is being set up, and after its relay was removed.
    relay: Option<Relay>,
    removed: bool,
}

#[derive(Default)]
pub(super) struct Lanes(RwLock<Vec<Lane>>);

impl Lanes {
    fn read(&self) -> RwLockReadGuard<'_, Vec<Lane>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Vec<Lane>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// A lane for a relay, before its connection is made: what it says then finds its place.
    pub fn reserve(&self, url: &RelayUrl) -> Result<usize, MarketError> {
        let mut lanes = self.write();
        let used = lanes.iter().filter(|lane| !lane.removed);
        if used.clone().any(|lane| lane.url == *url) {
            return Err(MarketError::Relay(format!("{url} is in use already")));
        }
        if used.count() >= MAX_RELAYS {
            return Err(MarketError::Relay(format!(
                "at most {MAX_RELAYS} relays are used"
            )));
        }
        lanes.push(Lane {
            url: url.clone(),
            stats: Arc::new(LaneStats::new(url.to_string())),
            relay: None,
            removed: false,
        });
        Ok(lanes.len() - 1)
    }

    /// Its connection is set up.
    pub fn bind(&self, lane: usize, relay: Relay) {
        if let Some(lane) = self.write().get_mut(lane) {
            lane.relay = Some(relay);
        }
    }

    /// It is used no more.
    pub fn remove(&self, lane: usize) {
        if let Some(lane) = self.write().get_mut(lane) {
            lane.removed = true;
            lane.relay = None;
        }
    }

    /// What is known of a lane's relay.
    pub fn stats(&self, lane: usize) -> Option<Arc<LaneStats>> {
        let lanes = self.read();
        let lane = lanes.get(lane).filter(|lane| !lane.removed)?;
        Some(Arc::clone(&lane.stats))
    }

    /// A lane whose connection is set up.
    pub fn get(&self, lane: usize) -> Option<(Relay, Arc<LaneStats>)> {
        let lanes = self.read();
        lanes.get(lane).and_then(used)
    }

    pub fn lane_of(&self, url: &RelayUrl) -> Option<usize> {
        self.read()
            .iter()
            .position(|lane| !lane.removed && lane.url == *url)
    }

    pub fn lane_of_address(&self, url: &Url) -> Option<usize> {
        let same = |lane: &Lane| !lane.removed && Url::from(lane.url.clone()) == *url;
        self.read().iter().position(same)
    }

    /// All relays in use, in the order in which they were added.
    pub fn used(&self) -> Vec<(Relay, Arc<LaneStats>)> {
        self.read().iter().filter_map(used).collect()
    }

    /// All of them with the numbers of their lanes.
    pub fn numbered(&self) -> Vec<(usize, Relay, Arc<LaneStats>)> {
        let lanes = self.read();
        let numbered = lanes.iter().enumerate();
        numbered
            .filter_map(|(number, lane)| used(lane).map(|(relay, stats)| (number, relay, stats)))
            .collect()
    }

    /// Addresses of the relays in use.
    pub fn addresses(&self) -> Vec<String> {
        let lanes = self.read();
        let used = lanes.iter().filter(|lane| !lane.removed);
        used.map(|lane| lane.stats.url.clone()).collect()
    }
}

fn used(lane: &Lane) -> Option<(Relay, Arc<LaneStats>)> {
    let relay = lane.relay.clone().filter(|_| !lane.removed)?;
    Some((relay, Arc::clone(&lane.stats)))
}
