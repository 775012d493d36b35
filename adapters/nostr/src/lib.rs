//! The first market: NIP-90 jobs over Nostr relays.
//!
//! [`nip90`] reads and writes events and touches nothing else; [`RelayMarket`] is the
//! [`Market`](autopilot_core::ports::market::Market) over a configured set of relays; [`relay`] embeds a relay for
//! tests and the sandbox.

mod data;
pub mod heads;
mod identity;
mod market;
pub mod nip90;
#[cfg(feature = "relay")]
pub mod relay;
mod words;

pub use identity::{BadMnemonic, Identity, npub, public_key};
#[doc(hidden)]
pub use market::Reading;
pub use market::{DEFAULT_RELAYS, HeldHeads, MAX_RELAYS, RelayConfig, RelayMarket};
