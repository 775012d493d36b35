//! What the market needs to know of the world: the relays, and bounds.

use std::time::Duration;

/// Relays for real networks: public, long-lived, storing kinds 5000–7000, each taking at least 64 KiB.
pub const DEFAULT_RELAYS: &[&str] = &[
    "wss://relay.damus.io",
    "wss://nos.lol",
    "wss://relay.primal.net",
    "wss://nostr.mom",
];

/// The most relays of one market.
pub const MAX_RELAYS: usize = 32;

/// Relays and bounds.
#[derive(Clone, Debug)]
pub struct RelayConfig {
    /// Addresses, `ws://` or `wss://`, 1 to [`MAX_RELAYS`]; the same one twice counts once.
    pub relays: Vec<String>,
    /// The name of our announcement (the `d` tag).
    pub identifier: String,
    /// How long a publication waits for the slowest relay.
    pub publish_timeout: Duration,
    /// How long a connection may take to come up.
    pub connect_timeout: Duration,
    /// How long to wait before a lost connection is tried again.
    pub retry_interval: Duration,
    /// Notices held per relay until they are fetched; beyond it the relay is asked again later.
    pub lane_capacity: usize,
    /// Journal entries held until they are drained.
    pub journal_capacity: usize,
    /// Whether relays that somebody else names may lie on this machine or in a private network: where everything does.
    pub allow_private: bool,
    /// Ids remembered per kind of subscription, to hand out an event once and not once per relay.
    pub seen_capacity: usize,
}

impl RelayConfig {
    /// These relays, with bounds that suit a provider at home.
    pub fn new(relays: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            relays: relays.into_iter().map(Into::into).collect(),
            identifier: "autopilot".to_owned(),
            publish_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(10),
            retry_interval: Duration::from_secs(2),
            lane_capacity: 256,
            journal_capacity: 4_096,
            allow_private: false,
            seen_capacity: 16_384,
        }
    }
}
