//! What programs need of the market's adapter without running a host.
pub use autopilot_core::embedding::EMBEDDING;
pub use autopilot_nostr::{DEFAULT_RELAYS, nip90::embedding::Embeddings, relay::EmbeddedRelay};
