//! Data of an application that its identity signs (NIP-78): what a statement of earnings is sealed with.
use autopilot_core::ports::market::{MarketError, SignedEvent};

use crate::{Identity, nip90};

/// Application data under an address.
const DATA_KIND: u16 = 30_078;

impl Identity {
    /// Signs an event of kind 30078 with exactly these tags. Nothing is published.
    ///
    /// # Errors
    /// [`MarketError`], where it would be too large or can't be signed.
    pub fn application_data(
        &self,
        tags: Vec<Vec<String>>,
        content: String,
        created_at_s: u64,
    ) -> Result<SignedEvent, MarketError> {
        Ok(nip90::sign(self.keys(), DATA_KIND, tags, content, created_at_s)?)
    }
}
