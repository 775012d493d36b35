//! One side of the market in a test: an identity, its relays, and waiting with a bound.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use autopilot_core::ports::market::{
    Interest, JobInput, JobRequest, JobResult, Market, MarketItem, NewRequest, Notice, SignedEvent,
};
use autopilot_events::words::Msat;
use autopilot_nostr::relay::EmbeddedRelay;
use autopilot_nostr::{Identity, RelayConfig, RelayMarket};
use nostr::Keys;

/// The longest that anything in these tests is waited for.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Side {
    pub market: RelayMarket,
    pub keys: Keys,
    /// Everything that was handed out so far.
    pub heard: Vec<Notice>,
}

impl Side {
    pub async fn new(relays: &[String]) -> Self {
        Self::with(Keys::generate(), RelayConfig::new(relays)).await
    }

    pub async fn with(keys: Keys, config: RelayConfig) -> Self {
        let market = RelayMarket::connect(Identity::from(keys.clone()), config)
            .await
            .unwrap();
        Self {
            market,
            keys,
            heard: Vec::new(),
        }
    }

    /// Watches for jobs of kind 5050 of the last hour, and announcements.
    pub async fn sell(&self) {
        let interest = Interest {
            request_kinds: vec![5_050],
            requests_since_s: now_s() - 3_600,
            announcements_for: vec![5_050],
            announcements_since_s: now_s() - 90,
            ..Interest::default()
        };
        self.market.watch(interest).await.unwrap();
    }

    /// Watches for answers to kind 5050.
    pub async fn buy(&self) {
        let interest = Interest {
            own_kinds: vec![5_050],
            answers_since_s: Some(now_s() - 60),
            announcements_for: vec![5_050],
            announcements_since_s: now_s() - 90,
            ..Interest::default()
        };
        self.market.watch(interest).await.unwrap();
    }

    /// Waits until a notice is what `pick` looks for; notices before it are kept in `heard`.
    pub async fn until<T>(&mut self, pick: impl Fn(&Notice) -> Option<T>) -> T {
        let search = async {
            let mut next = 0;
            loop {
                if let Some(found) = self.heard[next..].iter().find_map(&pick) {
                    return found;
                }
                next = self.heard.len();
                self.heard.extend(self.market.next_batch(16).await.unwrap());
            }
        };
        tokio::time::timeout(PATIENCE, search)
            .await
            .expect("it comes in time")
    }

    pub async fn job(&mut self, id: autopilot_events::words::EventId) -> JobRequest {
        self.until(|notice| match notice {
            Notice::Observed(seen) => match &seen.item {
                MarketItem::Request(job) if job.native_id == id => Some((**job).clone()),
                _ => None,
            },
            _ => None,
        })
        .await
    }

    pub async fn result(&mut self, job: autopilot_events::words::EventId) -> JobResult {
        self.until(|notice| match notice {
            Notice::Observed(seen) => match &seen.item {
                MarketItem::Result(result) if result.job == job => Some((**result).clone()),
                _ => None,
            },
            _ => None,
        })
        .await
    }

    /// Publishes; at least one relay must accept.
    pub async fn publish(&self, event: &SignedEvent) {
        let outcomes = self.market.publish(event, |_| {}).await.unwrap();
        assert!(outcomes.iter().any(|outcome| outcome.accepted), "{outcomes:?}");
    }

    /// Composes and publishes an open job.
    pub async fn ask(&self, text: &str) -> SignedEvent {
        let event = self.market.compose_request(&open_job(text), now_s()).unwrap();
        self.publish(&event).await;
        event
    }

    /// The items heard, as comparable words: which event, and what was understood of it.
    pub fn items(&self) -> Vec<MarketItem> {
        let mut items: Vec<_> = self
            .heard
            .iter()
            .filter_map(|notice| match notice {
                Notice::Observed(seen) => Some(seen.item.clone()),
                _ => None,
            })
            .collect();
        items.sort_by_key(MarketItem::native_id);
        items.dedup();
        items
    }
}

pub async fn relays(count: usize) -> (Vec<EmbeddedRelay>, Vec<String>) {
    let mut relays = Vec::new();
    for _ in 0..count {
        relays.push(EmbeddedRelay::start_on_loopback().await.unwrap());
    }
    let urls = relays.iter().map(EmbeddedRelay::url).collect();
    (relays, urls)
}

pub fn open_job(text: &str) -> NewRequest {
    NewRequest {
        kind: 5_050,
        inputs: vec![JobInput::text(text)],
        bid_msat: Some(Msat(10_000)),
        output: Some("text/plain".into()),
        ..NewRequest::default()
    }
}

pub fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
