//! Views at once.
use serde_json::json;

use super::{World, price};
use crate::{control::watch::view_names, http::canonical::canonical};

#[tokio::test]
async fn a_snapshot_is_signed_and_one_view_in_trouble_takes_no_other_along() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(&folder.path().join("home")).await;
    let snapshot = world.get("/v1/snapshot").await;
    assert_eq!(snapshot.status, 200, "{snapshot:?}");
    let views = &snapshot.body["views"];
    for name in view_names() {
        assert!(views[name].is_object(), "{name}");
    }
    assert_eq!(views["panes"]["panes"].as_array().unwrap().len(), 19);
    let trouble = &views["balance"]["trouble"];
    assert_eq!(trouble["code"], "wallet-unavailable", "{trouble}");
    assert!(!trouble["next"].as_str().unwrap().is_empty());
    assert_eq!(views["status"]["state"], "offline");

    let signature = blake3::hash(canonical(views).as_bytes()).to_hex().to_string();
    assert_eq!(snapshot.body["signature"], signature);
    assert_eq!(snapshot.header("etag"), Some(format!("\"{signature}\"").as_str()));
    world.stop().await;
}

#[tokio::test]
async fn whoever_knows_the_views_is_told_that_nothing_changed() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(&folder.path().join("home")).await;
    let token = world.manifest().token.clone();
    let path = "/v1/snapshot?views=earnings,panes";
    let first = world.get(path).await;
    let tag = first.header("etag").unwrap().to_owned();
    let again = async || {
        let head =
            format!("GET {path} HTTP/1.1\r\nAuthorization: Bearer {token}\r\nIf-None-Match: W/{tag}\r\n");
        world.raw(&head, "").await.status
    };
    assert_eq!(again().await, 304);
    world
        .command(&json!({"command": "open-pane", "params": {"id": "pane.wallet"}}))
        .await;
    assert_eq!(again().await, 200);
    let names: Vec<_> = first.body["views"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(names, ["earnings", "panes"]);
    assert_eq!(
        world.get("/v1/snapshot?views=nothing").await.code(),
        "invalid-argument"
    );
    assert_eq!(
        world.get("/v1/snapshot?view=panes").await.code(),
        "invalid-argument"
    );

    world.record(price(1)).await;
    let later = world.get(path).await;
    assert_eq!(later.body["revision"], world.head());
    world.stop().await;
}
