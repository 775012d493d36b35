//! Data of an application that its identity signs (NIP-78): what a statement of earnings rests on and is sealed with.
use autopilot_core::ports::market::{MarketError, SignedEvent};

use crate::{
    Identity,
    heads::{self, HEAD_KIND},
    nip90,
};

impl Identity {
    /// Signs the event that carries a head and binds its key to this identity. Nothing is published.
    ///
    /// # Errors
    /// [`MarketError::Invalid`], where the note is no head by that key.
    pub fn head_event(
        &self,
        note: &str,
        verifier_key: &str,
        created_at_s: u64,
    ) -> Result<SignedEvent, MarketError> {
        heads::compose(self.keys(), note, verifier_key, created_at_s)
    }

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
        Ok(nip90::sign(self.keys(), HEAD_KIND, tags, content, created_at_s)?)
    }
}
