//! What a world does at the edges of its machine: whom it contacts, what it logs, and how it ends for the impatient.
use std::{collections::BTreeSet, fs, path::Path, process::Stdio, time::Duration};

use serde_json::Value;
use tokio::{process::Command, time::Instant};

use super::{
    folder,
    support::{Sandbox, buy, json},
};

/// How long an end may take.
const END: Duration = Duration::from_secs(60);

/// Whether this machine lets a process be traced; in some containers it does not.
async fn can_trace() -> bool {
    let mut trace = Command::new("strace");
    let trace = trace.args(["-f", "--seccomp-bpf", "-o", "/dev/null", "true"]);
    let ran = trace.stdout(Stdio::null()).stderr(Stdio::null()).status().await;
    ran.expect("strace is installed: ./test sees to it").success()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_world_contacts_whom_it_was_told_to_logs_json_and_ends_at_a_second_ctrl_c() {
    let (_folder, home) = folder();
    let contacts = home.with_extension("contacts");
    let trace = [
        "strace",
        "-f",
        "--seccomp-bpf",
        "-e",
        "trace=connect",
        "-o",
        contacts.to_str().unwrap(),
    ];
    let traced = can_trace().await;
    if !traced {
        eprintln!("NOT CHECKED here, since this machine lets nobody trace: whom the programs contact");
    }
    let environment = [
        ("AUTOPILOT_LOG", "json"),
        ("RUST_LOG", "warn,autopilot_host=debug"),
    ];
    let wrapper = if traced { &trace[..] } else { &[] };
    let world = Sandbox::start_with(&home, wrapper, &environment, &[]).await;
    let (provider, buyer) = (world.home("provider"), world.home("buyer"));
    let bought = buy(&buyer, "Say yes.", &[]).await;
    json(
        &provider,
        &["wait", "job-paid", bought["purchase_id"].as_str().unwrap()],
    )
    .await;
    let mut allowed: BTreeSet<String> = world.ports().into_iter().collect();
    allowed.extend(peers(&home));
    let job = json(&provider, &["history"]).await["rows"][0]["job_id"]
        .as_str()
        .unwrap()
        .to_owned();

    let words = fs::read_to_string(&world.words).unwrap();
    world.end_by_two_signals().await;
    if traced {
        only(&fs::read_to_string(&contacts).unwrap(), &allowed);
    }
    let log = fs::read_to_string(provider.join("logs/host.log")).unwrap();
    story(&log, &job);
    for line in words.lines() {
        serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
    }
    assert_eq!(json(&provider, &["ledger", "verify"]).await["ok"], true);
}

/// The peers' addresses that stand in the configurations.
fn peers(home: &Path) -> Vec<String> {
    let configurations =
        ["hub", "provider", "buyer"].map(|role| fs::read_to_string(home.join(role).join("config.toml")));
    let text: String = configurations.into_iter().flatten().collect();
    let addresses = text
        .split('"')
        .filter_map(|word| Some(word.split_once('@')?.1.to_owned()));
    addresses.collect()
}

/// Every address that any process of the world turned to is one that it was given.
fn only(trace: &str, allowed: &BTreeSet<String>) {
    let mut seen = BTreeSet::new();
    for line in trace.lines().filter(|line| line.contains("sa_family=AF_INET")) {
        let between = |from: &str, to: &str| Some(line.split_once(from)?.1.split_once(to)?.0.to_owned());
        let port = between("port=htons(", ")").unwrap_or_else(|| panic!("no port: {line}"));
        let host = between("inet_addr(\"", "\"").or_else(|| between("inet_pton(AF_INET6, \"", "\""));
        seen.insert(format!(
            "{}:{port}",
            host.unwrap_or_else(|| panic!("no address: {line}"))
        ));
    }
    assert!(!seen.is_empty(), "nothing was traced: {trace}");
    let strangers: Vec<_> = seen.difference(allowed).collect();
    assert!(
        strangers.is_empty(),
        "{strangers:?} were contacted, allowed are {allowed:?}"
    );
}

/// Every line is JSON; the job's way can be read off facts and spans.
fn story(log: &str, job: &str) {
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}")))
        .collect();
    let stream = format!("job/{job}");
    for fact in [
        "job.received",
        "job.executed",
        "job.delivered",
        "invoice.issued",
        "job.settled",
    ] {
        let told = |line: &&Value| line["fields"]["stream"] == stream && line["fields"]["message"] == fact;
        let line = lines
            .iter()
            .find(told)
            .unwrap_or_else(|| panic!("{fact} is not in the log"));
        assert!(line["fields"]["sequence"].as_u64().is_some(), "{line}");
    }
    for effect in ["run", "invoice", "sign", "publish"] {
        let carries = |span: &Value| {
            span["what"] == effect && span["job"] == job && span["sequence"].as_u64().is_some()
        };
        let told = |line: &Value| {
            line["spans"]
                .as_array()
                .is_some_and(|spans| spans.iter().any(carries))
        };
        assert!(
            lines.iter().any(told),
            "no line says that {effect} was done for the job"
        );
    }
}

impl Sandbox {
    /// Wallets that hang make the end slow; a second Ctrl-C does not wait for them, and nothing stays all the same.
    async fn end_by_two_signals(self) {
        let wallets = self.pids("autopilot-walletd");
        assert_eq!(wallets.len(), 3);
        let is_sandbox = |pid: &u32| {
            fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains("\0sandbox\0"))
        };
        let program = self
            .pids("autopilot-headless")
            .into_iter()
            .find(is_sandbox)
            .expect("it runs");
        signal("STOP", &wallets).await;
        signal("INT", &[program]).await;
        let deadline = Instant::now() + END;
        while !fs::read_to_string(&self.words)
            .unwrap()
            .contains("skips the clean-up")
        {
            assert!(Instant::now() < deadline, "the first Ctrl-C was not heard");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        signal("INT", &[program]).await;
        while Path::new(&format!("/proc/{program}/exe")).exists() {
            assert!(Instant::now() < deadline, "the second Ctrl-C was not heard");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        signal("CONT", &wallets).await;
        let status = self.ended().await;
        assert_eq!(status.code(), Some(130));
    }
}

async fn signal(name: &str, pids: &[u32]) {
    let pids = pids.iter().map(u32::to_string);
    let sent = Command::new("kill")
        .arg(format!("-{name}"))
        .args(pids)
        .status()
        .await
        .unwrap();
    assert!(sent.success());
}
