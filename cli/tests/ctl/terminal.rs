//! What a person at a terminal gets, and what a script gets: colours, questions, hints, completions, manual pages.

use std::{
    io::{Read, Write},
    path::Path,
    process::{Child, Command, Stdio},
};

use super::host;
use super::support::{Home, Ran, command, ran, run};

/// A quoted word for a shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Runs the program on a terminal of its own (util-linux `script`), typing `input` ahead; both streams come as one.
pub fn on_a_terminal(home: &Path, environment: &[(&str, &str)], arguments: &[&str], input: &str) -> Ran {
    let mut child = terminal(home, environment, arguments);
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    ran(child.wait_with_output().unwrap())
}

/// The same, answering each question once it is asked.
pub fn dialogue(home: &Path, arguments: &[&str], answers: &[(&str, &str)]) -> Ran {
    let mut child = terminal(home, &[], arguments);
    let mut typed = child.stdin.take().unwrap();
    let mut shown = child.stdout.take().unwrap();
    let mut told = String::new();
    let mut buffer = [0; 4096];
    for (question, answer) in answers {
        while !told.ends_with(question) {
            match shown.read(&mut buffer).unwrap() {
                0 => panic!("{question:?} was not asked: {told}"),
                count => told += &String::from_utf8_lossy(&buffer[..count]),
            }
        }
        typed.write_all(format!("{answer}\n").as_bytes()).unwrap();
    }
    drop(typed);
    told += &std::io::read_to_string(shown).unwrap();
    Ran {
        exit: child.wait().unwrap().code().unwrap_or(-1),
        stdout: told,
        stderr: String::new(),
    }
}

fn terminal(home: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Child {
    let words: Vec<String> = std::iter::once(env!("CARGO_BIN_EXE_autopilotctl"))
        .chain(arguments.iter().copied())
        .map(quoted)
        .collect();
    let mut command = Command::new("script");
    command
        .args(["-qefc", &words.join(" "), "/dev/null"])
        .env_clear()
        .envs([("PATH", "/usr/bin:/bin"), ("SHELL", "/bin/sh"), ("TERM", "xterm")])
        .env("AUTOPILOT_HOME", home)
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

const ESCAPE: char = '\u{1b}';

#[test]
fn colours_are_for_terminals_that_want_them() {
    let home = Home::empty();
    for (environment, coloured) in [
        (&[][..], true),
        (&[("NO_COLOR", "1")], false),
        (&[("TERM", "dumb")], false),
    ] {
        for arguments in [&["doctor"][..], &["statsu"]] {
            let shown = on_a_terminal(home.path(), environment, arguments, "");
            assert_eq!(
                shown.stdout.contains(ESCAPE),
                coloured,
                "{environment:?} {arguments:?}: {}",
                shown.stdout
            );
        }
    }
    for arguments in [&["doctor"][..], &["doctor", "--json"], &["statsu"], &["--help"]] {
        let piped = run(home.path(), arguments);
        assert!(
            !piped.stdout.contains(ESCAPE) && !piped.stderr.contains(ESCAPE),
            "{arguments:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_is_asked_unless_input_is_ruled_out() {
    let home = Home::empty();
    let (host, _served) = host::serve(home.path());
    let path = home.path().to_owned();
    tokio::task::spawn_blocking(move || {
        let pay = ["wallet", "pay", "lnbcrtx"];
        let no = on_a_terminal(&path, &[], &pay, "n\n");
        assert_eq!(no.exit, 2, "{}", no.stdout);
        let never = on_a_terminal(&path, &[], &["wallet", "pay", "lnbcrtx", "--no-input"], "y\n");
        assert_eq!(never.exit, 2, "{}", never.stdout);
        assert!(never.stdout.contains("--yes"), "{}", never.stdout);
        let set = on_a_terminal(&path, &[("AUTOPILOT_NO_INPUT", "1")], &pay, "y\n");
        assert_eq!(set.exit, 2, "{}", set.stdout);
        assert_eq!(host.paid.load(std::sync::atomic::Ordering::SeqCst), 0);
        let yes = on_a_terminal(&path, &[], &pay, "y\n");
        assert_eq!(yes.exit, 0, "{}", yes.stdout);
        assert_eq!(host.paid.load(std::sync::atomic::Ordering::SeqCst), 1);
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_command_is_named_to_people_and_not_to_scripts() {
    let home = Home::empty();
    let (_host, _served) = host::serve(home.path());
    let path = home.path().to_owned();
    tokio::task::spawn_blocking(move || {
        let buy = ["buy", "good", "--budget", "10sat", "--yes", "--no-wait"];
        let person = on_a_terminal(&path, &[], &buy, "");
        assert!(
            person.stdout.contains("next:  autopilotctl wait buyer-paid good"),
            "{}",
            person.stdout
        );
        let script = run(&path, &buy);
        assert_eq!(script.stdout, "good\n");
        assert!(!script.stderr.contains("next:"), "{}", script.stderr);
        let misspelt = run(&path, &["why", "00000003"]);
        assert_eq!(misspelt.exit, 5);
        assert!(
            misspelt.stderr.contains("did you mean autopilotctl why 000000"),
            "{}",
            misspelt.stderr
        );
    })
    .await
    .unwrap();
    let pulled = run(home.path(), &["model", "pull", "no-such-model"]);
    assert_eq!(pulled.exit, 5);
}

#[test]
fn bash_completes_from_the_script_that_is_written() {
    let home = Home::empty();
    let script = run(home.path(), &["completions", "bash"]);
    assert_eq!(script.exit, 0, "{}", script.stderr);
    let completed = |line: &str| {
        let words: Vec<String> = line.split(' ').map(quoted).collect();
        let program = format!(
            "{}\nCOMP_WORDS=({})\nCOMP_CWORD={}\nCOMPREPLY=()\n_autopilotctl autopilotctl {} ''\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"",
            script.stdout,
            words.join(" "),
            words.len() - 1,
            words[words.len() - 1],
        );
        let mut bash = Command::new("bash")
            .args(["--norc", "-s"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        bash.stdin.take().unwrap().write_all(program.as_bytes()).unwrap();
        ran(bash.wait_with_output().unwrap()).stdout
    };
    assert_eq!(completed("autopilotctl statu"), "status\n");
    assert!(completed("autopilotctl wallet ").contains("send-onchain\n"));
    assert!(completed("autopilotctl wallet pay --dry").contains("--dry-run"));
    for shell in ["zsh", "fish"] {
        let other = run(home.path(), &["completions", shell]);
        assert!(
            other.exit == 0 && other.stdout.contains("send-onchain"),
            "{shell}"
        );
    }
    assert_eq!(run(home.path(), &["completions", "csh"]).exit, 2);
}

#[test]
fn there_is_a_manual_page_for_each_command() {
    let home = Home::empty();
    let folder = home.path().join("man");
    let written = run(home.path(), &["man", folder.to_str().unwrap()]);
    assert_eq!(written.exit, 0, "{}", written.stderr);
    for page in [
        "autopilotctl.1",
        "autopilotctl-wallet.1",
        "autopilotctl-wallet-pay.1",
    ] {
        let text = std::fs::read_to_string(folder.join(page)).unwrap();
        assert!(text.contains(".TH ") && text.contains(".SH SYNOPSIS"), "{page}");
        assert!(
            !text.contains(home.path().to_str().unwrap()),
            "{page} carries the environment of its making"
        );
    }
    assert!(run(home.path(), &["man"]).stdout.contains("Exit codes"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_checks_at_the_host_and_does_nothing() {
    let home = Home::empty();
    let (host, _served) = host::serve(home.path());
    let path = home.path().to_owned();
    tokio::task::spawn_blocking(move || {
        for arguments in [
            &["wallet", "close-channel", "00"][..],
            &["wallet", "open-channel", "02", "h:1", "--capacity", "100000sat"],
            &["buy", "good", "--budget", "10sat"],
        ] {
            let mut command = command(&path, &[arguments, &["--dry-run", "--json"]].concat());
            let rehearsed = ran(command.output().unwrap());
            assert_eq!(rehearsed.exit, 0, "{arguments:?}: {}", rehearsed.stderr);
            assert_eq!(rehearsed.json()["dry_run"], true, "{arguments:?}");
        }
        // Of a payment it shows the plan.
        let planned = run(&path, &["wallet", "pay", "lnbcrtx", "--dry-run", "--json"]);
        assert_eq!(planned.exit, 0, "{}", planned.stderr);
        assert!(planned.json()["plan_id"].is_string(), "{}", planned.stdout);
        // What the host refuses, a dry run refuses too.
        assert_eq!(
            run(&path, &["wallet", "send-onchain", "bcrt1q", "5sat", "--dry-run"]).exit,
            10
        );
        let done = host.done.load(std::sync::atomic::Ordering::SeqCst);
        assert_eq!(
            (host.paid.load(std::sync::atomic::Ordering::SeqCst), done),
            (0, 0)
        );
    })
    .await
    .unwrap();
}
