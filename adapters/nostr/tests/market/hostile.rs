//! A relay that lies, tampers, shouts and hangs: what the market hands out is as with the honest relay alone.

use autopilot_core::ports::market::{JournalKind, Market, MarketItem, Notice};
use autopilot_nostr::RelayConfig;
use nostr::Keys;
use serde_json::{Value, json};

use crate::side::{Side, now_s, open_job, relays};
use autopilot_hostile_relay::{HostileRelay, Message, altered, asks_for, event_for, forgeries, noise};

/// Everything that a relay can do wrong with a true event, the altered copies before and after the true one.
fn lies(request: &Value, event: &Value) -> Vec<Message> {
    let other_key = Keys::generate().public_key().to_string();
    let forged = || {
        forgeries(event, &other_key)
            .into_iter()
            .map(|forged| event_for(request, &forged))
    };
    let mut messages: Vec<Message> = forged().chain(noise(event)).collect();
    messages.push(event_for(request, event));
    messages.extend(forged());
    messages
}

async fn heard_by(
    urls: &[String],
    keys: &Keys,
    last: autopilot_events::words::EventId,
) -> (Side, Vec<MarketItem>) {
    let mut side = Side::with(keys.clone(), RelayConfig::new(urls)).await;
    side.sell().await;
    side.job(last).await;
    let items = side.items();
    (side, items)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_altered_copy_that_comes_first_hides_nothing() {
    let (_running, urls) = relays(1).await;
    let buyer = Side::new(&urls).await;
    let job = buyer
        .market
        .compose_request(&open_job("the true words"), now_s())
        .unwrap();
    let event: Value = serde_json::from_slice(&job.json).unwrap();
    let hostile = HostileRelay::start(move |message, _| match asks_for(message, "requests") {
        true => vec![event_for(message, &altered(&event, "content", json!("altered")))],
        false => vec![],
    })
    .await;
    let mut provider = Side::new(&[hostile.url.clone(), urls[0].clone()]).await;
    provider.sell().await;
    // The honest relay gets the job only after the forged copy was met.
    let forged = async {
        while provider.market.relays().await[0].forged == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::side::PATIENCE, forged).await.unwrap();
    buyer.publish(&job).await;
    assert_eq!(provider.job(job.id).await.raw, job.json);
    let journal = provider.market.drain_journal(1_000).entries;
    assert!(
        journal
            .iter()
            .any(|entry| entry.what == JournalKind::Forged && entry.event == Some(job.id))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_lies_together_change_nothing() {
    let (_running, urls) = relays(1).await;
    let buyer = Side::new(&urls).await;
    let mut jobs = Vec::new();
    for n in 0..5 {
        jobs.push(buyer.ask(&format!("job {n}")).await);
    }
    let events: Vec<Value> = jobs
        .iter()
        .map(|job| serde_json::from_slice(&job.json).unwrap())
        .collect();
    let last = jobs[4].id;
    let keys = Keys::generate();
    let (_honest_side, mut honest) = heard_by(&urls, &keys, last).await;

    let hostile = HostileRelay::start(move |message, _| {
        let mut answers = Vec::new();
        if asks_for(message, "requests") {
            answers.extend(events.iter().flat_map(|event| lies(message, event)));
            // Beyond every bound: the connection is cut here.
            answers.push(Message::text("x".repeat(3_000_000)));
        }
        answers
    })
    .await;
    let (mut side, _) = heard_by(&[hostile.url.clone(), urls[0].clone()], &keys, last).await;
    let marker = buyer.ask("the end").await;
    side.job(marker.id).await;
    let mut both = side.items();
    both.retain(|item| item.native_id() != marker.id);
    // The honest side may not have waited for all five before; complete it by what it is told next.
    let (mut again, _) = heard_by(&urls, &keys, marker.id).await;
    for job in &jobs {
        again.job(job.id).await;
        side.job(job.id).await;
    }
    honest.extend(again.items());
    both.extend(side.items());
    for items in [&mut honest, &mut both] {
        items.retain(|item| item.native_id() != marker.id);
        items.sort_by_key(MarketItem::native_id);
        items.dedup();
    }
    assert_eq!(honest.len(), 5);
    assert_eq!(honest, both);
    let once = side
        .heard
        .iter()
        .filter(|n| matches!(n, Notice::Observed(o) if o.item.native_id() == jobs[0].id));
    assert_eq!(once.count(), 1, "an event is handed out once, not once per relay");
    let told = &side.market.relays().await[0];
    assert!(told.forged >= 10 && told.last_error.is_some(), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_valid_events_delays_nobody_else() {
    let (_running, urls) = relays(1).await;
    let (buyer, spammer) = (Side::new(&urls).await, Side::new(&urls).await);
    let spam: Vec<Value> = (0..2_000)
        .map(|n| {
            spammer
                .market
                .compose_request(&open_job(&format!("spam {n}")), now_s())
                .unwrap()
        })
        .map(|event| serde_json::from_slice(&event.json).unwrap())
        .collect();
    let hostile = HostileRelay::start(move |message, _| match asks_for(message, "requests") {
        true => spam.iter().map(|event| event_for(message, event)).collect(),
        false => vec![],
    })
    .await;
    let mut config = RelayConfig::new([hostile.url.clone(), urls[0].clone()]);
    config.lane_capacity = 64;
    let provider = Side::with(Keys::generate(), config).await;
    provider.sell().await;
    let flooded = async {
        while provider.market.relays().await[0].delivered < 1_000 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::side::PATIENCE, flooded)
        .await
        .unwrap();
    let job = buyer.ask("a real job").await;
    let arrived = async {
        while provider.market.relays().await[1].delivered == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::side::PATIENCE, arrived)
        .await
        .unwrap();
    // Counted just before it is queued, so that the first batch may miss it; behind the flood it would be in the ninth.
    let mut found = false;
    for _ in 0..3 {
        let batch = provider.market.next_batch(8).await.unwrap();
        let is_it = |notice: &Notice| matches!(notice, Notice::Observed(o) if o.item.native_id() == job.id);
        found |= batch.iter().any(is_it);
    }
    assert!(found, "the honest relay's lane has its turn in every batch");
}
