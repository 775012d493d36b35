//! A stranger's program, plain nostr-sdk without any code of ours, on the other side.

use autopilot_core::ports::market::{Bill, FeedbackStatus, Market, MarketItem, Notice};
use autopilot_events::words::{EventId, Msat};
use nostr_sdk::prelude::*;

use crate::side::{PATIENCE, Side, now_s, relays};

async fn stranger(urls: &[String]) -> Client {
    let client = Client::new(Keys::generate());
    for url in urls {
        client.add_relay(url).await.unwrap();
    }
    client.connect().await;
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn buys_from_us() {
    let (_running, urls) = relays(2).await;
    let mut provider = Side::new(&urls).await;
    provider.sell().await;
    let client = stranger(&urls).await;
    let tags = [
        Tag::parse(["i", "what is a relay?", "prompt"]).unwrap(),
        Tag::parse(["param", "max_tokens", "32"]).unwrap(),
        Tag::parse(["param", "top_k", "20"]).unwrap(),
        Tag::parse(["param", "timeout", "120"]).unwrap(),
        Tag::parse(["param", "temperature", "hot"]).unwrap(),
        Tag::parse(["param", "language", "en"]).unwrap(),
        Tag::parse(["bid", "21000"]).unwrap(),
        Tag::parse(["output", "text/plain"]).unwrap(),
        Tag::parse(["t", "test"]).unwrap(),
    ];
    let builder = EventBuilder::job_request(Kind::from(5_050)).unwrap().tags(tags);
    let request = client.sign_event_builder(builder).await.unwrap();
    client.send_event(&request).await.unwrap();

    let job = provider.job(EventId(request.id.to_bytes())).await;
    assert_eq!(
        (job.input.as_str(), job.bid_msat, job.ttl_s),
        ("what is a relay?", Some(Msat(21_000)), 120)
    );
    assert_eq!((job.params.max_tokens, job.params.top_k), (Some(32), Some(20)));
    assert_eq!(job.params.malformed, ["temperature"]);
    assert_eq!(job.params.other, [("language".to_owned(), "en".to_owned())]);

    let bill = Bill {
        amount_msat: Msat(21_000),
        bolt11: Some("lnbcrt210n1fake".into()),
    };
    let result = provider
        .market
        .compose_result(&job, "a server", Some(&bill), now_s())
        .unwrap();
    provider.publish(&result).await;
    let filter = Filter::new().kind(Kind::from(6_050)).event(request.id);
    let events = client.fetch_events(filter, PATIENCE).await.unwrap();
    let event = events.first().expect("the stranger finds the result");
    let tag = |name: &str| {
        let found = event.tags.iter().find(|tag| tag.as_slice()[0] == name);
        found.unwrap_or_else(|| panic!("a tag {name}")).as_slice()[1..].to_vec()
    };
    assert_eq!(event.content, "a server");
    assert_eq!(Event::from_json(&tag("request")[0]).unwrap(), request);
    assert_eq!(tag("e")[0], request.id.to_hex());
    assert!(
        urls.iter().any(|url| tag("e")[1].starts_with(url)),
        "a relay hint"
    );
    assert_eq!(tag("i"), ["what is a relay?", "prompt"]);
    assert_eq!(tag("p"), [request.pubkey.to_hex()]);
    assert_eq!(tag("amount"), ["21000", "lnbcrt210n1fake"]);
    client.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sells_to_us() {
    let (_running, urls) = relays(1).await;
    let mut buyer = Side::new(&urls).await;
    buyer.buy().await;
    let client = stranger(&urls).await;
    let asked = buyer.ask("to a stranger").await;
    let filter = Filter::new().kind(Kind::from(5_050));
    let events = client.fetch_events(filter, PATIENCE).await.unwrap();
    let request = events.first().expect("the stranger sees the job").clone();
    assert_eq!(request.id.to_bytes(), asked.id.0);

    let feedback =
        JobFeedbackData::new(&request, DataVendingMachineStatus::PaymentRequired).amount(5_000, None);
    client
        .send_event_builder(EventBuilder::job_feedback(feedback))
        .await
        .unwrap();
    let result = EventBuilder::job_result(request, "done", 10_000, None).unwrap();
    client.send_event_builder(result).await.unwrap();

    let got = buyer.result(asked.id).await;
    assert_eq!((got.content.as_str(), got.request_matches), ("done", true));
    let feedback = buyer
        .until(|notice| match notice {
            Notice::Observed(seen) => match &seen.item {
                MarketItem::Feedback(feedback) => Some((**feedback).clone()),
                _ => None,
            },
            _ => None,
        })
        .await;
    assert_eq!(
        (feedback.status, feedback.job),
        (FeedbackStatus::PaymentRequired, asked.id)
    );
    client.shutdown().await;
}
