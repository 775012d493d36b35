//! What the programs in `replay-tests/peers` do, done by ours: the facts of a flat file appended one by one and in groups,
//! each commit synced, and read back, with verification.
use std::{path::Path, time::Instant};

use anyhow::{Context, bail};
use autopilot_events::{Head, Recorded, chain::frames, envelope};
use autopilot_store_sqlite::{Commit, Store};
use serde_json::{Value, json};

use crate::cpu::cpu_time;

/// Facts appended one by one, facts appended in groups, facts of a group.
pub type Sizes = [usize; 3];

/// Rates in facts a second; of the replay in facts a second of processor time.
pub async fn run(flat: &Path, [single, grouped, group]: Sizes) -> anyhow::Result<Value> {
    let facts = read(flat, single.max(grouped))?;
    let folder = tempfile::tempdir_in(".")?;
    let begun = Instant::now();
    let one = append(
        &folder.path().join("single.db"),
        facts.get(..single).context("too few facts")?,
        1,
    )
    .await?;
    let single_s = begun.elapsed().as_secs_f64();
    one.close().await;

    let begun = Instant::now();
    let facts = facts.get(..grouped).context("too few facts")?;
    let many = append(&folder.path().join("grouped.db"), facts, group).await?;
    let grouped_s = begun.elapsed().as_secs_f64();

    let (mut read, since) = (0, cpu_time());
    many.reader()
        .replay(&Head::empty(), &mut |_| {}, |_| read += 1)
        .await?;
    let replay_s = (cpu_time() - since).as_secs_f64();
    many.close().await;
    if read != grouped {
        bail!("{read} of {grouped} facts were read back");
    }
    Ok(json!({
        "single": single as f64 / single_s,
        "grouped": grouped as f64 / grouped_s,
        "replay": read as f64 / replay_s,
    }))
}

async fn append(path: &Path, facts: &[Recorded], group: usize) -> anyhow::Result<Store> {
    let (mut store, _) = Store::open(path, &mut |_| {}).await?;
    for facts in facts.chunks(group) {
        let commit = Commit {
            facts,
            ..Commit::default()
        };
        store.append(commit).await?;
    }
    Ok(store)
}

fn read(flat: &Path, count: usize) -> anyhow::Result<Vec<Recorded>> {
    let (bytes, mut head, mut facts) = (std::fs::read(flat)?, Head::empty(), Vec::new());
    for frame in frames(&bytes).take(count) {
        let fact = envelope::open(&head, frame?)?;
        head = fact.head();
        facts.push(fact);
    }
    Ok(facts)
}
