//! The two programs as a new user and as a script meet them: real processes, exit codes, JSON, signals.
mod commands;
mod quiet;
mod roundtrip;
pub(crate) mod support;
mod withdrawals;

use std::path::PathBuf;

use autopilot_world_tests::stage::model;
use serde_json::Value;
use support::{Sandbox, buy, headless, json};
use tempfile::TempDir;

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::Builder::new().prefix("ap").tempdir_in("/tmp").unwrap();
    let home = folder.path().join("w");
    (folder, home)
}

/// One line, options, signals, a crash, and a world that goes on where it stopped.
#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_stays_ends_and_goes_on() {
    let (_folder, home) = folder();
    let world = Sandbox::start(
        &home,
        &[
            "--relay-count",
            "2",
            "--extra-relay",
            "ws://127.0.0.1:9",
            "--order",
            "pay-first",
            "--price-sats",
            "25",
        ],
    )
    .await;
    let said = &world.said;
    assert_eq!(said["relays"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&said["price_msat"], &said["kinds"][0]),
        (&25_000.into(), &5050.into())
    );
    assert_eq!(
        (&said["network"], &said["chain"]),
        (&"regtest".into(), &"simulated".into())
    );
    let (provider, buyer) = (world.home("provider"), world.home("buyer"));
    assert!(world.home("hub").is_dir() && world.pubkey().len() == 64);
    assert!(
        world.alive().len() >= 7,
        "sandbox, three hosts and their wallets: {:?}",
        world.alive()
    );
    let relays = |reply: Value| reply["relays"].as_array().unwrap().len();
    assert_eq!(relays(json(&provider, &["relays"]).await), 3);
    assert_eq!(
        relays(json(&buyer, &["relays"]).await),
        2,
        "the further relay is the provider's alone"
    );
    let policy = json(&provider, &["policy", "get"]).await["policy"].clone();
    assert_eq!(
        (&policy["order"], &policy["min_price_msat"]),
        (&"pay-first".into(), &25_000.into())
    );
    let bought = buy(&buyer, "Say yes.", &["--pay-first-ceiling", "25sat"]).await;
    assert_eq!(bought["paid_msat"], 25_000, "{bought}");

    let id = bought["purchase_id"].as_str().unwrap();
    json(&provider, &["wait", "job-paid", id]).await;

    let second = headless(&[
        "sandbox",
        "--home",
        home.to_str().unwrap(),
        "--model",
        model().unwrap().to_str().unwrap(),
    ])
    .await;
    assert_eq!((second.code, second.data.as_str()), (1, ""), "{second:?}");
    assert!(second.words.contains("runs in"), "{second:?}");
    assert!(world.end_by("INT").await.success());

    // The same folder again: other ports and credentials, the same wallets, facts and channels, and new terms.
    let world = Sandbox::start(&home, &["--price-sats", "30"]).await;
    let status = json(&provider, &["status"]).await;
    assert_eq!(
        (&status["earned_msat"], &status["state"]),
        (&25_000.into(), &"online".into()),
        "{status}"
    );
    assert_eq!(
        (&status["price_msat"], &status["order"]),
        (&30_000.into(), &"work-first".into()),
        "{status}"
    );
    assert_eq!(
        json(&provider, &["wallet", "balance"]).await["reconciled_difference_msat"],
        0
    );
    world.end_by("KILL").await;

    let world = Sandbox::start(&home, &[]).await;
    let bought = buy(&buyer, "Say no.", &["--provider", &world.pubkey()]).await;
    assert_eq!(bought["paid_msat"], 10_000, "{bought}");
    json(
        &provider,
        &["wait", "job-paid", bought["purchase_id"].as_str().unwrap()],
    )
    .await;
    assert_eq!(json(&provider, &["earnings"]).await["earned_msat"], 35_000);
    assert!(world.end_by("TERM").await.success());
    assert_eq!(json(&provider, &["ledger", "verify"]).await["ok"], true);
    let other = headless(&[
        "sandbox",
        "--home",
        home.to_str().unwrap(),
        "--chain",
        "bitcoind",
        "--model",
        model().unwrap().to_str().unwrap(),
    ])
    .await;
    assert!(
        other.code == 1 && other.words.contains("can't go on"),
        "{other:?}"
    );
}

/// Bitcoin Core as the chain: it ends with the sandbox, however that ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_on_bitcoin_core_leaves_no_node() {
    let (_folder, home) = folder();
    let world = Sandbox::start(&home, &["--chain", "bitcoind"]).await;
    assert_eq!(world.said["chain"], "bitcoind");
    assert!(
        world.alive().iter().any(|line| line.contains("bitcoind")),
        "{:?}",
        world.alive()
    );
    world.end_by("KILL").await;
}

/// What a new user gets wrong first is said in a sentence, before anything is made.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_cannot_start_says_why_and_leaves_nothing() {
    let (_folder, home) = folder();
    let model = model().unwrap();
    let esplora = ["--esplora", "http://127.0.0.1:9"];
    let named = ["--model", model.to_str().unwrap()];
    let cases: [(&[&[&str]], &str); 7] = [
        (&[], "--network"),
        (&[&["--network", "signet"]], "--esplora"),
        (&[&["--network", "signet"], &esplora], "--model"),
        (
            &[&["--network", "signet"], &esplora, &["--model", "/none"]],
            "no model file at /none",
        ),
        (&[&["--network", "regtest"], &esplora, &named], "--relay"),
        (
            &[&["--network", "signet"], &esplora, &named, &["--relay", "relay"]],
            "no relay address",
        ),
        (&[&["--network", "bitcoin"], &esplora, &named], "--accept-risks"),
    ];
    for (arguments, word) in cases {
        let start = ["provider", "--home", home.to_str().unwrap()];
        let answer = headless(&[&start[..], &arguments.concat()].concat()).await;
        assert_eq!((answer.code, answer.data.as_str()), (1, ""), "{answer:?}");
        assert!(answer.words.contains(word), "{word}: {answer:?}");
        assert!(!home.exists(), "{arguments:?} made {}", home.display());
    }
}
