//! Every command of `autopilotctl` against the hosts of one sandbox.
use std::path::Path;

use super::{
    folder,
    support::{Sandbox, buy, ctl, has, json, refused},
};

/// Every command once, by what a script rests on: exit codes, fields, and data apart from words.
#[tokio::test(flavor = "multi_thread")]
async fn every_command_answers() {
    let (_folder, home) = folder();
    let world = Sandbox::start(&home, &["--price-sats", "25"]).await;
    let (provider, buyer, hub) = (&world.home("provider"), &world.home("buyer"), &world.home("hub"));
    let key = world.pubkey();
    let status = json(provider, &["status"]).await;
    has(
        &status,
        &[
            "basis",
            "state",
            "blockers",
            "network",
            "node_id",
            "earned_msat",
            "spendable_msat",
            "warnings",
        ],
    );
    assert!(status["npub"].as_str().unwrap().starts_with("npub1"), "{status}");
    jobs_and_refusals(provider, buyer, &key).await;
    wallets(provider, hub).await;
    super::withdrawals::withdrawals(provider, buyer).await;
    presence_model_and_policy(provider, buyer).await;
    ledger(provider).await;
    json(buyer, &["stop"]).await;
    assert_eq!(
        world.ended().await.code(),
        Some(1),
        "a world that lost a host ends, and not well"
    );
    refused(provider, &["--no-start", "status"], 3, "unreachable").await;
    refused(
        provider,
        &["wait", "job-paid", "--timeout", "1"],
        3,
        "unreachable",
    )
    .await;
    assert_eq!(json(provider, &["ledger", "replay"]).await["agrees"], true);
    refused(&home.join("none"), &["ledger", "head"], 9, "ledger-missing").await;
}

async fn jobs_and_refusals(provider: &Path, buyer: &Path, key: &str) {
    // Two at once: the second finds the provider busy.
    let long = "Count from one to one thousand, each number on its own line.";
    let order = |question| {
        let buy = [
            "buy",
            question,
            "--budget",
            "25sat",
            "--max-tokens",
            "256",
            "--deadline",
            "240",
        ];
        [&buy[..], &["--provider", key, "--yes", "--no-wait"]].concat()
    };
    let first = json(buyer, &order(long)).await["purchase_id"]
        .as_str()
        .unwrap()
        .to_owned();
    json(provider, &["wait", "job-present", &first, "--timeout", "120"]).await;
    let second = json(buyer, &order("And you?")).await["purchase_id"]
        .as_str()
        .unwrap()
        .to_owned();
    json(provider, &["wait", "job-paid", &first, "--timeout", "240"]).await;
    json(buyer, &["wait", "buyer-paid", &first[..10], "--timeout", "240"]).await;
    let why = json(provider, &["why", &first[..10]]).await;
    assert_eq!(
        (&why["paid"], why["rungs"].as_array().unwrap().len()),
        (&true.into(), 7),
        "{why}"
    );
    let why = json(buyer, &["why", &first]).await;
    assert!(
        why["paid"] == true
            && why["rungs"]
                .as_array()
                .unwrap()
                .iter()
                .all(|r| r["reached"] == true),
        "{why}"
    );
    let busy = refused(provider, &["wait", "job-paid", &second], 4, "job-over").await;
    assert!(busy.words.contains("busy"), "{busy:?}");

    let open = buy(buyer, "Untargeted.", &[]).await;
    assert_eq!(
        (&open["state"], &open["paid_msat"]),
        (&"closed".into(), &25_000.into()),
        "{open}"
    );
    let cheap = [
        "buy",
        "Cheap.",
        "--budget",
        "5sat",
        "--deadline",
        "5",
        "--yes",
        "--json",
    ];
    let cheap = ctl(buyer, &cheap).await;
    assert_eq!(
        (cheap.code, cheap.error().as_str()),
        (4, "purchase-failed"),
        "{cheap:?}"
    );
    let id = cheap.json()["purchase_id"].as_str().unwrap().to_owned();
    let why = json(provider, &["why", &id]).await;
    assert!(
        why["paid"] == false && why["answer"].as_str().unwrap().contains("price-too-low"),
        "{why}"
    );
    assert_eq!(json(buyer, &["why", &id]).await["paid"], false);
    let other = [
        "buy",
        "Draw.",
        "--kind",
        "5100",
        "--budget",
        "25sat",
        "--deadline",
        "2",
        "--provider",
        key,
        "--yes",
        "--json",
    ];
    assert_eq!(ctl(buyer, &other).await.code, 4, "nobody serves that kind");
    let nobody = [&other[..3], &["5101", "--budget", "25sat", "--yes", "--no-wait"]].concat();
    let waiting = json(buyer, &nobody).await["purchase_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let cancelled = json(buyer, &["cancel", &waiting[..10]]).await;
    assert_eq!(
        (&cancelled["over"], &cancelled["reason"]),
        (&true.into(), &"cancelled".into()),
        "{cancelled}"
    );
    refused(buyer, &["cancel", &waiting], 5, "not-found").await;
    refused(
        provider,
        &["buy", "Mine.", "--budget", "25sat", "--provider", key, "--yes"],
        4,
        "self-purchase",
    )
    .await;
    refused(
        buyer,
        &["buy", "Hm.", "--budget", "25sat"],
        2,
        "confirmation-needed",
    )
    .await;

    let history = json(provider, &["history", "--limit", "2"]).await;
    assert_eq!(history["rows"].as_array().unwrap().len(), 2);
    assert!(history["next_before_sequence"].as_u64().unwrap() > 0, "{history}");
    assert_eq!(
        json(provider, &["jobs"]).await["jobs"].as_array().unwrap().len(),
        0
    );
    let earnings = json(provider, &["earnings"]).await;
    assert_eq!(
        (&earnings["earned_msat"], &earnings["today_jobs"]),
        (&50_000.into(), &2.into()),
        "{earnings}"
    );
    refused(provider, &["why", "00000000"], 5, "not-found").await;
    refused(provider, &["why", "123"], 2, "invalid-argument").await;
    refused(provider, &["abort", &first], 5, "not-found").await;
}

async fn wallets(provider: &Path, hub: &Path) {
    let balance = json(provider, &["wallet", "balance"]).await;
    has(
        &balance,
        &[
            "spendable_msat",
            "reserved_msat",
            "receivable_msat",
            "closing_msat",
            "onchain_sat",
            "granted_msat",
        ],
    );
    assert_eq!(
        (
            &balance["earned_msat"],
            balance["channels"].as_array().unwrap().len()
        ),
        (&50_000.into(), 1)
    );
    assert_eq!(
        json(provider, &["wallet", "can-receive", "10sat"]).await["yes"],
        true
    );
    assert_eq!(
        json(provider, &["wallet", "can-receive", "1000000sat"]).await["yes"],
        false
    );
    assert_eq!(
        ctl(provider, &["wallet", "can-receive", "10"]).await.code,
        2,
        "a sum needs its unit"
    );

    let peer = json(provider, &["status"]).await;
    let (node, address) = (&peer["node_id"], &peer["node_addresses"][0]);
    let open = [
        "wallet",
        "open-channel",
        node.as_str().unwrap(),
        address.as_str().unwrap(),
        "--capacity",
        "100000sat",
    ];
    refused(hub, &open, 2, "confirmation-needed").await;
    let again = json(hub, &[&open[..], &["--yes"]].concat()).await;
    assert_eq!(again["opened"], false, "there is a channel already");
    let close = [
        "wallet",
        "close-channel",
        balance["channels"][0]["channel_id"].as_str().unwrap(),
    ];
    refused(provider, &close, 2, "confirmation-needed").await;

    let keyed = ["wallet", "receive", "10sat", "--key", "k"];
    assert_eq!(
        json(provider, &keyed).await["payment_request"],
        json(provider, &keyed).await["payment_request"]
    );
    refused(
        provider,
        &["wallet", "receive", "11sat", "--key", "k"],
        10,
        "conflict",
    )
    .await;
    has(
        &json(provider, &["wallet", "receive", "--offer"]).await,
        &["payment_request"],
    );

    let bill = |sum: &'static str| async move {
        json(hub, &["wallet", "receive", sum]).await["payment_request"].clone()
    };
    let (bill, large) = (bill("20sat").await, bill("200000sat").await);
    let pay = ["wallet", "pay", bill.as_str().unwrap()];
    refused(provider, &pay, 2, "confirmation-needed").await;
    let paid = json(provider, &[&pay[..], &["--yes", "--wait", "120"]].concat()).await;
    assert_eq!(
        (&paid["status"], paid["preimage"].as_str().unwrap().len()),
        (&"succeeded".into(), 64),
        "{paid}"
    );
    refused(
        provider,
        &["wallet", "pay", large.as_str().unwrap(), "--yes"],
        7,
        "insufficient-funds",
    )
    .await;
    refused(
        provider,
        &["wallet", "pay", "lnbcrt1nonsense", "--yes"],
        2,
        "destination-unreadable",
    )
    .await;
    let history = json(provider, &["wallet", "history"]).await;
    assert!(history["payments"].as_array().unwrap().len() >= 4, "{history}");

    let address = json(provider, &["wallet", "address"]).await["address"].clone();
    let send = ["wallet", "send-onchain", address.as_str().unwrap(), "5000sat"];
    refused(hub, &send, 2, "confirmation-needed").await;
    let sent = json(hub, &[&send[..], &["--yes"]].concat()).await;
    assert_eq!(
        (&sent["status"], sent["txid"].as_str().unwrap().len()),
        (&"sent".into(), 64),
        "{sent}"
    );
    refused(
        provider,
        &[
            "wallet",
            "send-onchain",
            address.as_str().unwrap(),
            "9000000sat",
            "--yes",
        ],
        7,
        "insufficient-funds",
    )
    .await;
}

async fn presence_model_and_policy(provider: &Path, buyer: &Path) {
    assert_eq!(json(provider, &["provider", "offline"]).await["state"], "offline");
    refused(
        provider,
        &["wait", "provider-online", "--timeout", "1"],
        6,
        "timeout",
    )
    .await;
    let online = json(provider, &["provider", "online", "--wait", "60"]).await;
    assert_eq!(online["state"], "online", "{online}");
    assert_eq!(json(provider, &["wait", "provider-online"]).await["met"], true);
    assert_eq!(json(provider, &["wait", "receive-ready"]).await["met"], true);
    assert_eq!(
        ctl(buyer, &["provider", "online"]).await.code,
        4,
        "a buyer has no policy"
    );

    assert_eq!(json(provider, &["model", "unload"]).await["state"], "unloaded");
    assert_eq!(json(provider, &["model", "warm"]).await["state"], "ready");
    has(&json(provider, &["model", "list"]).await, &["models", "known"]);
    assert_eq!(
        ctl(buyer, &["model", "warm"]).await.code,
        4,
        "a buyer has no model"
    );

    let set = json(provider, &["policy", "set", "--min-price", "26sat"]).await;
    assert_eq!(
        (&set["policy"]["min_price_msat"], &set["policy"]["max_in_flight"]),
        (&26_000.into(), &1.into())
    );
    assert_eq!(json(provider, &["policy", "get"]).await["digest"], set["digest"]);
    let doctor = json(provider, &["doctor"]).await;
    assert_eq!(doctor["ok"], true, "{doctor}");
}

/// Beside the running host.
async fn ledger(provider: &Path) {
    let head = json(provider, &["ledger", "head"]).await;
    has(&head, &["facts", "chain", "recorded_at_ms"]);
    let verify = json(provider, &["ledger", "verify"]).await;
    assert!(
        verify["ok"] == true && verify["facts"].as_u64() >= head["facts"].as_u64(),
        "{verify}"
    );
    let replay = json(provider, &["ledger", "replay", "--at", "20"]).await;
    assert!(replay["agrees"] == true && replay["facts"] == 20, "{replay}");
    let log = ctl(provider, &["log", "--json"]).await;
    let latest = std::fs::read_to_string(provider.join("logs/latest.jsonl")).unwrap();
    let written = latest.lines().count();
    assert!(written > 20, "{written} lines");
    assert!(
        latest
            .lines()
            .zip(log.data.lines())
            .all(|(file, ledger)| file == ledger),
        "{latest}"
    );
    let relay = json(provider, &["relays"]).await["relays"][0]["relay"].clone();
    let journal = ctl(
        provider,
        &["journal", "--relay", relay.as_str().unwrap(), "--json"],
    )
    .await;
    assert!(journal.data.lines().count() > 0, "{journal:?}");
    let tail = ctl(provider, &["ledger", "tail", "-n", "3", "--json"]).await;
    assert_eq!(
        (tail.code, tail.data.lines().count(), tail.words.as_str()),
        (0, 3, ""),
        "{tail:?}"
    );
    for line in tail.data.lines() {
        let fact = serde_json::from_str(line).unwrap();
        has(
            &fact,
            &[
                "sequence", "at_ms", "type", "stream", "source", "chain", "payload",
            ],
        );
    }
}
