//! Reports and exports of a ledger whose every sum is known, as a person and as other programs read them.
mod facts;

use std::process::Command;

use serde_json::Value;

use super::support::run;
use facts::home;

/// The bytes that the file under `golden/` has. `AUTOPILOT_GOLDEN=write` writes them anew, to be looked through.
fn golden(name: &str, found: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/ctl/golden")
        .join(name);
    if std::env::var_os("AUTOPILOT_GOLDEN").is_some_and(|value| value == "write") {
        std::fs::write(&path, found).unwrap();
    }
    assert_eq!(
        found,
        std::fs::read_to_string(&path).unwrap(),
        "{}",
        path.display()
    );
}

#[tokio::test]
async fn exports_are_the_same_bytes_every_time() {
    let home = home().await;
    for (format, name) in [
        ("csv", "export.csv"),
        ("jsonl", "export.jsonl"),
        ("koinly", "koinly.csv"),
        ("hledger", "export.journal"),
    ] {
        let asked = [
            "export",
            "--format",
            format,
            "--currency",
            "eur",
            "--max-price-age",
            "6",
        ];
        let first = run(home.path(), &asked);
        assert_eq!(first.exit, 0, "{}", first.stderr);
        let again = run(home.path(), &asked);
        assert_eq!(first.stdout, again.stdout);
        golden(name, &first.stdout);
    }
}

/// hledger itself: strict, and with the balances that the ledger's own fold of accounts gives.
#[tokio::test]
async fn hledger_accepts_the_journal_and_comes_to_the_same_balances() {
    let home = home().await;
    let file = home.path().join("all.journal");
    let path = file.to_str().unwrap();
    let ran = run(home.path(), &["export", "--format", "hledger", "-o", path]);
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    hledger(&file, &["check", "--strict"]);
    let balances = run(home.path(), &["ledger", "replay", "--state", "--json"]).json();
    let accounts = balances["state"]["accounts"]["balances_msat"]
        .as_object()
        .unwrap()
        .clone();
    let shown = hledger(
        &file,
        &[
            "balance",
            "--flat",
            "--empty",
            "--no-total",
            "--output-format",
            "csv",
        ],
    );
    let mut found = 0;
    for line in shown.lines().skip(1) {
        let (name, amount) = line.trim_matches('"').split_once("\",\"").unwrap();
        let amount: String = amount.chars().filter(char::is_ascii_digit).collect();
        let key = match name {
            "expenses:fees:lightning" => "expenses-fees".to_owned(),
            "expenses:fees:onchain" => "expenses-mining".to_owned(),
            other => other.replace(":fees:", "-").replace(':', "-"),
        };
        let expected = accounts.get(&key).and_then(Value::as_i64).unwrap_or(0);
        assert_eq!(amount.parse::<i64>().unwrap(), expected.abs(), "{name}: {shown}");
        found += usize::from(expected != 0);
    }
    let moved = accounts.values().filter(|msat| msat.as_i64() != Some(0)).count();
    assert_eq!(found, moved, "{shown}");

    // A window brings its opening balances along.
    let later = home.path().join("later.journal");
    let asked = [
        "export",
        "--format",
        "hledger",
        "--from",
        "2026-09-21T18:00Z",
        "-o",
        later.to_str().unwrap(),
    ];
    assert_eq!(run(home.path(), &asked).exit, 0);
    hledger(&later, &["check", "--strict"]);
    let total = |file: &std::path::Path| hledger(file, &["balance", "--flat", "assets", "--no-total"]);
    assert_eq!(total(&later), total(&file));
}

fn hledger(file: &std::path::Path, arguments: &[&str]) -> String {
    let ran = Command::new("hledger")
        .arg("-f")
        .arg(file)
        .args(arguments)
        .env("LC_ALL", "C.UTF-8")
        .output()
        .expect("hledger is not installed: run ./test, which installs it, or apt-get install hledger");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}

#[tokio::test]
async fn a_report_rests_on_wallet_facts_and_sets_apart_what_is_not_right() {
    let home = home().await;
    let report = run(home.path(), &["report", "--from", "2026-09-21", "--json"]).json();
    let tally = |name: &str| {
        (
            report[name]["payments"].as_u64().unwrap(),
            report[name]["msat"].as_u64().unwrap(),
        )
    };
    assert_eq!(tally("earned"), (4, 40_001));
    assert_eq!(tally("earned_prepaid"), (1, 20_000));
    assert_eq!(tally("received_unbound"), (1, 5_000));
    assert_eq!(tally("purchases"), (1, 4_000));
    assert_eq!(tally("withdrawals"), (2, 5_007_000));
    assert_eq!(
        (&report["fees_msat"], &report["skimmed_fees_msat"]),
        (&770_005.into(), &100.into())
    );
    assert_eq!(
        (
            &report["unexplained_msat"],
            &report["wallet"]["accounts"][1]["wallet_msat"]
        ),
        (&0.into(), &43_230_000.into())
    );
    assert_eq!(report["wallet"]["accounts"][0]["ledger_msat"], 1_037_000);
    assert_eq!(
        report["per_model"]["small"]["msat"], 10_000,
        "the late one has its receipt too: {report}"
    );
    assert_eq!(report["per_kind"]["5050"]["payments"], 4);
    assert_eq!(report["per_buyer"].as_object().unwrap().len(), 2);
    assert_eq!(tally("delivered_unpaid"), (1, 10_000));
    assert_eq!(tally("prepaid_undelivered"), (1, 3_000));
    assert_eq!(tally("settled_without_receipt"), (1, 1));
    assert_eq!(report["settled_without_receipt"]["rows"][0]["msat"], 1);
    assert_eq!(report["window"]["time_zone"], "UTC");

    assert_eq!(
        report["worth"]["currency"],
        Value::Null,
        "two currencies, and none was asked for"
    );
    let euros = run(
        home.path(),
        &[
            "report",
            "--from",
            "2026-09-21",
            "--currency",
            "EUR",
            "--max-price-age",
            "2",
            "--json",
        ],
    )
    .json();
    // 10,000 msat at 60,000 EUR, 20,000 likewise, 1 msat at 70,000; nothing newer than two hours for the late one.
    assert_eq!(euros["worth"]["earned"], "0.018001", "{}", euros["worth"]);
    assert_eq!(
        (&euros["worth"]["valued"], &euros["worth"]["without_value"]),
        (&3.into(), &1.into())
    );

    // The wallet's time decides: payment 1 came at 15:13:20, and is in the window that begins then and not in the one
    // that ends then.
    let earned = |from: &str, to: &str| {
        let ran = run(home.path(), &["report", "--from", from, "--to", to, "--json"]);
        assert_eq!(ran.exit, 0, "{}", ran.stderr);
        ran.json()["earned"]["msat"].as_u64().unwrap()
    };
    assert_eq!(earned("2026-09-21T15:13:20Z", "2026-09-21T15:13:21Z"), 10_000);
    assert_eq!(earned("2026-09-21", "2026-09-21T15:13:20Z"), 0);
    let day = run(home.path(), &["report", "--day", "2026-09-21"]);
    assert!(
        day.stdout.contains("40.001 sat in 4 payments (bitcoin)"),
        "{}",
        day.stdout
    );
    assert!(
        day.stdout.contains("delivered and not paid: 1 jobs"),
        "{}",
        day.stdout
    );
    assert_eq!(
        run(home.path(), &["report", "--day", "tomorrow", "--json"]).error_code(),
        "usage"
    );
}

#[tokio::test]
async fn a_file_is_whole_or_not_there_and_never_replaced_unasked() {
    let home = home().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out.csv");
    let path = file.to_str().unwrap();
    let dry = run(
        home.path(),
        &["export", "--format", "csv", "-o", path, "--dry-run", "--json"],
    );
    assert_eq!((&dry.json()["written"], file.exists()), (&false.into(), false));
    let entries = dry.json()["entries"].as_u64().unwrap();
    let ran = run(home.path(), &["export", "--format", "csv", "-o", path, "--json"]);
    assert_eq!(
        (ran.exit, &ran.json()["entries"]),
        (0, &entries.into()),
        "{}",
        ran.stderr
    );
    let written = std::fs::read_to_string(&file).unwrap();
    assert_eq!(written.matches("\r\n").count() as u64, entries + 1);
    let again = run(
        home.path(),
        &["export", "--format", "koinly", "-o", path, "--json"],
    );
    assert_eq!((again.exit, again.error_code().as_str()), (4, "file-exists"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), written);
    let forced = run(
        home.path(),
        &["export", "--format", "koinly", "-o", path, "--force"],
    );
    assert_eq!(forced.exit, 0, "{}", forced.stderr);
    assert!(
        std::fs::read_to_string(&file)
            .unwrap()
            .starts_with("Date,Sent Amount,")
    );
    let lost = run(
        home.path(),
        &["export", "--format", "csv", "-o", "/nowhere/out.csv", "--json"],
    );
    assert_eq!((lost.exit, lost.error_code().as_str()), (1, "output"));
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing half-written stays"
    );
}
