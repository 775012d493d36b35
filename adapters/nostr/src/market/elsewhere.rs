//! What is done at relays that are not ours: answers where the buyer wants them, inputs where they lie.

use std::time::Instant;

use autopilot_core::ports::market::{
    InputType, JobInput, JournalKind, MarketError, PublishOutcome, ResolveError, Resolved, SignedEvent,
};
use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use nostr::{Event, Filter, JsonUtil, RelayUrl};

use super::RelayMarket;
use super::guest::{Visitor, chosen};
use crate::nip90::chain;

/// The most relays of a buyer's wishes that get its answers.
const MAX_GUEST_RELAYS: usize = 4;
/// Where in an input tag, after its name, a relay is hinted at.
const HINT_FIELD: usize = 2;

impl RelayMarket {
    pub(super) fn visitor(&self) -> Visitor {
        Visitor {
            allow_private: self.config.allow_private,
            bound: self.config.publish_timeout,
        }
    }

    pub(super) fn is_ours(&self, url: &RelayUrl) -> bool {
        self.lanes.lane_of(url).is_some()
    }

    pub(super) async fn publish_as_guest(
        &self,
        event: &SignedEvent,
        relays: &[String],
        mut on_outcome: impl FnMut(&PublishOutcome) + Send,
    ) -> Result<(), MarketError> {
        let parsed =
            Event::from_json(&event.json).map_err(|_| MarketError::Unreadable("no event in JSON".into()))?;
        let (visitor, parsed) = (self.visitor(), &parsed);
        let urls = chosen(
            relays.iter().map(String::as_str),
            |url| self.is_ours(url),
            MAX_GUEST_RELAYS,
        );
        let mut visits: FuturesUnordered<_> = urls
            .iter()
            .map(|url| async move {
                let started = Instant::now();
                let taken = visitor.publish(url, parsed).await;
                PublishOutcome {
                    relay: url.to_string(),
                    accepted: taken.is_ok(),
                    reason: taken.err().map(|error| error.to_string()).unwrap_or_default(),
                    elapsed_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
                }
            })
            .collect();
        while let Some(outcome) = visits.next().await {
            let what = match outcome.accepted {
                true => JournalKind::Accepted,
                false => JournalKind::Refused,
            };
            let detail = format!(
                "kind {} for the buyer in {} ms: {}",
                event.kind, outcome.elapsed_ms, outcome.reason
            );
            self.journal.note(&outcome.relay, Some(event.id), what, &detail);
            on_outcome(&outcome);
        }
        Ok(())
    }

    pub(super) async fn resolve_input(&self, input: &JobInput) -> Result<Resolved, ResolveError> {
        let id = input.data().parse().map_err(|_| {
            ResolveError::Unsuitable("an input names no event: 64 hexadecimal digits are needed".to_owned())
        })?;
        let hint = input.fields.get(HINT_FIELD).map(String::as_str);
        let hinted = chosen(hint, |url| self.is_ours(url), 1);
        let named = self.fetch(&chain::named(id), &hinted).await;
        let named = named.into_iter().next().ok_or(ResolveError::Missing(
            "no relay has the event that an input names",
        ))?;
        match input.input_type {
            InputType::Event => chain::of_event(&named),
            InputType::Job => {
                let answers = self.fetch(&chain::results_of(&named)?, &hinted).await;
                chain::of_job(&named, answers)
            }
            _ => Err(ResolveError::Unsuitable("this input can't be fetched".to_owned())),
        }
    }

    /// Stored events from our relays and others, each visited once and all at the same time.
    async fn fetch(&self, filter: &Filter, others: &[RelayUrl]) -> Vec<Event> {
        let home = Visitor {
            allow_private: true,
            ..self.visitor()
        };
        let used = self.lanes.used();
        let ours = used.iter().map(|(relay, _)| (home, relay.url()));
        let visits = ours.chain(others.iter().map(|url| (self.visitor(), url)));
        let found = join_all(visits.map(|(visitor, url)| async move {
            visitor.fetch(url, filter).await.inspect_err(|error| {
                self.journal
                    .note(url.as_str(), None, JournalKind::Said, &format!("input: {error}"));
            })
        }));
        found.await.into_iter().flatten().flatten().collect()
    }
}
