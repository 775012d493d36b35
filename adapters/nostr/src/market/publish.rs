//! Publishing: the same bytes to every relay at once, each outcome on its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use autopilot_core::ports::market::{JournalKind, MarketError, PublishOutcome, RelayState, SignedEvent};
use autopilot_events::words::EventId;
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
/// How long a relay that missed an event is offered it again when it comes back. An invoice lives an hour by default.
const OFFERED_AGAIN: Duration = Duration::from_secs(3_600);
/// Our words where a relay has none.
const TIMEOUT: &str = "timeout";
const NOT_CONNECTED: &str = "not connected";

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
        note(&outcome, stats, parsed, journal);
        on_outcome(&outcome);
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

/// Offers a relay that is back what it missed, in order. A relay that is gone again misses it once more.
pub(super) async fn offer_again(relay: Relay, stats: Arc<LaneStats>, journal: Arc<Journal>, bound: Duration) {
    for event in stats.take_missed() {
        let (outcome, stats) = publish_to(&relay, &stats, &event, bound).await;
        note(&outcome, stats, &event, &journal);
    }
}

fn note(outcome: &PublishOutcome, stats: &LaneStats, event: &Event, journal: &Journal) {
    let what = if outcome.accepted {
        JournalKind::Accepted
    } else {
        JournalKind::Refused
    };
    let kind = event.kind.as_u16();
    let detail = format!("kind {kind} in {} ms: {}", outcome.elapsed_ms, outcome.reason);
    journal.note(&outcome.relay, Some(EventId(event.id.to_bytes())), what, &detail);
    if outcome.accepted {
        stats.forget(event);
        return stats.accepted(outcome.elapsed_ms);
    }
    match outcome.reason.as_str() {
        TIMEOUT => stats.unanswered(),
        NOT_CONNECTED => {
            stats.forget(event);
            stats.missed(event, Instant::now() + OFFERED_AGAIN);
            return stats.not_reached(&outcome.reason);
        }
        // The relay's own words are its last on this event.
        _ => return stats.refused(&outcome.reason),
    }
    stats.forget(event);
    stats.missed(event, Instant::now() + OFFERED_AGAIN);
    stats.refused(&outcome.reason);
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
            _ => Err(NOT_CONNECTED.to_owned()),
        }
    });
    let (accepted, reason) = match answer.await {
        Ok(Ok(_)) => (true, String::new()),
        // "duplicate:" with a refusal still says that the relay has it.
        Ok(Err(words)) => (words.starts_with("duplicate:"), words),
        Err(_) => (false, TIMEOUT.to_owned()),
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
        RelayError::Timeout => TIMEOUT.to_owned(),
        RelayError::NotConnected => NOT_CONNECTED.to_owned(),
        other => other.to_string(),
    }
}
