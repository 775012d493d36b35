//! Heads of ledgers at relays: composed as the identity's own events, and asked for where they lie.

use autopilot_core::ports::market::{JournalKind, MarketError, SignedEvent};
use autopilot_events::words::PublicKey;
use futures_util::future::join_all;

use super::RelayMarket;
use super::guest::{Visitor, chosen};
use crate::heads::{self, HeadEvent};

/// The most relays besides ours that are asked for heads.
const MAX_ELSEWHERE: usize = 4;

/// What one relay holds.
#[derive(Clone, Debug)]
pub struct HeldHeads {
    /// The relay's address.
    pub relay: String,
    /// The heads that it gave, or why it could not be asked.
    pub heads: Result<Vec<HeadEvent>, String>,
}

impl RelayMarket {
    /// Composes and signs the event that carries a signed head. The same note and date give the same event id.
    ///
    /// # Errors
    /// [`MarketError::Invalid`], where the key does not check the note.
    pub fn compose_head(
        &self,
        note: &str,
        verifier_key: &str,
        created_at_s: u64,
    ) -> Result<SignedEvent, MarketError> {
        heads::compose(self.identity.keys(), note, verifier_key, created_at_s)
    }

    /// Asks our relays, and the first few of `elsewhere` that are not ours, for the heads that `author` published: of
    /// one ledger, or of any. Each relay is visited once and all at the same time, within the bound of a publication.
    pub async fn heads_of(
        &self,
        author: PublicKey,
        origin: Option<&str>,
        elsewhere: &[String],
    ) -> Vec<HeldHeads> {
        let Some(filter) = heads::filter(author, origin) else {
            return Vec::new();
        };
        let home = Visitor {
            allow_private: true,
            ..self.visitor()
        };
        let others = chosen(
            elsewhere.iter().map(String::as_str),
            |url| self.is_ours(url),
            MAX_ELSEWHERE,
        );
        let used = self.lanes.used();
        let ours = used.iter().map(|(relay, _)| (home, relay.url()));
        let visits = ours.chain(others.iter().map(|url| (self.visitor(), url)));
        let filter = &filter;
        join_all(visits.map(|(visitor, url)| async move {
            let found = visitor.fetch(url, filter).await;
            let heads = found.map(|events| events.iter().filter_map(heads::read).collect());
            HeldHeads {
                relay: url.to_string(),
                heads: heads.map_err(|error| {
                    let words = error.to_string();
                    self.journal
                        .note(url.as_str(), None, JournalKind::Said, &format!("heads: {words}"));
                    words
                }),
            }
        }))
        .await
    }
}
