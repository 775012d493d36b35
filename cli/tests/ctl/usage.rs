//! What the command line refuses, and how it says so.

use super::support::{Home, run};

#[test]
fn what_makes_no_sense_is_a_usage_error_with_a_suggestion() {
    let home = Home::empty();
    let misspelt = run(home.path(), &["statsu"]);
    assert_eq!(misspelt.exit, 2);
    assert!(misspelt.stderr.contains("status"), "{}", misspelt.stderr);
    assert_eq!(misspelt.stdout, "");
    for arguments in [
        &["wallet", "receive", "10"][..],
        &["wallet", "receive", "10sat", "--sats", "10"],
        &["wallet", "can-receive", "1btc"],
        &["history", "--limit", "501"],
        &["policy", "set"],
        &["wait", "sunshine"],
        &["buy", "hello"],
        &["ledger", "tail", "--after", "3", "-n", "2"],
    ] {
        let ran = run(home.path(), arguments);
        assert_eq!(ran.exit, 2, "{arguments:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{arguments:?}");
    }
}

#[test]
fn with_json_a_usage_error_is_json_too() {
    let home = Home::empty();
    let ran = run(home.path(), &["--json", "wallet", "receive", "10"]);
    assert_eq!((ran.exit, ran.error_code().as_str()), (2, "usage"));
}

#[test]
fn help_lists_the_exit_codes_and_is_no_failure() {
    let home = Home::empty();
    let ran = run(home.path(), &["--help"]);
    assert_eq!(ran.exit, 0);
    assert!(ran.stdout.contains("Exit codes:"), "{}", ran.stdout);
    assert_eq!(run(home.path(), &["--version"]).exit, 0);
}

#[test]
fn without_a_host_commands_for_one_say_what_to_do() {
    let home = Home::empty();
    for arguments in [
        &["status"][..],
        &["wallet", "balance"],
        &["provider", "online"],
        &["stop"],
    ] {
        let ran = run(home.path(), &[arguments, &["--json"]].concat());
        assert_eq!(
            (ran.exit, ran.error_code().as_str()),
            (3, "unreachable"),
            "{}",
            ran.stderr
        );
    }
    let words = run(home.path(), &["status"]);
    assert!(words.stderr.contains("next:"), "{}", words.stderr);
    let deep = home.path().join("d".repeat(100));
    assert_eq!(run(&deep, &["status", "--json"]).error_code(), "path-too-long");
}

#[test]
fn waiting_for_a_host_that_never_comes_ends_in_time() {
    let home = Home::empty();
    let ran = run(
        home.path(),
        &["wait", "provider-online", "--timeout", "1", "--json"],
    );
    assert_eq!(
        (ran.exit, ran.error_code().as_str()),
        (3, "unreachable"),
        "{}",
        ran.stderr
    );
}

#[test]
fn models_are_listed_and_pulled_without_a_host() {
    let home = Home::empty();
    let empty = run(home.path(), &["model", "list", "--json"]);
    assert_eq!(empty.json()["models"], serde_json::json!([]));
    let file = home.path().join("tiny.gguf");
    std::fs::write(&file, b"GGUF and then some").unwrap();
    let pulled = run(home.path(), &["model", "pull", file.to_str().unwrap(), "--json"]);
    assert_eq!(pulled.exit, 0, "{}", pulled.stderr);
    assert_eq!(pulled.json()["bytes"], 18);
    let listed = run(home.path(), &["model", "list", "--json"]).json();
    assert_eq!(listed["models"][0]["name"], "tiny.gguf");
    assert_eq!(listed["models"][0]["sha256"], pulled.json()["sha256"]);
    assert_eq!(run(home.path(), &["model", "pull", "no-such-model"]).exit, 5);
    assert_eq!(
        run(home.path(), &["model", "pull", "http://127.0.0.1:1/a.gguf"]).exit,
        2
    );
}

#[test]
fn doctor_names_what_is_missing() {
    let home = Home::empty();
    let ran = run(home.path(), &["doctor", "--json"]);
    let report = ran.json();
    let checks = report["checks"].as_array().unwrap();
    let state = |name: &str| {
        checks
            .iter()
            .find(|check| check["name"] == name)
            .map(|check| check["state"].clone())
    };
    assert_eq!(state("home").unwrap(), "ok");
    assert_eq!(state("ledger").unwrap(), "warn");
    assert_eq!(state("host").unwrap(), "warn");
    assert_eq!(ran.exit, if report["ok"] == true { 0 } else { 4 });
    std::fs::write(home.path().join("not-a-folder"), "").unwrap();
    let ran = run(&home.path().join("not-a-folder"), &["doctor", "--json"]);
    assert_eq!((ran.exit, ran.json()["ok"].clone()), (4, false.into()));
}
