//! The ledger commands on real ledgers, without a host and beside a writer.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use super::support::{Home, NEEDLE, command, run};
use autopilot_projections::State;
use autopilot_store_sqlite::Snapshot;

#[tokio::test]
async fn the_head_is_the_last_facts_number_and_chain() {
    let home = Home::with_jobs(3).await;
    let ran = run(home.path(), &["ledger", "head", "--json"]);
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    let last = home.facts.last().unwrap();
    assert_eq!(ran.json()["facts"], 9);
    assert_eq!(ran.json()["chain"], last.chain.to_string());
    assert_eq!(ran.json()["recorded_at_ms"], last.fact.recorded_at_ms);
}

#[tokio::test]
async fn a_whole_ledger_verifies_beside_its_writer_and_after_it() {
    let mut home = Home::empty();
    let mut store = home.open().await;
    home.append(&mut store, 0).await;
    let beside = run(home.path(), &["ledger", "verify", "--json"]);
    assert_eq!(
        (beside.exit, beside.json()["facts"].clone()),
        (0, 3.into()),
        "{}",
        beside.stderr
    );
    store.close().await;
    let after = run(home.path(), &["ledger", "verify", "--json"]);
    assert_eq!((after.exit, after.json()["ok"].clone()), (0, true.into()));
}

#[tokio::test]
async fn one_altered_byte_is_exit_code_8_and_named() {
    let home = Home::with_jobs(3).await;
    let mut bytes = std::fs::read(home.ledger()).unwrap();
    let places: Vec<usize> = (0..bytes.len() - NEEDLE.len())
        .filter(|at| bytes[*at..].starts_with(NEEDLE.as_bytes()))
        .collect();
    bytes[places[1]] ^= 1;
    std::fs::write(home.ledger(), bytes).unwrap();
    let ran = run(home.path(), &["ledger", "verify", "--json"]);
    assert_eq!(
        (ran.exit, ran.error_code().as_str()),
        (8, "ledger-broken"),
        "{}",
        ran.stderr
    );
    let report = ran.json();
    assert_eq!(report["ok"], false);
    assert_eq!(report["broken_at"], report["facts"].as_u64().unwrap() + 1);
    assert_eq!(run(home.path(), &["ledger", "replay"]).exit, 8);
}

#[tokio::test]
async fn what_is_no_ledger_is_exit_code_9() {
    let home = Home::empty();
    assert_eq!(
        run(home.path(), &["ledger", "head", "--json"]).error_code(),
        "ledger-missing"
    );
    std::fs::create_dir(home.path().join("ledger")).unwrap();
    std::fs::write(home.ledger(), "something else").unwrap();
    let ran = run(home.path(), &["ledger", "head", "--json"]);
    assert_eq!(
        (ran.exit, ran.error_code().as_str()),
        (9, "not-a-ledger"),
        "{}",
        ran.stderr
    );
}

#[tokio::test]
async fn a_replay_gives_the_folds_digests_and_compares_with_what_is_stored() {
    let mut home = Home::empty();
    let mut store = home.open().await;
    home.append(&mut store, 0).await;
    home.append(&mut store, 1).await;
    let mut state = State::default();
    home.facts.iter().for_each(|fact| state.apply(fact));
    let head = home.facts.last().unwrap().head();
    let snapshot = |state: &State| Snapshot::new(State::label(), 1, head, state.to_snapshot());
    store.put_snapshot(&snapshot(&state)).await.unwrap();
    let ran = run(home.path(), &["ledger", "replay", "--json"]);
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    for (label, digest) in state.digests() {
        assert_eq!(ran.json()["digests"][label], digest.to_string());
    }
    let comparisons = ran.json()["comparisons"].clone();
    assert_eq!(
        (&comparisons[0]["what"], &comparisons[0]["equal"]),
        (&"snapshot".into(), &true.into())
    );
    assert_eq!(
        (&comparisons[1]["what"], &comparisons[1]["equal"]),
        (&"history".into(), &true.into())
    );

    let mut earlier = State::default();
    home.facts[..4].iter().for_each(|fact| earlier.apply(fact));
    let at = run(
        home.path(),
        &["ledger", "replay", "--at", "4", "--state", "--json"],
    )
    .json();
    assert_eq!(at["facts"], 4);
    assert_eq!(at["chain"], home.facts[3].chain.to_string());
    assert_eq!(at["state"], serde_json::to_value(&earlier).unwrap());
    assert_eq!(at["comparisons"][0]["equal"], serde_json::Value::Null);
    assert_eq!(run(home.path(), &["ledger", "replay", "--at", "99"]).exit, 5);

    store.put_snapshot(&snapshot(&earlier)).await.unwrap();
    let differs = run(home.path(), &["ledger", "replay", "--json"]);
    assert_eq!(
        (differs.exit, differs.error_code().as_str()),
        (8, "replay-differs")
    );
    store.close().await;
}

#[tokio::test]
async fn the_tail_is_json_lines_with_payloads() {
    let home = Home::with_jobs(3).await;
    let ran = run(home.path(), &["ledger", "tail", "-n", "4", "--json"]);
    let lines: Vec<serde_json::Value> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let numbers: Vec<u64> = lines
        .iter()
        .filter_map(|line| line["sequence"].as_u64())
        .collect();
    assert_eq!(numbers, [6, 7, 8, 9]);
    assert_eq!(lines[1]["type"], "job.received");
    assert_eq!(lines[1]["source"], "relay");
    assert_eq!(lines[1]["payload"]["relay"], NEEDLE);
    assert_eq!(lines[3]["chain"], home.facts[8].chain.to_string());
    let words = run(home.path(), &["events", "-n", "1"]);
    assert!(words.stdout.contains("job.started"), "{}", words.stdout);
}

#[tokio::test]
async fn the_log_of_a_run_is_made_again_from_the_ledger() {
    let home = Home::with_jobs(3).await;
    let none = run(home.path(), &["log", "--json"]);
    assert_eq!((none.exit, none.error_code().as_str()), (5, "not-found"));
    let logs = home.path().join("logs");
    std::fs::create_dir(&logs).unwrap();
    for (after, content) in [(0, "lost"), (3, "")] {
        std::fs::write(logs.join(format!("{after:012}-20261120T083000Z.jsonl")), content).unwrap();
    }
    let listed = run(home.path(), &["log", "--list", "--json"]).json();
    assert_eq!(
        (
            &listed[0]["last_fact"],
            &listed[1]["first_fact"],
            &listed[1]["last_fact"]
        ),
        (&3.into(), &4.into(), &9.into())
    );
    let numbers = |arguments: &[&str]| -> Vec<u64> {
        let ran = run(home.path(), arguments);
        let line = |line: &str| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["sequence"]
                .as_u64()
                .unwrap()
        };
        ran.stdout.lines().map(line).collect()
    };
    assert_eq!(numbers(&["log", "--json"]), [4, 5, 6, 7, 8, 9]);
    let first = listed[0]["run"].as_str().unwrap();
    assert_eq!(numbers(&["log", "--run", first, "--json"]), [1, 2, 3]);
}

#[tokio::test]
async fn the_journal_is_read_by_relay_and_time() {
    let home = Home::empty();
    let mut store = home.open().await;
    let line = |at_ms: i64, text: &str| autopilot_store_sqlite::JournalEntry {
        at_ms,
        kind: "relay.said".into(),
        subject: String::new(),
        text: text.into(),
    };
    let journal = [
        line(1_000, "ws://a OK"),
        line(2_000, "ws://ab OK"),
        line(3_000, "ws://a/ \u{1b}[31mno"),
    ];
    store
        .append(autopilot_store_sqlite::Commit {
            journal: &journal,
            ..Default::default()
        })
        .await
        .unwrap();
    let texts = |arguments: &[&str]| -> Vec<String> {
        let ran = run(home.path(), &[&["journal", "--json"], arguments].concat());
        assert_eq!(ran.exit, 0, "{}", ran.stderr);
        let line = |line: &str| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["text"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        ran.stdout.lines().map(line).collect()
    };
    assert_eq!(texts(&[]).len(), 3);
    assert_eq!(
        texts(&["--relay", "ws://a/"]),
        ["ws://a OK", "ws://a/ \u{1b}[31mno"]
    );
    assert_eq!(
        texts(&["--since", "1970-01-01T00:00:02Z", "--relay", "ws://ab"]),
        ["ws://ab OK"]
    );
    assert_eq!(texts(&["-n", "1"]).len(), 1);
    let words = run(home.path(), &["journal"]);
    assert!(
        !words.stdout.contains('\u{1b}'),
        "strangers do not drive the terminal: {}",
        words.stdout
    );
    store.close().await;
}

#[tokio::test]
async fn a_followed_tail_sees_facts_as_they_come() {
    let mut home = Home::empty();
    let mut store = home.open().await;
    home.append(&mut store, 0).await;
    let mut child = command(home.path(), &["events", "--follow", "--after", "0", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || {
        let line: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        line["sequence"].as_u64().unwrap()
    };
    assert_eq!([next(), next(), next()], [1, 2, 3]);
    home.append(&mut store, 1).await;
    assert_eq!([next(), next(), next()], [4, 5, 6]);
    child.kill().unwrap();
    child.wait().unwrap();
    store.close().await;
}
