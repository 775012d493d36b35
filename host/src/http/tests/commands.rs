//! Commands by name, done once for each key.
use std::path::Path;

use serde_json::{Value, json};

use super::World;

fn price(key: &str, per_btc: u64) -> Value {
    json!({
        "command": "record-price", "key": key,
        "params": {"currency": "EUR", "per_btc": per_btc, "source": "a shop", "observed_at_ms": 1},
    })
}

async fn prices(world: &World) -> usize {
    let page = world.get("/v1/events?limit=1000").await;
    let events = page.body["events"].as_array().unwrap().clone();
    events
        .iter()
        .filter(|event| event["type"] == "price.observed")
        .count()
}

async fn world(folder: &Path) -> World {
    World::start(&folder.join("home")).await
}

#[tokio::test]
async fn a_command_is_done_once_for_its_key_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let first = world(folder.path()).await;
    let done = first.command(&price("k", 7)).await;
    assert_eq!(
        (done.status, &done.body["repeated"]),
        (200, &false.into()),
        "{done:?}"
    );
    let again = first.command(&price("k", 7)).await;
    assert_eq!(
        (&again.body["reply"], &again.body["repeated"]),
        (&done.body["reply"], &true.into())
    );
    let other = first.command(&price("k", 8)).await;
    assert_eq!((other.status, other.code()), (409, "conflict"));
    let other = first.command(&json!({"command": "go-offline", "key": "k"})).await;
    assert_eq!((other.status, other.code()), (409, "conflict"));
    first.stop().await;

    let second = world(folder.path()).await;
    let again = second.command(&price("k", 7)).await;
    assert_eq!(
        (&again.body["reply"], &again.body["repeated"]),
        (&done.body["reply"], &true.into())
    );
    assert_eq!(second.command(&price("k", 8)).await.code(), "conflict");
    assert_eq!(prices(&second).await, 1);
    second.stop().await;
}

#[tokio::test]
async fn a_refusal_is_an_outcome_too() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(folder.path()).await;
    let refused = world.command(&json!({"command": "go-online", "key": "k"})).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    assert_eq!(refused.code(), "not-ready");
    assert!(!refused.body["error"]["sentence"].as_str().unwrap().is_empty());
    let again = world.command(&json!({"command": "go-online", "key": "k"})).await;
    assert_eq!((again.status, again.body), (refused.status, refused.body));
    world.stop().await;
}

#[tokio::test]
async fn the_same_command_at_once_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(folder.path()).await;
    let order = price("k", 7);
    let answers = futures_util::future::join_all((0..8).map(|_| world.command(&order))).await;
    let first = answers
        .iter()
        .filter(|answer| answer.body["repeated"] == false)
        .count();
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    assert_eq!((first, prices(&world).await), (1, 1));
    world.stop().await;
}

#[tokio::test]
async fn after_a_crash_in_the_middle_nothing_is_done_blindly() {
    use autopilot_core::input::Command;
    use autopilot_events::{pb, words::Digest};

    let folder = tempfile::tempdir().unwrap();
    let world = world(folder.path()).await;
    // What a host leaves that dies between the two facts.
    let begun = async |command: &str, order: &Value, request: Vec<u8>| {
        let key = order["key"].as_str().unwrap();
        world
            .record(Command::NoteCommanded(pb::ControlCommanded {
                key_digest: Digest::of_content(key.as_bytes()).to_vec(),
                command: command.to_owned(),
                params_digest: blake3::keyed_hash(&secret(&world), &request).as_bytes().to_vec(),
            }))
            .await;
    };
    let order = price("once", 7);
    let request = autopilot_proto::control::v1::RecordPriceRequest {
        currency: "EUR".to_owned(),
        per_btc: 7,
        decimals: 0,
        source: "a shop".to_owned(),
        observed_at_ms: 1,
    };
    begun("record-price", &order, prost::Message::encode_to_vec(&request)).await;
    let number = world.head();
    let unknown = world.command(&order).await;
    assert_eq!((unknown.status, unknown.code()), (409, "outcome-unknown"));
    assert!(
        unknown.body["error"]["next"]
            .as_str()
            .unwrap()
            .contains(&format!("after={number}"))
    );
    assert_eq!(prices(&world).await, 0);

    let offline = json!({"command": "go-offline", "key": "state"});
    begun("go-offline", &offline, Vec::new()).await;
    let done = world.command(&offline).await;
    assert_ne!(
        done.code(),
        "outcome-unknown",
        "asking for a state again is harmless: {done:?}"
    );
    world.stop().await;
}

fn secret(world: &World) -> [u8; 32] {
    use crate::secrets::{Key, Secrets};
    Secrets::open(&world.home, &Key::Own).unwrap().control_key()
}

#[tokio::test]
async fn what_is_not_understood_is_not_begun() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(folder.path()).await;
    let head = world.head();
    let code = async |order: Value| {
        let answer = world.command(&order).await;
        (answer.status, answer.code().to_owned())
    };
    let invalid = (400, "invalid-argument".to_owned());
    for name in ["fly", "go_online", "follow", "watch", ""] {
        assert_eq!(
            code(json!({"command": name, "key": "k"})).await,
            (404, "unknown-command".to_owned()),
            "{name}"
        );
    }
    assert_eq!(
        code(json!({"command": "go-online"})).await,
        (400, "key-needed".to_owned())
    );
    assert_eq!(code(json!({"command": "go-online", "key": ""})).await, invalid);
    assert_eq!(
        code(json!({"command": "go-online", "key": "a\nb"})).await,
        invalid
    );
    assert_eq!(
        code(json!({"command": "go-online", "key": "k".repeat(129)})).await,
        invalid
    );
    assert_eq!(
        code(json!({"command": "go-online", "key": "k", "params": {"wait": 1}})).await,
        invalid
    );
    assert_eq!(
        code(json!({"command": "go-online", "key": "k", "params": {"wait_s": "1"}})).await,
        invalid
    );
    assert_eq!(code(json!({"command": "status", "extra": 1})).await, invalid);
    // A policy is set as a whole: what is left out would read as zero.
    let policy = json!({"command": "set-policy", "key": "k", "params": {"policy": {"min_price_msat": 1}}});
    assert_eq!(code(policy).await, invalid);
    assert_eq!(world.post("{").await.code(), "invalid-argument");
    assert_eq!(world.head(), head, "no fact came of it");
    assert_eq!(code(json!({"command": "status"})).await, (200, String::new()));
    assert_eq!(
        code(json!({"command": "history", "params": {"limit": 3}})).await,
        (200, String::new())
    );
    assert_eq!(world.head(), head, "questions leave none");
    world.stop().await;
}
