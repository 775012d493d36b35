//! The program as a person runs it, and homes to run it in.
// In tests a panic is the verdict.
#![allow(dead_code, clippy::unwrap_used)]
use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use autopilot_events::{
    Draft, Event, Head, Recorded,
    envelope::seal,
    pb::{self, Source},
};
use autopilot_store_sqlite::{Commit, Store};
use serde_json::Value;
use tempfile::TempDir;

/// What a run gave.
pub struct Ran {
    pub exit: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// stdout as its one JSON document.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }

    /// The error's code, as JSON on stderr tells it: its last line.
    pub fn error_code(&self) -> String {
        let line = self.stderr.lines().last().unwrap_or_default();
        let value: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {}", self.stderr));
        value["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// The command, in an environment of its own and without a terminal.
pub fn command(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_autopilotctl"));
    command
        .env_clear()
        .env("AUTOPILOT_HOME", home)
        .env("TZ", "UTC")
        .args(arguments)
        .stdin(Stdio::null());
    command
}

pub fn ran(output: Output) -> Ran {
    Ran {
        exit: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

pub fn run(home: &Path, arguments: &[&str]) -> Ran {
    ran(command(home, arguments).output().unwrap())
}

/// A home folder with a ledger, written by the store itself. Its folder goes when the test ends.
pub struct Home {
    pub folder: TempDir,
    pub facts: Vec<Recorded>,
}

/// Text that is in the payload of a fact, to be found in the file.
pub const NEEDLE: &str = "wss://needle.invalid/to-be-found";

fn id(tag: u8, number: u64) -> Vec<u8> {
    let mut id = vec![tag; 32];
    id[..8].copy_from_slice(&number.to_le_bytes());
    id
}

fn job(number: u64) -> [Event; 3] {
    let job_id = id(1, number);
    [
        pb::JobReceived {
            job_id: job_id.clone(),
            market: "nip90".into(),
            native_id: id(2, number),
            requester: id(3, 0),
            kind: 5050,
            bid_msat: Some(10_000),
            relay: NEEDLE.into(),
            ..Default::default()
        }
        .into(),
        pb::JobAccepted {
            job_id: job_id.clone(),
            price_msat: 10_000,
            policy_digest: vec![7; 32],
            ..Default::default()
        }
        .into(),
        pb::JobStarted { job_id, attempt: 1 }.into(),
    ]
}

/// Seals facts after a head.
pub fn sealed(head: &mut Head, number: u64) -> Vec<Recorded> {
    let events = job(number);
    let seal_one = |(version, event): (usize, Event)| {
        let draft = Draft {
            event,
            stream: format!("job/{number:064x}"),
            source: Source::Relay,
            idempotency_key: String::new(),
            correlation: Vec::new(),
        };
        let at_ms = 1_790_000_000_000 + head.sequence as i64;
        let fact = seal(head, version as u64 + 1, draft, 0, at_ms);
        *head = fact.head();
        fact
    };
    events.into_iter().enumerate().map(seal_one).collect()
}

impl Home {
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn ledger(&self) -> PathBuf {
        self.path().join("ledger/ledger.sqlite")
    }

    pub fn empty() -> Home {
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        let folder = tempfile::Builder::new().permissions(private).tempdir().unwrap();
        Home {
            folder,
            facts: Vec::new(),
        }
    }

    /// A closed ledger of `jobs` jobs, three facts and one commit each.
    pub async fn with_jobs(jobs: u64) -> Home {
        let mut home = Home::empty();
        let mut store = home.open().await;
        for number in 0..jobs {
            home.append(&mut store, number).await;
        }
        store.close().await;
        home
    }

    pub async fn open(&self) -> Store {
        std::fs::create_dir_all(self.ledger().parent().unwrap()).unwrap();
        Store::open(&self.ledger(), &mut |_| {}).await.unwrap().0
    }

    pub async fn append(&mut self, store: &mut Store, number: u64) {
        let mut head = store.head();
        let facts = sealed(&mut head, number);
        store
            .append(Commit {
                facts: &facts,
                ..Commit::default()
            })
            .await
            .unwrap();
        self.facts.extend(facts);
    }
}
