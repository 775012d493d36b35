//! The rest of the market, on the provider's side: embeddings, sealed jobs, chained jobs, relays of the buyer's choice. One
//! world for all of it; whoever asks is a stranger on a plain client, or our own buyer where money moves.
use autopilot_host::{
    net::{EMBEDDING, EmbeddedRelay, Embeddings},
    sandbox::ChainKind,
};
use autopilot_proto::control::v1 as pb;
use autopilot_world_tests::stage::{
    FEE_CEILING_MSAT, PATIENCE_S, PRICE_MSAT, Stage, embedding_model, outcome,
};
use nostr_sdk::prelude::*;

use crate::stranger::{client, first, tag, value};

const SECRET: &str = "the treasure lies under the third birch";

#[tokio::test(flavor = "multi_thread")]
async fn the_rest_of_the_market_is_served() {
    let embedding = embedding_model().unwrap();
    let stage = Stage::build_with(ChainKind::Simulated, |options| {
        options.embedding = Some(embedding)
    })
    .await
    .unwrap();
    stage.world.go_online().await.unwrap();
    embeddings_are_announced_sold_and_paid(&stage).await;
    nothing_of_a_sealed_purchase_is_in_clear(&stage).await;
    a_stranger_is_answered_in_the_older_cipher(&stage).await;
    what_can_not_be_unsealed_is_refused_on_record(&stage).await;
    jobs_are_chained(&stage).await;
    answers_go_where_the_buyer_wants_them(&stage).await;
    offline_deletes_the_announcement(&stage).await;
    stage.strike().await;
}

fn provider(stage: &Stage) -> PublicKey {
    PublicKey::from_hex(&stage.world.provider.pubkey).unwrap()
}

/// Buys, and waits for the end.
async fn bought(stage: &Stage, request: pb::BuyRequest) -> pb::PurchaseReply {
    let mut buyer = stage.world.buyer.client().unwrap();
    let request = pb::BuyRequest {
        budget_msat: PRICE_MSAT,
        fee_ceiling_msat: FEE_CEILING_MSAT,
        deadline_s: PATIENCE_S,
        provider: stage.world.provider.pubkey.clone(),
        max_tokens: 12,
        ..request
    };
    let id = buyer.buy(request).await.unwrap().into_inner().purchase_id;
    let reply = outcome(&mut buyer, &id).await.unwrap();
    assert_eq!(reply.paid_msat, PRICE_MSAT, "{reply:?}");
    reply
}

/// A job of a stranger, signed and sent.
async fn asked(client: &Client, keys: &Keys, tags: Vec<Tag>, content: &str) -> Event {
    let bid = tag(&["bid", &PRICE_MSAT.to_string()]);
    let tokens = tag(&["param", "max_tokens", "8"]);
    let request = EventBuilder::new(Kind::Custom(5050), content)
        .tags(tags)
        .tags([bid, tokens])
        .sign_with_keys(keys)
        .unwrap();
    client.send_event(&request).await.unwrap();
    request
}

/// The provider's result for a request, or its feedback with an error.
async fn answer(client: &Client, stage: &Stage, request: &Event) -> Event {
    let about = Filter::new().author(provider(stage)).event(request.id);
    first(client, about, |event| {
        let error = value(event, "status").is_some_and(|status| status[1] == "error");
        event.tags.event_ids().any(|id| *id == request.id) && (error || event.kind == Kind::Custom(6050))
    })
    .await
}

/// The provider's facts so far, of one type, as JSON.
async fn facts(stage: &Stage, kind: &str) -> Vec<serde_json::Value> {
    let mut client = stage.world.provider.client().unwrap();
    let end = client.status(pb::StatusRequest {}).await.unwrap().into_inner();
    let request = pb::FollowRequest {
        after: 0,
        limit: u32::try_from(end.basis.unwrap().sequence).unwrap(),
    };
    let mut facts = client.follow(request).await.unwrap().into_inner();
    let mut found = Vec::new();
    while let Some(fact) = facts.message().await.unwrap() {
        if fact.r#type == kind {
            found.push(serde_json::from_str(&fact.json).unwrap());
        }
    }
    found
}

async fn embeddings_are_announced_sold_and_paid(stage: &Stage) {
    let (stranger, _) = client(&stage.world.relays[0]).await;
    let handler = Filter::new().kind(Kind::Custom(31990)).author(provider(stage));
    let announced = first(&stranger, handler, |event| {
        event.tags.iter().filter(|tag| tag.as_slice()[0] == "k").count() == 2
    })
    .await;
    let content: serde_json::Value = serde_json::from_str(&announced.content).unwrap();
    assert_eq!(content["embeddings"]["kind"], EMBEDDING);
    assert_eq!(content["embeddings"]["dimensions"], 384);
    stranger.shutdown().await;

    let texts = [
        "The cat sleeps on the sofa.",
        "A kitten naps on the couch.",
        "Interest rates rose.",
    ];
    let request = pb::BuyRequest {
        input: texts[0].to_owned(),
        more_inputs: texts[1..].iter().map(|text| (*text).to_owned()).collect(),
        kind: EMBEDDING,
        ..Default::default()
    };
    let reply = bought(stage, request).await;
    let found = Embeddings::read(&reply.result, 3).unwrap();
    assert_eq!(
        (found.model.as_str(), found.vectors[0].len()),
        ("all-MiniLM-L6-v2", 384)
    );
    let near = |a: usize, b: usize| -> f32 {
        found.vectors[a]
            .iter()
            .zip(&found.vectors[b])
            .map(|(a, b)| a * b)
            .sum()
    };
    assert!(near(0, 1) > near(0, 2) + 0.3, "{} {}", near(0, 1), near(0, 2));
    let executed = facts(stage, "job.executed").await;
    assert_eq!(executed.last().unwrap()["receipt"]["finish"], "embedded");
}

async fn nothing_of_a_sealed_purchase_is_in_clear(stage: &Stage) {
    let request = pb::BuyRequest {
        input: format!("Repeat this: {SECRET}"),
        kind: 5050,
        encrypted: true,
        ..Default::default()
    };
    let reply = bought(stage, request).await;
    assert!(!reply.result.trim().is_empty());
    let (stranger, _) = client(&stage.world.relays[0]).await;
    let stored = stranger
        .fetch_events(Filter::new(), std::time::Duration::from_secs(30))
        .await
        .unwrap();
    let about: Vec<String> = stored.iter().map(JsonUtil::as_json).collect();
    let kinds = |kind: u16| {
        stored
            .iter()
            .any(|event| event.kind == Kind::Custom(kind) && value(event, "encrypted").is_some())
    };
    assert!(kinds(5050) && kinds(6050), "request and result are there, sealed");
    assert!(
        about
            .iter()
            .all(|json| !json.contains("birch") && !json.contains(reply.result.trim()))
    );
    stranger.shutdown().await;
}

async fn a_stranger_is_answered_in_the_older_cipher(stage: &Stage) {
    let (stranger, keys) = client(&stage.world.relays[0]).await;
    let inside = serde_json::json!([["i", SECRET, "text"], ["param", "max_tokens", "4"]]).to_string();
    let sealed = nip04::encrypt(keys.secret_key(), &provider(stage), inside).unwrap();
    let tags = vec![Tag::public_key(provider(stage)), tag(&["encrypted"])];
    let request = asked(&stranger, &keys, tags, &sealed).await;
    let result = answer(&stranger, stage, &request).await;
    assert!(value(&result, "i").is_none() && value(&result, "encrypted").is_some());
    let clear = nip04::decrypt(keys.secret_key(), &provider(stage), &result.content).unwrap();
    assert!(!clear.trim().is_empty());
    stranger.shutdown().await;
}

async fn what_can_not_be_unsealed_is_refused_on_record(stage: &Stage) {
    let (stranger, keys) = client(&stage.world.relays[0]).await;
    let tags = vec![Tag::public_key(provider(stage)), tag(&["encrypted"])];
    let request = asked(&stranger, &keys, tags, "no seal at all").await;
    let told = answer(&stranger, stage, &request).await;
    assert!(
        value(&told, "status").unwrap()[2].contains("cannot be unsealed"),
        "{told:?}"
    );
    let refused = facts(stage, "job.refused").await;
    assert!(
        refused.last().unwrap()["detail"]
            .as_str()
            .unwrap()
            .contains("cannot be unsealed")
    );
    stranger.shutdown().await;
}

async fn jobs_are_chained(stage: &Stage) {
    let (stranger, keys) = client(&stage.world.relays[0]).await;
    let told = |event: &Event| value(event, "status").unwrap()[2].clone();
    let one = asked(&stranger, &keys, vec![tag(&["i", "Say hello.", "text"])], "").await;
    let output = answer(&stranger, stage, &one).await;
    let two = vec![
        tag(&["i", "Translate this:", "text"]),
        tag(&["i", &one.id.to_hex(), "job", &stage.world.relays[0]]),
    ];
    let two = asked(&stranger, &keys, two, "").await;
    let result = answer(&stranger, stage, &two).await;
    assert_eq!(result.kind, Kind::Custom(6050));
    let resolved = facts(stage, "job.inputs_resolved").await;
    let input = &resolved.last().unwrap()["inputs"][0];
    assert_eq!(
        (&input["position"], &input["type"], &input["kind"]),
        (&1.into(), &"job".into(), &6050.into())
    );
    assert_eq!(input["event_id"], output.id.to_hex(), "which event it stood for");

    let note = EventBuilder::text_note("A note to work on.")
        .sign_with_keys(&keys)
        .unwrap();
    stranger.send_event(&note).await.unwrap();
    let three = asked(
        &stranger,
        &Keys::generate(),
        vec![tag(&["i", &note.id.to_hex(), "event"])],
        "",
    )
    .await;
    assert_eq!(answer(&stranger, stage, &three).await.kind, Kind::Custom(6050));

    // A note is no job; what is nowhere is waited for until the deadline; addresses are never fetched.
    let wrong = asked(&stranger, &keys, vec![tag(&["i", &note.id.to_hex(), "job"])], "").await;
    assert!(told(&answer(&stranger, stage, &wrong).await).contains("no job"));
    let nowhere = vec![
        tag(&["i", &"ab".repeat(32), "event"]),
        tag(&["param", "ttl", "3"]),
    ];
    let nowhere = asked(&stranger, &Keys::generate(), nowhere, "").await;
    assert!(told(&answer(&stranger, stage, &nowhere).await).starts_with("input-unavailable"));
    let address = vec![
        tag(&["i", "http://127.0.0.1/", "url"]),
        Tag::public_key(provider(stage)),
    ];
    let address = asked(&stranger, &keys, address, "").await;
    assert!(told(&answer(&stranger, stage, &address).await).contains("not fetched"));
    stranger.shutdown().await;
}

async fn answers_go_where_the_buyer_wants_them(stage: &Stage) {
    let elsewhere = EmbeddedRelay::start_on_loopback().await.unwrap();
    let (stranger, keys) = client(&stage.world.relays[0]).await;
    let (listener, _) = client(&elsewhere.url()).await;
    let tags = vec![
        tag(&["i", "Say yes.", "text"]),
        tag(&[
            "relays",
            &elsewhere.url(),
            "http://127.0.0.1:1",
            "ws://127.0.0.1:1",
        ]),
    ];
    let request = asked(&stranger, &keys, tags, "").await;
    let result = answer(&listener, stage, &request).await;
    assert_eq!(result.kind, Kind::Custom(6050));
    listener.shutdown().await;
    stranger.shutdown().await;
    elsewhere.shutdown().await;
}

async fn offline_deletes_the_announcement(stage: &Stage) {
    let (stranger, _) = client(&stage.world.relays[0]).await;
    let mut client = stage.world.provider.client().unwrap();
    client.go_offline(pb::GoOfflineRequest::default()).await.unwrap();
    let of_provider = || Filter::new().author(provider(stage));
    let deletion = first(&stranger, of_provider(), |event| {
        event.kind == Kind::EventDeletion
    })
    .await;
    let named = value(&deletion, "a").unwrap()[1].clone();
    assert!(
        named.starts_with(&format!("31990:{}:", stage.world.provider.pubkey)),
        "{named}"
    );
    let handler = of_provider().kind(Kind::Custom(31990));
    let left = stranger
        .fetch_events(handler, std::time::Duration::from_secs(30))
        .await
        .unwrap();
    assert!(
        left.iter().all(|event| value(event, "k").is_none()),
        "nothing says that it is online"
    );
    stranger.shutdown().await;
}
