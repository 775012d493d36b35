//! A person talks with the real model of a host: answered piece by piece, once, through a kill, and forgotten on demand.
//! What a small model says is never asserted; that there is an answer, and that it is the recorded one, is.
use std::path::Path;

use autopilot_events::words::Digest;
use autopilot_host::sandbox::ChainKind;
use autopilot_world_tests::stage::Stage;
use serde_json::Value;

use crate::programs::support::{ctl, json, refused};

/// Sends a message and follows its answer.
fn send<'a>(text: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["chat", "send", text, "--follow", "--timeout", "240"], more].concat()
}

/// An answer is there, and is the recorded one.
fn answered(message: &Value, number: u64) {
    assert_eq!(message["state"], "done", "{message}");
    let answer = message["answer"].as_str().unwrap();
    let digest = Digest::of_content(answer.as_bytes()).to_string();
    assert_eq!(message["answer_digest"], digest, "{message}");
    assert!(
        !answer.is_empty() && message["output_tokens"].as_u64() > Some(0),
        "{message}"
    );
    assert_eq!(message["number"], number, "{message}");
}

/// How many facts of a type the ledger has.
async fn facts(home: &Path, kind: &str) -> usize {
    let tail = ctl(home, &["ledger", "tail", "--after", "0", "--json"]).await;
    let lines = tail
        .data
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|fact| fact["type"] == kind).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_answered_once_through_a_kill_and_what_was_said_is_forgotten() {
    let mut stage = Stage::build(ChainKind::Simulated).await.unwrap();
    let home = stage.world.provider.home.path().to_owned();
    let first = json(&home, &send("Name a colour.", &[])).await;
    answered(&first, 1);
    assert!(!first["model"].as_str().unwrap().is_empty(), "{first}");
    let threads = json(&home, &["chat", "threads"]).await;
    let line = &threads["threads"][0];
    assert_eq!(
        (&line["title"], &line["state"], &threads["waiting"]),
        (&"Name a colour.".into(), &"done".into(), &0.into())
    );
    let thread = line["thread_id"].as_str().unwrap().to_owned();

    // The host dies with the first piece of the answer.
    let armed = [("AUTOPILOT_CRASH", "host@effect.during/answer")];
    stage.world.provider.restart(&armed).await.unwrap();
    let more = ["--thread", &thread[..12], "--key", "mine"];
    let cut = ctl(
        &home,
        &[&["--no-start"], &send("And another one.", &more)[..]].concat(),
    )
    .await;
    assert_ne!(cut.code, 0, "nobody answered: {cut:?}");
    stage.world.provider.ended().await;
    stage
        .world
        .provider
        .restart(&[("AUTOPILOT_CRASH", "")])
        .await
        .unwrap();
    // Asked again under the same key it is the same message, answered once; another text is a conflict.
    let second = json(&home, &send("And another one.", &more)).await;
    answered(&second, 2);
    assert_eq!(
        second["left_out"], 0,
        "the model was given what was said before: {second}"
    );
    refused(&home, &send("Something else.", &more), 10, "conflict").await;
    assert_eq!(facts(&home, "chat.asked").await, 2);
    assert_eq!(facts(&home, "chat.answered").await, 2);
    let shown = json(&home, &["chat", "show", &thread[..12], "--limit", "1"]).await;
    assert_eq!(shown["messages"][0]["message_id"], second["message_id"]);
    let before = shown["next_before_sequence"].to_string();
    let older = json(&home, &["chat", "show", &thread[..12], "--before", &before]).await;
    assert_eq!(older["messages"][0], first, "read again it is what it was");

    let forgotten = json(&home, &["forget", "--chat", &thread[..12], "--yes"]).await;
    assert_eq!(
        (&forgotten["forgotten"], &forgotten["overwritten"]),
        (&1.into(), &true.into())
    );
    let verified = json(&home, &["ledger", "verify"]).await;
    assert_eq!(
        (&verified["ok"], &verified["bodies"]["erased"]),
        (&true.into(), &4.into()),
        "{verified}"
    );
    refused(&home, &["chat", "show", &thread], 5, "not-found").await;
    refused(&home, &send("More.", &more[..2]), 5, "not-found").await;
    stage.strike().await;
}
