//! Relays by hand, while the market runs: what is watched is watched at a new one too, and nothing comes from one that is gone.

use std::time::Duration;

use autopilot_core::ports::market::Market;
use autopilot_nostr::{MAX_RELAYS, RelayConfig};
use nostr::Keys;

use crate::side::{PATIENCE, Side, relays};

async fn serves(provider: &Side, relay: usize) {
    let connected = async {
        while !provider.market.relays().await[relay].serves() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, connected)
        .await
        .expect("it connects");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_is_added_is_heard_at_once_and_one_that_is_removed_no_more() {
    let (_running, urls) = relays(2).await;
    let mut provider = Side::new(&urls[..1]).await;
    provider.sell().await;
    let (here, there) = (Side::new(&urls[..1]).await, Side::new(&urls[1..]).await);
    let asked = there.ask("asked before anybody listened").await;

    let address = provider.market.add_relay(&urls[1]).await.unwrap();
    assert_eq!(provider.market.addresses().len(), 2);
    let job = provider.job(asked.id).await;
    assert_eq!(job.input, "asked before anybody listened");
    assert!(
        provider.market.add_relay(&urls[1]).await.is_err(),
        "it is in use already"
    );
    let published = provider
        .market
        .compose_result(&job, "done", None, crate::side::now_s())
        .unwrap();
    let outcomes = provider.market.publish(&published, |_| {}).await.unwrap();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.accepted).count(), 2);

    provider.market.remove_relay(&address).await.unwrap();
    assert_eq!(provider.market.relays().await.len(), 1);
    let unheard = there.ask("nobody listens here any more").await;
    let heard = here.ask("but here").await;
    provider.job(heard.id).await;
    assert!(provider.items().iter().all(|item| item.native_id() != unheard.id));
    assert!(
        provider.market.remove_relay(&address).await.is_err(),
        "it is gone"
    );

    // Once more, in a lane of its own.
    provider.market.add_relay(&urls[1]).await.unwrap();
    provider.job(unheard.id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_connects_at_once_and_goes_on_counting() {
    let (_running, urls) = relays(1).await;
    let mut config = RelayConfig::new(&urls);
    config.retry_interval = Duration::from_secs(600);
    let mut provider = Side::with(Keys::generate(), config).await;
    provider.sell().await;
    let buyer = Side::new(&urls).await;
    let first = buyer.ask("first").await;
    provider.job(first.id).await;
    let delivered = provider.market.relays().await[0].delivered;
    provider.market.retry_relay(&urls[0]).await.unwrap();
    serves(&provider, 0).await;
    let second = buyer.ask("second").await;
    provider.job(second.id).await;
    assert!(provider.market.relays().await[0].delivered > delivered);
    assert!(provider.market.retry_relay("ws://127.0.0.1:1").await.is_err());
}

#[tokio::test]
async fn nonsense_and_too_many_are_refused() {
    let (_running, urls) = relays(1).await;
    let provider = Side::new(&urls).await;
    for nonsense in ["", "relay.example", "https://relay.example"] {
        assert!(provider.market.address(nonsense).is_err(), "{nonsense:?}");
    }
    assert!(provider.market.check_count(0).is_err());
    assert!(provider.market.check_count(MAX_RELAYS).is_ok());
    assert!(provider.market.check_count(MAX_RELAYS + 1).is_err());
}
