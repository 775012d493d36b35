//! Nothing is lost: overflow, a relay that restarts, closes subscriptions, was away or is silent.

use autopilot_core::ports::market::{Interest, Market, MarketItem, Notice};
use autopilot_nostr::RelayConfig;
use autopilot_nostr::relay::EmbeddedRelay;
use nostr::Keys;
use serde_json::{Value, json};

use crate::side::{Side, now_s, open_job, relays};
use autopilot_hostile_relay::{HostileRelay, Message, acknowledge, asks_for, event_for};

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

/// A relay that lies in `OK` was the only one there: what it "took" reaches the honest one when that comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_relay_missed_is_offered_again_when_it_is_back() {
    let relay = EmbeddedRelay::start_on_loopback().await.unwrap();
    let (addr, honest) = (relay.addr(), relay.url());
    let liar = HostileRelay::start(|message, _| match message[0].as_str() {
        Some("EVENT") => vec![acknowledge(message, true, "")],
        _ => vec![],
    })
    .await;
    let mut config = RelayConfig::new([honest.clone(), liar.url.clone()]);
    config.retry_interval = std::time::Duration::from_millis(200);
    let mut provider = Side::with(Keys::generate(), config.clone()).await;
    provider.sell().await;
    let buyer = Side::new(std::slice::from_ref(&honest)).await;
    let asked = buyer.ask("worked while the relay is away").await;
    let job = provider.job(asked.id).await;
    drop(buyer);
    relay.shutdown().await;
    while provider.market.relays().await[0].serves() {
        tokio::task::yield_now().await;
    }
    for kinds in [&[5_050][..], &[]] {
        let announced = provider.market.compose_announcement(kinds, "", now_s()).unwrap();
        provider.publish(&announced).await;
    }
    let result = provider
        .market
        .compose_result(&job, "done", None, now_s())
        .unwrap();
    provider.publish(&result).await;

    let relay = EmbeddedRelay::start(addr).await.unwrap();
    config.relays.truncate(1);
    let mut reader = Side::with(provider.keys.clone(), config).await;
    let interest = Interest {
        own_jobs: vec![asked.id],
        own_kinds: vec![5_050],
        announcements_for: vec![5_050],
        announcements_since_s: now_s() - 90,
        ..Interest::default()
    };
    reader.market.watch(interest).await.unwrap();
    assert_eq!(reader.result(asked.id).await.native_id, result.id);
    let offers = reader.items();
    let offers = offers.iter().filter_map(|item| match item {
        MarketItem::Announcement(offer) => Some(offer.kinds.clone()),
        _ => None,
    });
    assert!(
        offers.flatten().next().is_none(),
        "an announcement that was withdrawn meanwhile is not made again"
    );
    drop((provider, reader));
    relay.shutdown().await;
}

/// Connected is not enough: a relay that leaves everything unanswered does not count.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_answers_nothing_is_silent_until_it_speaks() {
    let relay = HostileRelay::that_hangs().await;
    let mut config = RelayConfig::new(std::slice::from_ref(&relay.url));
    config.publish_timeout = std::time::Duration::from_millis(200);
    config.retry_interval = std::time::Duration::from_millis(200);
    let side = Side::with(Keys::generate(), config).await;
    for n in 0..2 {
        let event = side
            .market
            .compose_request(&open_job(&format!("{n}")), now_s())
            .unwrap();
        let outcomes = side.market.publish(&event, |_| {}).await.unwrap();
        assert_eq!(
            (outcomes[0].accepted, outcomes[0].reason.as_str()),
            (false, "timeout")
        );
        assert_eq!(side.market.relays().await[0].serves(), n == 0);
    }
    relay.push(vec![Message::text("[\"NOTICE\",\"I am here\"]")]);
    let speaks = async {
        while !side.market.relays().await[0].serves() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::side::PATIENCE, speaks).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_subscription_is_made_again() {
    let stranger = Side::new(&["ws://127.0.0.1:9".into()]).await;
    let job = stranger
        .market
        .compose_request(&open_job("late"), now_s())
        .unwrap();
    let event: Value = serde_json::from_slice(&job.json).unwrap();
    let relay = HostileRelay::start(
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
