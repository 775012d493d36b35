//! Measurements that need a process of their own: a start from nothing, and how much memory reading takes.
use std::{path::Path, process::Command, time::Instant};

use anyhow::{Context, bail};
use autopilot_events::Head;
use autopilot_projections::State;
use autopilot_store_sqlite::{Reader, Store, rows::HistoryQuery};
use serde_json::{Value, json};

use crate::cpu::{cpu_time, memory_peak};

/// Rows of the first view.
const FIRST_PAGE: u32 = 50;

/// What is measured in a process of its own.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Task {
    /// Opening for writing, the folds, and the first page of history.
    Start,
    /// Chain, decoding, all folds.
    Replay,
    /// Chain, numbers and times.
    Fast,
    /// Everything that `ledger verify` checks.
    Deep,
    /// What the programs in `replay-tests/peers` do, on the facts of a flat file.
    Peer,
}

impl Task {
    fn name(self) -> &'static str {
        match self {
            Task::Start => "start",
            Task::Replay => "replay",
            Task::Fast => "fast",
            Task::Deep => "deep",
            Task::Peer => "peer",
        }
    }
}

/// Runs a task in a process of its own and returns what it said: `wall_s`, `cpu_s`, `memory_bytes`, `snapshot_bytes`.
pub fn measure(task: Task, ledger: &Path) -> anyhow::Result<Value> {
    let output = Command::new(std::env::current_exe()?)
        .args(["--alone", task.name(), "--ledger"])
        .arg(ledger)
        .output()?;
    if !output.status.success() {
        bail!(
            "{} failed: {}",
            task.name(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    serde_json::from_slice(&output.stdout).context("what the process said")
}

/// The other side of [`measure`].
pub async fn run(task: Task, ledger: &Path) -> anyhow::Result<Value> {
    let begun = Instant::now();
    let mut snapshot_bytes = 0;
    match task {
        Task::Start => snapshot_bytes = start(ledger).await?,
        Task::Replay => {
            let reader = Reader::open(ledger).await?;
            let mut state = State::default();
            reader
                .replay(&Head::empty(), &mut |_| {}, |fact| state.apply(fact))
                .await?;
        }
        Task::Fast => {
            let reader = Reader::open(ledger).await?;
            reader.verify_chain(&mut |_| {}).await?;
        }
        Task::Peer => bail!("peers are measured by `peer`"),
        Task::Deep => {
            let report = Reader::open(ledger).await?.verify(&mut |_| {}).await?;
            if let Some(broken) = report.broken {
                bail!("{broken}");
            }
        }
    }
    Ok(json!({
        "wall_s": begun.elapsed().as_secs_f64(),
        "cpu_s": cpu_time().as_secs_f64(),
        "memory_bytes": memory_peak(),
        "snapshot_bytes": snapshot_bytes,
    }))
}

/// What a host does before it can show anything; returns the size of the snapshot.
async fn start(ledger: &Path) -> anyhow::Result<usize> {
    let (store, opened) = Store::open(ledger, &mut |_| {}).await?;
    if opened.read_from == 1 {
        bail!("everything was read: the ledger has no anchor");
    }
    let reader = store.reader();
    let snapshot = reader
        .snapshot(&State::label(), 1)
        .await?
        .context("the ledger has no snapshot")?;
    let mut state = State::from_snapshot(&snapshot.bytes).context("a snapshot of these folds")?;
    reader
        .replay(&snapshot.head, &mut |_| {}, |fact| state.apply(fact))
        .await?;
    let query = HistoryQuery {
        limit: FIRST_PAGE,
        ..HistoryQuery::default()
    };
    let (rows, _) = reader.history(&query).await?;
    if rows.len() != FIRST_PAGE as usize {
        bail!("the first page has {} rows", rows.len());
    }
    // As a host that is killed: nothing is written at the end.
    Ok(snapshot.bytes.len())
}
