//! Encrypted jobs in both styles, answered in kind.

use autopilot_core::ports::market::{Encryption, Market, MarketError, MarketItem, Notice};

use crate::side::{Side, now_s, open_job, relays};

async fn sealed_both_ways(cipher: Encryption) {
    let (_running, urls) = relays(1).await;
    let (mut provider, mut buyer) = (Side::new(&urls).await, Side::new(&urls).await);
    let other = Side::new(&urls).await;
    provider.sell().await;
    buyer.buy().await;
    let mut request = open_job("a secret question");
    request.params.max_tokens = Some(7);
    request.providers = vec![provider.market.public_key()];
    request.encryption = Some(cipher);
    let asked = buyer.market.compose_request(&request, now_s()).unwrap();
    assert!(!String::from_utf8_lossy(&asked.json).contains("secret"));
    buyer.publish(&asked).await;

    let job = provider.job(asked.id).await;
    assert_eq!(
        (job.input.as_str(), job.params.max_tokens),
        ("a secret question", Some(7))
    );
    assert_eq!((job.encryption, job.targeted), (Some(cipher), true));
    assert!(matches!(
        other.market.parse(&asked.json),
        Err(MarketError::Sealed(_))
    ));
    // The buyer reads its own job again after a restart.
    let MarketItem::Request(own) = buyer.market.parse(&asked.json).unwrap() else {
        panic!("a request")
    };
    assert_eq!(own.input, "a secret question");

    let result = provider
        .market
        .compose_result(&job, "a secret answer", None, now_s())
        .unwrap();
    assert!(!String::from_utf8_lossy(&result.json).contains("secret"));
    let json: serde_json::Value = serde_json::from_slice(&result.json).unwrap();
    assert!(
        json["tags"].as_array().unwrap().iter().all(|tag| tag[0] != "i"),
        "no clear input"
    );
    provider.publish(&result).await;
    let got = buyer.result(asked.id).await;
    assert_eq!(
        (got.content.as_str(), got.encryption),
        ("a secret answer", Some(cipher))
    );
    let reread = provider.market.parse(&result.json).unwrap();
    assert!(matches!(reread, MarketItem::Result(result) if result.content == "a secret answer"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nip04() {
    sealed_both_ways(Encryption::Nip04).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nip44() {
    sealed_both_ways(Encryption::Nip44).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_seal_for_us_is_told() {
    let (_running, urls) = relays(1).await;
    let (mut provider, buyer) = (Side::new(&urls).await, Side::new(&urls).await);
    provider.sell().await;
    let keys = nostr::Keys::generate();
    let me = nostr::PublicKey::from_slice(&provider.market.public_key().0).unwrap();
    let tags = [
        nostr::Tag::public_key(me),
        nostr::Tag::parse(["encrypted"]).unwrap(),
    ];
    let event = nostr::EventBuilder::new(nostr::Kind::from(5_050), "no seal at all").tags(tags);
    let event = event.sign_with_keys(&keys).unwrap();
    let signed = autopilot_core::ports::market::SignedEvent {
        id: autopilot_events::words::EventId(event.id.to_bytes()),
        kind: 5_050,
        json: nostr::JsonUtil::as_json(&event).into_bytes(),
    };
    buyer.publish(&signed).await;
    let reason = provider
        .until(|notice| match notice {
            Notice::Unreadable { id, reason, .. } if *id == signed.id => Some(reason.clone()),
            _ => None,
        })
        .await;
    assert!(reason.contains("unsealed"), "{reason}");
}
