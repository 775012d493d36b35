//! Commands to a host: what is shown, what is asked first, and how refusals become exit codes.
use std::{path::Path, sync::atomic::Ordering};

use super::{
    host,
    support::{Home, Ran, command, ran},
};

/// Runs without blocking the fake host that lives in this process.
pub(super) async fn run(home: &Path, arguments: &[&str]) -> Ran {
    let mut command = command(home, arguments);
    ran(tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap())
}

pub(super) async fn check(home: &Path, arguments: &[&str], exit: i32, code: &str) -> Ran {
    let ran = run(home, &[arguments, &["--json"]].concat()).await;
    assert_eq!(ran.exit, exit, "{arguments:?}: {} {}", ran.stdout, ran.stderr);
    if exit != 0 {
        assert_eq!(ran.error_code(), code, "{arguments:?}");
    }
    ran
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_are_listed_and_acknowledged() {
    let home = Home::empty();
    let (_host, _served) = host::serve(home.path());
    let listed = check(home.path(), &["alerts", "list"], 0, "").await.json();
    assert_eq!(listed["alerts"][0]["state"], "active");
    let known = check(home.path(), &["alerts", "ack", "wallet-difference"], 0, "")
        .await
        .json();
    assert_eq!(
        (&known["alerts"][0]["state"], &known["active"]),
        (&"acknowledged".into(), &0.into())
    );
    check(home.path(), &["alerts", "ack", "nothing"], 5, "not-found").await;
    let words = run(home.path(), &["alerts", "list"]).await;
    assert!(words.stdout.contains("differ by 7 msat"), "{}", words.stdout);
    check(home.path(), &["activity", "--domain", "job"], 0, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_are_the_contracts_fields_and_text_names_the_network() {
    let home = Home::empty();
    let (_host, _served) = host::serve(home.path());
    let status = check(home.path(), &["status"], 0, "").await.json();
    assert_eq!(
        (&status["earned_msat"], &status["basis"]["sequence"]),
        (&123_456.into(), &7.into())
    );
    let words = run(home.path(), &["wallet", "balance"]).await;
    assert!(
        words.stdout.contains("123.456 sat (regtest: no value)"),
        "{}",
        words.stdout
    );
    let policy = check(home.path(), &["policy", "set", "--min-price", "25sat"], 0, "")
        .await
        .json();
    assert_eq!(
        (
            &policy["policy"]["min_price_msat"],
            &policy["policy"]["max_in_flight"]
        ),
        (&25_000.into(), &1.into())
    );
    let rules = [
        "policy",
        "set",
        "--refuse-word",
        "casino",
        "--refuse-topic",
        "cards=poker,skat",
    ];
    let policy = check(home.path(), &rules, 0, "").await.json()["policy"].clone();
    assert_eq!(
        (
            &policy["refused_words"][0],
            &policy["refused_topics"][0]["words"][1]
        ),
        (&"casino".into(), &"skat".into())
    );
    let only = ["refusals", "--reason", "content-policy", "--rule", "word:casino"];
    let refusals = check(home.path(), &only, 0, "").await.json()["refusals"][0].clone();
    assert_eq!(
        (&refusals["reason"], &refusals["rule"]),
        (&"content-policy".into(), &"word:casino".into())
    );
    let words = run(home.path(), &["refusals"]).await.stdout;
    assert!(words.contains("casino") && !words.contains('\u{1b}'), "{words}");
    let marked = check(home.path(), &["refusals", "mark", "aaaaaaaa", "--false"], 0, "")
        .await
        .json();
    assert_eq!(marked["rule"]["wrong"], 1);
    let missed = run(home.path(), &["missed", "--since", "24h"]).await.stdout;
    assert!(missed.contains("min-price 1000msat → 400msat"), "{missed}");
    check(home.path(), &["missed", "--since", "soon"], 2, "usage").await;
    check(home.path(), &["ledger", "check"], 8, "ledger-broken").await;
    let under_way = check(home.path(), &["ledger", "check", "--wait", "0"], 0, "")
        .await
        .json();
    assert_eq!((&under_way["over"], &under_way["of"]), (&false.into(), &7.into()));
    let start = [
        "buy-mode",
        "start",
        "Hi.",
        "--budget",
        "100sat",
        "--per-job",
        "10sat",
        "--pace",
        "5",
    ];
    check(home.path(), &start, 2, "confirmation-needed").await;
    let started = check(home.path(), &[&start[..], &["--yes"]].concat(), 0, "")
        .await
        .json();
    assert_eq!(
        (&started["budget_msat"], &started["reserved_msat"]),
        (&100_000.into(), &5_000.into())
    );
    check(home.path(), &["buy-mode", "stop"], 5, "not-found").await;
    check(home.path(), &["canary"], 4, "canary-failed").await;
    check(
        home.path(),
        &["canary", "--pay-with", "/other"],
        2,
        "confirmation-needed",
    )
    .await;
    let paid = check(home.path(), &["canary", "--pay-with", "/other", "--yes"], 0, "")
        .await
        .json();
    assert_eq!(paid["outcome"], "paid");
    let receive = check(home.path(), &["wallet", "receive", "--sats", "12"], 0, "")
        .await
        .json();
    assert_eq!(receive["payment_request"], "lnbcrt12000");
    let today = check(home.path(), &["earnings"], 0, "").await.json();
    assert_eq!(today["today_jobs"], 24, "a day in UTC has 24 hours");
    let price = [
        "price",
        "record",
        "--currency",
        "eur",
        "--per-btc",
        "61234.56",
        "--source",
        "a test",
    ];
    check(home.path(), &price, 0, "").await;
    let cents = [
        "price",
        "record",
        "--currency",
        "EUR",
        "--per-btc",
        "6,12",
        "--source",
        "a test",
    ];
    check(home.path(), &cents, 2, "usage").await;
    for arguments in [
        &["jobs"][..],
        &["history"],
        &["relays"],
        &["model", "warm"],
        &["model", "choose", "qwen2.5-1.5b-instruct-q4_k_m"],
        &["why", "deadbeef"],
        &["stop"],
    ] {
        assert_eq!(run(home.path(), arguments).await.exit, 0, "{arguments:?}");
        check(home.path(), arguments, 0, "").await.json();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_become_exit_codes_by_their_kind() {
    let home = Home::empty();
    let (_host, _served) = host::serve(home.path());
    check(home.path(), &["provider", "online"], 4, "not-ready").await;
    check(home.path(), &["abort", "deadbeef"], 4, "too-late").await;
    check(home.path(), &["cancel", "deadbeef"], 4, "too-late").await;
    check(home.path(), &["model", "choose", "none"], 5, "not-found").await;
    check(home.path(), &["why", "12345678"], 5, "not-found").await;
    check(home.path(), &["wallet", "history"], 3, "wallet-unavailable").await;
    check(home.path(), &["wallet", "address"], 1, "wallet-fault").await;
    check(
        home.path(),
        &["wallet", "send-onchain", "bcrt1q", "--all", "--yes"],
        10,
        "conflict",
    )
    .await;
    check(
        home.path(),
        &["wallet", "pay", "lnbcrtpoor", "--yes"],
        7,
        "insufficient-funds",
    )
    .await;
    check(
        home.path(),
        &["wallet", "pay", "lnbcrtfails", "--yes"],
        4,
        "payment-failed",
    )
    .await;
    check(
        home.path(),
        &["wallet", "pay", "lnbcrtslow", "--yes"],
        6,
        "timeout",
    )
    .await;
    check(
        home.path(),
        &["wallet", "pay", "lnbcrtslow", "--yes", "--wait", "0"],
        0,
        "",
    )
    .await;
    check(
        home.path(),
        &["withdraw", "lno1doubt", "--yes"],
        4,
        "payment-in-doubt",
    )
    .await;
    check(
        home.path(),
        &["withdraw", "nobody@example.com", "--yes"],
        5,
        "name-not-found",
    )
    .await;
    check(home.path(), &["withdraw", "x", "5sat", "--all"], 2, "usage").await;
    check(home.path(), &["receipt", "xyz"], 2, "usage").await;
    check(home.path(), &["receipt", &"ab".repeat(32)], 9, "ledger-missing").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_spends_is_shown_and_needs_a_yes() {
    let home = Home::empty();
    let (host, _served) = host::serve(home.path());
    let refused = check(
        home.path(),
        &["wallet", "pay", "lnbcrtx"],
        2,
        "confirmation-needed",
    )
    .await;
    assert!(
        refused.stderr.contains("5 sat (regtest: no value)") && refused.stderr.contains("02aa"),
        "{}",
        refused.stderr
    );
    assert!(
        !refused.stderr.contains('\u{1b}'),
        "a stranger's words drive the terminal"
    );
    for arguments in [
        &["wallet", "send-onchain", "bcrt1q", "5sat"][..],
        &["wallet", "close-channel", "00"],
        &["wallet", "open-channel", "02", "h:1", "--capacity", "100000sat"],
        &["buy", "good", "--budget", "10sat"],
    ] {
        check(home.path(), arguments, 2, "confirmation-needed").await;
    }
    assert_eq!(host.paid.load(Ordering::SeqCst), 0);
    check(home.path(), &["wallet", "pay", "lnbcrtx", "--yes"], 0, "").await;
    assert_eq!(host.paid.load(Ordering::SeqCst), 1);
    check(
        home.path(),
        &["wallet", "pay", "lnbcrtx", "6sat", "--yes"],
        2,
        "invalid-argument",
    )
    .await;
    let plan = check(home.path(), &["withdraw", "lnbcrtx", "--dry-run"], 0, "")
        .await
        .json();
    assert_eq!(
        (&plan["fee_ceiling_msat"], &plan["path"][0]),
        (&5_000.into(), &"bip21".into())
    );
    assert_eq!(host.paid.load(Ordering::SeqCst), 1, "a dry run pays nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_ends_with_its_answer_or_its_reason() {
    let home = Home::empty();
    let (_host, _served) = host::serve(home.path());
    let words = run(home.path(), &["buy", "good", "--budget", "10sat", "--yes"]).await;
    assert_eq!(words.exit, 0, "{}", words.stderr);
    assert!(words.stdout.ends_with("an answer\u{fffd}\n"), "{}", words.stdout);
    let bad = check(
        home.path(),
        &["buy", "bad", "--budget", "10sat", "--yes"],
        4,
        "purchase-failed",
    )
    .await;
    assert!(bad.stderr.contains("no provider answered"));
    check(home.path(), &["wait", "buyer-paid", "good"], 0, "").await;
    check(home.path(), &["wait", "buyer-paid", "bad"], 4, "purchase-failed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_debt_is_paid_back_only_after_a_yes() {
    let home = Home::empty();
    let (_host, _served) = host::serve(home.path());
    let debts = check(home.path(), &["debts"], 0, "").await.json();
    assert_eq!(debts["owed_msat"], 10_000);
    let refund = ["refund", "77777777", "lno1good"];
    let unasked = check(home.path(), &refund, 2, "confirmation-needed").await;
    assert!(unasked.stdout.is_empty(), "nothing was done");
    let paid = check(home.path(), &[&refund[..], &["--yes"]].concat(), 0, "")
        .await
        .json();
    assert_eq!(paid["status"], "refunded");
    check(
        home.path(),
        &["refund", "78787878", "lno1bad", "--yes"],
        4,
        "payment-failed",
    )
    .await;
    check(
        home.path(),
        &["refund", "99999999", "lno1good", "--yes"],
        5,
        "not-found",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sealed_names_its_provider() {
    let home = Home::empty();
    let (_host, _served) = host::serve(home.path());
    check(
        home.path(),
        &["buy", "Hi", "--budget", "10sat", "--encrypted", "--yes"],
        2,
        "usage",
    )
    .await;
    check(
        home.path(),
        &[
            "buy", "Hi", "--budget", "10sat", "--embed", "--kind", "5001", "--yes",
        ],
        2,
        "usage",
    )
    .await;
}
