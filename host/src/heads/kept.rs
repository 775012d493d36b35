//! Heads of providers that we bought from: fetched after a payment, kept as facts, and handed on to our relays, so that
//! a provider finds them there whatever its own relays lost.
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use autopilot_core::{
    Input,
    heads::SeenHead,
    ports::market::{EVENT_LIMIT_BYTES, SignedEvent},
};
use autopilot_events::{
    pb::BodyRef,
    words::{EventId, PublicKey},
};
use autopilot_nostr::heads::{HEAD_KIND, HeadEvent};
use tokio::time::Instant;

use crate::{
    effects,
    ledger::{Done, SubmitError},
    outside::Outside,
};

/// A provider's head is asked for this often at most, however much is bought of it.
const ASK_AGAIN: Duration = Duration::from_secs(600);
/// Heads of one provider that are recorded at once, the last ones.
const MAX_TOLD: usize = 8;
/// Kept heads that are handed on at a start, the newest.
const HANDED_ON: usize = 32;

/// Runs until the ledger stops.
pub async fn run(outside: Outside) {
    if hand_on(&outside).await.is_err() {
        return;
    }
    let mut head = outside.ledger.head();
    let mut asked: HashMap<PublicKey, Instant> = HashMap::new();
    loop {
        let Ok(paid) = outside.ledger.look(paid_providers).await else {
            return;
        };
        asked.retain(|_, at| at.elapsed() < ASK_AGAIN);
        for provider in paid {
            if asked.contains_key(&provider) {
                continue;
            }
            asked.insert(provider, Instant::now());
            match keep(&outside, provider).await {
                Ok(()) => {}
                Err(SubmitError::Stopped) => return,
                Err(error) => tracing::warn!(%error, %provider, "its head is not kept"),
            }
        }
        if head.changed().await.is_err() {
            return;
        }
    }
}

/// Providers of purchases that are paid and not long over.
fn paid_providers(engine: &autopilot_core::Engine) -> Vec<PublicKey> {
    let winners = engine.state().purchases.listened();
    let winners = winners.filter_map(|(_, purchase)| purchase.winner.as_ref());
    winners.filter(|w| w.paid).map(|w| w.provider).collect()
}

/// Asks for the heads of a provider, records what is new in the order of their dates, and hands it on.
async fn keep(outside: &Outside, provider: PublicKey) -> Result<(), SubmitError> {
    let Ok(market) = outside.market() else {
        return Ok(());
    };
    let answers = market.heads_of(provider, None, &[]).await;
    let events = answers
        .into_iter()
        .filter_map(|answer| answer.heads.ok())
        .flatten();
    let heads: BTreeMap<(u64, u64, EventId), HeadEvent> = events
        .filter(|event| event.raw.len() <= EVENT_LIMIT_BYTES)
        .map(|event| ((event.created_at_s, event.head.size, event.id), event))
        .collect();
    for event in telling(heads.into_values().collect()) {
        let raw = event.raw.clone();
        let seen = SeenHead {
            provider: event.author,
            origin: event.head.origin,
            size: event.head.size,
            root: event.head.root,
            created_at_s: i64::try_from(event.created_at_s).unwrap_or(i64::MAX),
            event_id: event.id,
            event: BodyRef::default(),
        };
        let body = Some((format!("head/{provider}"), raw.as_slice()));
        let done = outside.ledger.submit(Input::HeadSeen(seen), body).await?;
        if matches!(&done, Done::Recorded { sequences, .. } if !sequences.is_empty()) {
            send(outside, event.id, raw);
        }
    }
    Ok(())
}

/// Of heads in the order of their dates those that say something: where growing ends and begins, and the last. A
/// ledger that only grew is told by its newest head alone.
fn telling(heads: Vec<HeadEvent>) -> Vec<HeadEvent> {
    let sizes: Vec<u64> = heads.iter().map(|event| event.head.size).collect();
    let size = |index: Option<usize>| index.and_then(|index| sizes.get(index)).copied();
    let turns = |index: usize| {
        let (before, now, after) = (
            size(index.checked_sub(1)),
            size(Some(index)),
            size(Some(index + 1)),
        );
        after.is_none() || after <= now || (before.is_some() && before >= now)
    };
    let mut telling: Vec<HeadEvent> = heads
        .into_iter()
        .enumerate()
        .filter(|(index, _)| turns(*index))
        .map(|(_, event)| event)
        .collect();
    telling.drain(..telling.len().saturating_sub(MAX_TOLD));
    telling
}

/// Hands kept heads on once more: relays forget, and come and go.
async fn hand_on(outside: &Outside) -> Result<(), SubmitError> {
    let kept = outside
        .ledger
        .look(|engine| {
            let kept = engine.state().kept_heads.all();
            let mut kept: Vec<_> = kept
                .map(|(_, k)| (k.at_ms, k.event_id, k.event.clone()))
                .collect();
            kept.sort_by_key(|(at_ms, ..)| std::cmp::Reverse(*at_ms));
            kept.truncate(HANDED_ON);
            kept
        })
        .await?;
    for (_, id, event) in kept {
        match outside.ledger.text(&event).await {
            Ok(Some(raw)) => send(outside, id, raw),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "a kept head can't be read"),
        }
    }
    Ok(())
}

/// Offers it to our relays, in a task that ends by the adapter's bound; outcomes are in the journal.
fn send(outside: &Outside, id: EventId, json: Vec<u8>) {
    let event = SignedEvent {
        id,
        kind: HEAD_KIND,
        json,
    };
    drop(effects::broadcast(outside, event, Vec::new()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use autopilot_events::{
        head::SignedHead,
        words::{ChainHash, TreeHash},
    };

    fn event(size: u64) -> HeadEvent {
        HeadEvent {
            id: EventId([0; 32]),
            author: PublicKey([1; 32]),
            head: SignedHead {
                origin: String::new(),
                size,
                root: TreeHash([2; 32]),
                chain: ChainHash([3; 32]),
                folds: BTreeMap::new(),
            },
            note: String::new(),
            verifier_key: String::new(),
            created_at_s: 0,
            raw: Vec::new(),
        }
    }

    fn check(sizes: &[u64], told: &[u64]) {
        let heads = sizes.iter().map(|size| event(*size)).collect();
        let sizes: Vec<u64> = telling(heads).iter().map(|event| event.head.size).collect();
        assert_eq!(sizes, told);
    }

    #[test]
    fn growth_is_told_by_its_end_and_every_step_back_by_both_sides() {
        check(&[], &[]);
        check(&[10, 20, 30], &[30]);
        check(&[10, 20, 15, 30], &[20, 15, 30]);
        check(&[10, 10, 20], &[10, 10, 20]);
        check(&[9, 1, 9, 1, 9, 1, 9, 1, 9, 1], &[9, 1, 9, 1, 9, 1, 9, 1]);
    }
}
