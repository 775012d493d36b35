//! Publishing: the same bytes to every relay at once, each outcome on its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use autopilot_core::ports::market::{JournalKind, MarketError, PublishOutcome, RelayState, SignedEvent};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use nostr::{Event, JsonUtil};
use nostr_sdk::Relay;
use nostr_sdk::pool::relay::Error as RelayError;

use super::journal::Journal;
use super::lane::LaneStats;
use crate::words::clip;

/// Bytes kept of a relay's words.
const MAX_REASON_BYTES: usize = 200;

pub(super) async fn publish(
    event: &SignedEvent,
    lanes: &[(Relay, Arc<LaneStats>)],
    journal: &Journal,
    bound: Duration,
    mut on_outcome: impl FnMut(&PublishOutcome) + Send,
) -> Result<Vec<PublishOutcome>, MarketError> {
    let parsed =
        Event::from_json(&event.json).map_err(|_| MarketError::Unreadable("no event in JSON".into()))?;
    if parsed.id.to_bytes() != event.id.0 {
        return Err(MarketError::Forged);
    }
    let parsed = &parsed;
    let mut running: FuturesUnordered<_> = lanes
        .iter()
        .map(|(relay, stats)| publish_to(relay, stats, parsed, bound))
        .collect();
    let mut outcomes = Vec::with_capacity(lanes.len());
    while let Some((outcome, stats)) = running.next().await {
        let what = if outcome.accepted {
            JournalKind::Accepted
        } else {
            JournalKind::Refused
        };
        let detail = format!(
            "kind {} in {} ms: {}",
            event.kind, outcome.elapsed_ms, outcome.reason
        );
        journal.note(&outcome.relay, Some(event.id), what, &detail);
        match outcome.accepted {
            true => stats.accepted(outcome.elapsed_ms),
            false => stats.refused(&outcome.reason),
        }
        on_outcome(&outcome);
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

async fn publish_to<'a>(
    relay: &Relay,
    stats: &'a LaneStats,
    event: &Event,
    bound: Duration,
) -> (PublishOutcome, &'a LaneStats) {
    let started = Instant::now();
    let answer = tokio::time::timeout(bound, async {
        if stats.is_first_attempt() {
            stats.settled().await;
        }
        match stats.state() {
            RelayState::Connected => relay.send_event(event).await.map_err(words),
            _ => Err("not connected".to_owned()),
        }
    });
    let (accepted, reason) = match answer.await {
        Ok(Ok(_)) => (true, String::new()),
        // "duplicate:" with a refusal still says that the relay has it.
        Ok(Err(words)) => (words.starts_with("duplicate:"), words),
        Err(_) => (false, "timeout".to_owned()),
    };
    let outcome = PublishOutcome {
        relay: stats.url.clone(),
        accepted,
        reason: clip(&reason, MAX_REASON_BYTES).to_owned(),
        elapsed_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    };
    (outcome, stats)
}

fn words(error: RelayError) -> String {
    match error {
        RelayError::Timeout => "timeout".to_owned(),
        RelayError::NotConnected => "not connected".to_owned(),
        other => other.to_string(),
    }
}
