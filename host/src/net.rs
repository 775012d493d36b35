//! What programs need of the market's adapter without running a host.
pub use autopilot_nostr::{DEFAULT_RELAYS, relay::EmbeddedRelay};
