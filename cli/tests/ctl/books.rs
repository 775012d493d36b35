//! Reports and exports of a ledger whose every sum is known, as a person and as other programs read them.
use std::process::Command;

use autopilot_events::{
    Draft, Event,
    envelope::seal,
    pb::{self, Source},
};
use autopilot_store_sqlite::Commit;
use serde_json::Value;

use super::support::{Home, run};

/// 2026-09-21 at 14:13:20 UTC.
const T: i64 = 1_790_000_000_000;

fn id(tag: u8, n: u8) -> Vec<u8> {
    let mut id = vec![tag; 32];
    id[0] = n;
    id
}

fn begun(n: u8) -> Vec<Event> {
    vec![
        pb::JobReceived {
            job_id: id(1, n),
            market: "nip90".into(),
            native_id: id(2, n),
            requester: id(3, n % 2),
            kind: 5050,
            ..Default::default()
        }
        .into(),
        pb::JobAccepted {
            job_id: id(1, n),
            price_msat: 10_000,
            policy_digest: vec![7; 32],
            ..Default::default()
        }
        .into(),
    ]
}

fn worked(n: u8, model: &str) -> Vec<Event> {
    let receipt = Some(pb::Receipt {
        model: model.into(),
        prompt_tokens: 5,
        output_tokens: 7,
        ..Default::default()
    });
    vec![
        pb::JobExecuted {
            job_id: id(1, n),
            receipt,
            output: None,
        }
        .into(),
        delivered(n),
    ]
}

fn delivered(n: u8) -> Event {
    pb::JobDelivered {
        job_id: id(1, n),
        event_id: id(5, n),
        relays_accepted: 1,
        relays_tried: 1,
    }
    .into()
}

fn received(n: u8, amount_msat: u64) -> Event {
    pb::WalletPaymentReceived {
        payment_id: id(4, n),
        payment_hash: id(4, n),
        amount_msat,
        settled_at_ms: T + i64::from(n) * 3_600_000,
        skimmed_fee_msat: u64::from(n == 1) * 100,
        ..Default::default()
    }
    .into()
}

fn settled(n: u8, amount_msat: u64, prepaid: bool) -> Event {
    pb::JobSettled {
        job_id: id(1, n),
        payment_hash: id(4, n),
        amount_msat,
        settled_at_ms: T + i64::from(n) * 3_600_000,
        payment_id: id(4, n),
        prepaid,
        ..Default::default()
    }
    .into()
}

fn prepaid(n: u8, amount_msat: u64) -> Event {
    pb::JobPrepaid {
        job_id: id(1, n),
        payment_hash: id(4, n),
        amount_msat,
        settled_at_ms: T + i64::from(n) * 3_600_000,
        payment_id: id(4, n),
        ..pb::JobPrepaid::default()
    }
    .into()
}

fn sent(n: u8, amount_msat: u64, fee_msat: u64) -> Event {
    pb::WalletPaymentSent {
        payment_id: id(4, n),
        payment_hash: id(4, n),
        amount_msat,
        fee_msat,
        preimage: Vec::new(),
        settled_at_ms: T + i64::from(n) * 3_600_000,
        ..Default::default()
    }
    .into()
}

fn expired(n: u8) -> Event {
    pb::InvoiceExpired {
        job_id: id(1, n),
        payment_hash: id(4, n),
    }
    .into()
}

/// Paid, paid before, unpaid, paid late, owed, earned without a receipt, received, bought and withdrawn.
fn events() -> Vec<Event> {
    let mut all: Vec<Event> = vec![
        pb::LedgerOpened {
            ledger_id: vec![1; 16],
            network: "bitcoin".into(),
            identity: vec![9; 32],
            program: "test".into(),
        }
        .into(),
        pb::WalletChannelOpened {
            channel_id: "c1".into(),
            capacity_msat: 100_000_000,
            granted_msat: 1_000_000,
            ..Default::default()
        }
        .into(),
    ];
    // Paid after the work, by a model whose name a spreadsheet would run.
    all.extend(begun(1));
    all.extend(worked(1, "=cmd|' /C calc'!A1"));
    all.extend([received(1, 10_000), settled(1, 10_000, false)]);
    // Paid before the work.
    all.extend(begun(2));
    all.extend([received(2, 20_000), prepaid(2, 20_000)]);
    all.extend(worked(2, "small, \"quoted\""));
    all.push(settled(2, 20_000, true));
    // Never paid; and one paid after its invoice had run out.
    for n in [3, 4] {
        all.extend(begun(n));
        all.extend(worked(n, "small"));
        all.push(expired(n));
    }
    all.extend([received(4, 10_000), settled(4, 10_000, false)]);
    // Paid before the work, which failed: owed.
    all.extend(begun(5));
    all.extend([received(5, 3_000), prepaid(5, 3_000)]);
    all.push(
        pb::JobFailed {
            job_id: id(1, 5),
            code: "worker-lost".into(),
            ..Default::default()
        }
        .into(),
    );
    // Earned, and nobody knows by which work.
    all.extend(begun(6));
    all.extend([delivered(6), received(6, 1), settled(6, 1, false)]);
    // For no job; withdrawn; bought.
    all.extend([received(7, 5_000), sent(8, 7_000, 3)]);
    all.push(
        pb::PurchaseRequested {
            purchase_id: id(1, 9),
            native_id: id(2, 9),
            kind: 5050,
            ..Default::default()
        }
        .into(),
    );
    all.push(
        pb::PurchaseWon {
            purchase_id: id(1, 9),
            provider: id(3, 9),
            event_id: id(5, 9),
            payment_hash: id(4, 9),
            amount_msat: 4_000,
            ..Default::default()
        }
        .into(),
    );
    all.push(sent(9, 4_000, 2));
    all.push(
        pb::PurchasePaid {
            purchase_id: id(1, 9),
            payment_hash: id(4, 9),
            amount_msat: 4_000,
            fee_msat: 2,
            ..Default::default()
        }
        .into(),
    );
    all
}

async fn home() -> Home {
    let home = Home::empty();
    let mut store = home.open().await;
    let mut head = store.head();
    let mut versions = std::collections::HashMap::new();
    let mut facts = Vec::new();
    for (n, event) in events().into_iter().enumerate() {
        let draft = Draft {
            stream: stream(&event),
            event,
            source: Source::Wallet,
            idempotency_key: String::new(),
            correlation: Vec::new(),
        };
        let version: &mut u64 = versions.entry(draft.stream.clone()).or_default();
        *version += 1;
        let fact = seal(&head, *version, draft, 0, T + n as i64 * 60_000);
        head = fact.head();
        facts.push(fact);
    }
    let commit = Commit {
        facts: &facts,
        ..Commit::default()
    };
    store.append(commit).await.unwrap();
    store.close().await;
    home
}

/// The stream as the deciders name it.
fn stream(event: &Event) -> String {
    let id = match event {
        Event::JobReceived(m) => &m.job_id,
        Event::JobAccepted(m) => &m.job_id,
        Event::JobExecuted(m) => &m.job_id,
        Event::JobDelivered(m) => &m.job_id,
        _ => return "wallet".to_owned(),
    };
    let text: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("job/{text}")
}

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
        let first = run(home.path(), &["export", "--format", format]);
        assert_eq!(first.exit, 0, "{}", first.stderr);
        let again = run(home.path(), &["export", "--format", format]);
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
        let key = name.replace(':', "-");
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
    assert_eq!(tally("withdrawals"), (1, 7_000));
    assert_eq!(
        (&report["fees_msat"], &report["skimmed_fees_msat"]),
        (&5.into(), &100.into())
    );
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
