//! Nothing is lost: overflow, a relay that restarts, a relay that closes subscriptions.

use autopilot_core::ports::market::{Market, Notice};
use autopilot_nostr::RelayConfig;
use autopilot_nostr::relay::EmbeddedRelay;
use nostr::Keys;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::fake_relay::{FakeRelay, asks_for, event_for};
use crate::side::{Side, now_s, open_job, relays};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_overflow_is_told_and_made_good() {
    let (_running, urls) = relays(1).await;
    let buyer = Side::new(&urls).await;
    let mut asked = Vec::new();
    for n in 0..100 {
        asked.push(buyer.ask(&format!("job {n}")).await.id);
    }
    let mut config = RelayConfig::new(&urls);
    config.lane_capacity = 60;
    let mut provider = Side::with(Keys::generate(), config).await;
    provider.sell().await;
    let overflown = async {
        while provider.market.relays().await[0].delivered < 100 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::side::PATIENCE, overflown)
        .await
        .unwrap();
    for id in asked {
        provider.job(id).await;
    }
    let skips = provider.heard.iter().map(|notice| match notice {
        Notice::Lagged { skipped } => *skipped,
        _ => 0,
    });
    // The hundredth is counted a moment before it is queued: it may find the queue emptied already.
    let skipped: u64 = skips.sum();
    assert!((39..=40).contains(&skipped), "60 fit, {skipped} were skipped");
    assert_eq!(provider.items().len(), 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_relay_is_subscribed_again() {
    let relay = EmbeddedRelay::start_on_loopback().await.unwrap();
    let (addr, urls) = (relay.addr(), vec![relay.url()]);
    let mut config = RelayConfig::new(&urls);
    config.retry_interval = std::time::Duration::from_millis(200);
    let mut provider = Side::with(Keys::generate(), config.clone()).await;
    provider.sell().await;
    let buyer = Side::new(&urls).await;
    let before = buyer.ask("before").await;
    provider.job(before.id).await;
    drop(buyer);
    relay.shutdown().await;

    let relay = EmbeddedRelay::start(addr).await.unwrap();
    let buyer = Side::with(Keys::generate(), config).await;
    let after = buyer.ask("after").await;
    provider.job(after.id).await;
    drop((provider, buyer));
    relay.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_subscription_is_made_again() {
    let stranger = Side::new(&["ws://127.0.0.1:9".into()]).await;
    let job = stranger
        .market
        .compose_request(&open_job("late"), now_s())
        .unwrap();
    let event: Value = serde_json::from_slice(&job.json).unwrap();
    let relay = FakeRelay::start(
        move |message, count| match (asks_for(message, "requests"), count) {
            (true, 1..=2) => vec![Message::text(
                json!(["CLOSED", message[1], "error: try later"]).to_string(),
            )],
            (true, _) => vec![event_for(message, &event)],
            _ => vec![],
        },
    )
    .await;
    let mut provider = Side::new(std::slice::from_ref(&relay.url)).await;
    provider.sell().await;
    provider.job(job.id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_ends_the_stream() {
    let (running, urls) = relays(1).await;
    let side = Side::new(&urls).await;
    side.sell().await;
    side.market.close().await;
    assert!(side.market.next_batch(1).await.is_err());
    for relay in running {
        relay.shutdown().await;
    }
}
