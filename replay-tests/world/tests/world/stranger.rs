//! Strangers: a buyer and a provider that know nothing of this project but the protocol, written on a plain client.
use std::time::Duration;

use autopilot_host::sandbox::ChainKind;
use autopilot_proto::control::v1 as pb;
use autopilot_world_tests::stage::{
    FEE_CEILING_MSAT, PATIENCE_S, PRICE_MSAT, Stage, order, outcome, settled,
};
use nostr_sdk::prelude::*;

/// A plain client on one relay.
pub async fn client(relay: &str) -> (Client, Keys) {
    let keys = Keys::generate();
    let client = Client::new(keys.clone());
    client.add_relay(relay).await.unwrap();
    client.connect().await;
    client.wait_for_connection(Duration::from_secs(30)).await;
    (client, keys)
}

pub fn tag(parts: &[&str]) -> Tag {
    Tag::parse(parts.iter().copied()).unwrap()
}

/// The first event that fits.
pub async fn first(client: &Client, filter: Filter, fits: impl Fn(&Event) -> bool) -> Event {
    let mut notifications = client.notifications();
    client.subscribe(filter, None).await.unwrap();
    let wait = async {
        loop {
            if let Ok(RelayPoolNotification::Event { event, .. }) = notifications.recv().await
                && fits(&event)
            {
                return *event;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(PATIENCE_S.into()), wait)
        .await
        .expect("an answer in time")
}

pub fn value<'a>(event: &'a Event, name: &str) -> Option<&'a [String]> {
    event
        .tags
        .iter()
        .map(|tag| tag.as_slice())
        .find(|tag| tag.first().is_some_and(|first| first == name))
}

/// A stranger buys an open job and pays its invoice with a wallet that knows nothing of the job.
#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_buyer_buys_from_our_provider() {
    let stage = Stage::build(ChainKind::Simulated).await.unwrap();
    stage.world.go_online().await.unwrap();
    let (stranger, keys) = client(&stage.world.relays[0]).await;
    let provider = PublicKey::from_hex(&stage.world.provider.pubkey).unwrap();
    let request = EventBuilder::new(Kind::Custom(5050), "")
        .tag(tag(&["i", "What is the capital of France?", "text"]))
        .tag(tag(&["param", "max_tokens", "8"]))
        .tag(tag(&["bid", &PRICE_MSAT.to_string()]))
        .sign_with_keys(&keys)
        .unwrap();
    stranger.send_event(&request).await.unwrap();
    let answers = Filter::new()
        .kind(Kind::Custom(6050))
        .author(provider)
        .event(request.id);
    let result = first(&stranger, answers, |event| event.kind == Kind::Custom(6050)).await;
    assert!(!result.content.trim().is_empty());
    assert_eq!(value(&result, "p").unwrap()[1], keys.public_key().to_hex());
    let amount = value(&result, "amount").unwrap();
    assert_eq!(amount[1], PRICE_MSAT.to_string());

    let pay = pb::PayRequest {
        payment_request: amount[2].clone(),
        amount_msat: None,
        fee_ceiling_msat: FEE_CEILING_MSAT,
        wait_s: PATIENCE_S,
    };
    let paid = stage
        .world
        .hub
        .client()
        .unwrap()
        .pay(pay)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(paid.status, "succeeded", "{paid:?}");
    let earnings = settled(&mut stage.world.provider.client().unwrap(), 1)
        .await
        .unwrap();
    assert_eq!(earnings.earned_msat, PRICE_MSAT);
    let success = Filter::new()
        .kind(Kind::Custom(7000))
        .author(provider)
        .event(request.id);
    first(&stranger, success, |event| {
        value(event, "status").is_some_and(|status| status[1] == "success")
    })
    .await;
    stranger.shutdown().await;
    stage.strike().await;
}

/// A stranger's result for a request, with an invoice of a wallet of its own.
pub async fn billed_result(
    stage: &Stage,
    keys: &Keys,
    request: &Event,
    text: &str,
    amount_msat: u64,
) -> Event {
    let receive = pb::ReceiveRequest {
        amount_msat,
        ..Default::default()
    };
    let mut wallet = stage.world.hub.client().unwrap();
    let invoice = wallet.receive(receive).await.unwrap().into_inner();
    EventBuilder::new(Kind::Custom(6050), text)
        .tag(tag(&["request", &request.as_json()]))
        .tag(tag(&["e", &request.id.to_hex(), &stage.world.relays[0]]))
        .tag(tag(&["p", &request.pubkey.to_hex()]))
        .tag(tag(&[
            "amount",
            &amount_msat.to_string(),
            &invoice.payment_request,
        ]))
        .sign_with_keys(keys)
        .unwrap()
}

/// Our buyer buys from a stranger's provider, which is paid by a wallet of its own.
#[tokio::test(flavor = "multi_thread")]
async fn our_buyer_buys_from_a_strangers_provider() {
    let stage = Stage::build(ChainKind::Simulated).await.unwrap();
    let (stranger, keys) = client(&stage.world.relays[0]).await;
    let mut buyer = stage.world.buyer.client().unwrap();
    let id = order(&mut buyer, &keys.public_key().to_hex(), "Say anything.")
        .await
        .unwrap();
    let asked = Filter::new().kind(Kind::Custom(5050)).pubkey(keys.public_key());
    let request = first(&stranger, asked, |event| event.kind == Kind::Custom(5050)).await;
    let result = billed_result(&stage, &keys, &request, "anything", 7_000).await;
    stranger.send_event(&result).await.unwrap();
    let reply = outcome(&mut buyer, &id).await.unwrap();
    assert_eq!(
        (reply.paid_msat, reply.result.as_str()),
        (7_000, "anything"),
        "{reply:?}"
    );
    stranger.shutdown().await;
    stage.strike().await;
}

/// Two providers answer an open request: the first valid result is paid, the other is told so, never "success".
#[tokio::test(flavor = "multi_thread")]
async fn a_late_result_is_answered_and_not_paid() {
    let stage = Stage::build(ChainKind::Simulated).await.unwrap();
    stage.world.go_online().await.unwrap();
    let (stranger, keys) = client(&stage.world.relays[0]).await;
    let mut buyer = stage.world.buyer.client().unwrap();
    let id = order(&mut buyer, "", "Open to anybody.").await.unwrap();
    let asked = Filter::new().kind(Kind::Custom(5050));
    let request = first(&stranger, asked, |event| event.content.is_empty()).await;
    let reply = outcome(&mut buyer, &id).await.unwrap();
    assert_eq!(reply.provider, stage.world.provider.pubkey, "{reply:?}");

    let late = billed_result(&stage, &keys, &request, "cheaper, and too late", 1_000).await;
    stranger.send_event(&late).await.unwrap();
    let told = Filter::new().kind(Kind::Custom(7000)).pubkey(keys.public_key());
    let told = first(&stranger, told, |event| value(event, "status").is_some()).await;
    let status = value(&told, "status").unwrap();
    assert_eq!(
        (status[1].as_str(), status[2].as_str()),
        ("error", "late-result-unpaid")
    );
    let spent = autopilot_world_tests::stage::balance(&mut buyer)
        .await
        .unwrap()
        .sent_msat;
    assert_eq!(spent, PRICE_MSAT, "one obligation, one payment");
    stranger.shutdown().await;
    stage.strike().await;
}

/// Online is announced with what is servable, and offline leaves nothing that says "online".
#[tokio::test(flavor = "multi_thread")]
async fn presence_is_announced_and_withdrawn() {
    let stage = Stage::build(ChainKind::Simulated).await.unwrap();
    let (stranger, _) = client(&stage.world.relays[0]).await;
    let provider = PublicKey::from_hex(&stage.world.provider.pubkey).unwrap();
    stage.world.go_online().await.unwrap();
    let handler = || Filter::new().kind(Kind::Custom(31990)).author(provider);
    let online = first(&stranger, handler(), |event| value(event, "k").is_some()).await;
    assert_eq!(value(&online, "k").unwrap()[1], "5050");
    let mut client = stage.world.provider.client().unwrap();
    // Listening begins first: what comes before nobody hears again.
    let gone = first(&stranger, handler(), |event| value(event, "k").is_none());
    let (gone, offline) = tokio::join!(gone, client.go_offline(pb::GoOfflineRequest::default()));
    assert_eq!(offline.unwrap().into_inner().state, "offline");
    assert_eq!(
        value(&gone, "d"),
        value(&online, "d"),
        "the newer one replaces it"
    );
    stranger.shutdown().await;
    stage.strike().await;
}
