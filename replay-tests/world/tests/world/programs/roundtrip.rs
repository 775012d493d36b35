//! Jobs one way, the roles flip, and the earned sats are spent back, on Bitcoin Core.
use autopilot_world_tests::stage::model;
use serde_json::Value;

use super::{
    folder,
    support::{has, headless},
};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_earned_is_spent_back_when_the_roles_flip() {
    let (folder, home) = folder();
    let out = folder.path().join("out");
    let model = model().unwrap();
    let options = [
        "roundtrip",
        "--chain",
        "bitcoind",
        "--price-sats",
        "20",
        "--home",
        home.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
        "--model",
        model.to_str().unwrap(),
    ];
    let done = headless(&[&options[..], &["--jobs", "3"]].concat()).await;
    assert_eq!(done.code, 0, "{done:?}");
    let text = std::fs::read_to_string(out.join("summary.txt")).unwrap();
    assert!(
        text.contains("as it should be") && done.data.contains(&text),
        "{done:?}"
    );
    let summary: Value =
        serde_json::from_str(&std::fs::read_to_string(out.join("summary.json")).unwrap()).unwrap();
    assert_eq!(
        (&summary["ok"], &summary["chain"]),
        (&true.into(), &"bitcoind".into())
    );
    for (leg, seller) in [(0, "provider"), (1, "buyer")] {
        let leg = &summary["legs"][leg];
        assert_eq!(
            (&leg["seller"], &leg["asked"], &leg["paid"]),
            (&seller.into(), &3.into(), &3.into())
        );
        assert_eq!(
            (&leg["earned_msat"], &leg["fees_msat"]),
            (&60_000.into(), &0.into()),
            "{leg}"
        );
    }
    let spendable = |when: &str| {
        summary["wallets"][when]["provider"]["spendable_msat"]
            .as_u64()
            .unwrap()
    };
    assert_eq!(
        (spendable("before"), spendable("between"), spendable("after")),
        (0, 60_000, 0)
    );
    let earned = |side: &str| summary["wallets"]["after"][side]["earned_msat"].as_u64().unwrap();
    assert_eq!((earned("provider"), earned("buyer")), (60_000, 60_000));
    let phases = summary["phases"].as_array().unwrap().iter();
    let phases: Vec<&str> = phases.map(|phase| phase["name"].as_str().unwrap()).collect();
    assert_eq!(
        phases,
        ["world", "online", "out", "flip", "back", "stop", "check"]
    );
    for side in ["provider", "buyer"] {
        has(&summary["ledgers"][side], &["facts", "verified", "replayed"]);
    }
}

/// More than the wallets hold is refused with the sums before a job is asked, and the summary says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_roundtrip_that_cannot_be_paid_is_refused_first() {
    let (_folder, home) = folder();
    let model = model().unwrap();
    let home_text = home.to_str().unwrap();
    let options = [
        "--jobs",
        "500",
        "--price-sats",
        "9000",
        "--home",
        home_text,
        "--model",
        model.to_str().unwrap(),
    ];
    let refused = headless(&[&["roundtrip"][..], &options].concat()).await;
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.words.contains("the buyer can spend"), "{refused:?}");
    let summary = std::fs::read_to_string(home.join("summary.json")).unwrap();
    let summary: Value = serde_json::from_str(&summary).unwrap();
    assert_eq!(
        (&summary["ok"], summary["legs"].as_array().unwrap().len()),
        (&false.into(), 0)
    );
}
