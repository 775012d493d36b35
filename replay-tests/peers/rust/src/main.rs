//! Other event stores written in Rust: the same facts, a commit for each or for each group, then all of them read back.
//!
//! `ledger-peers cqrs-es|umadb FLAT SINGLE GROUPED GROUP` prints a line of JSON at the end.
use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use nix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use umadb_core::db::UmaDb;

use crate::{cqrs::Cqrs, facts::Fact};

mod cqrs;
mod facts;
mod uma;

trait Store: Sized {
    type Event;

    /// A new one, at a path where nothing is.
    async fn open(path: &Path) -> anyhow::Result<Self>;

    /// A fact as the store takes it: made beforehand, and not measured.
    fn event(fact: &Fact) -> anyhow::Result<Self::Event>;

    /// One commit, synced.
    async fn append(&self, events: Vec<Self::Event>) -> anyhow::Result<()>;

    async fn replay(&self) -> anyhow::Result<Read>;
}

#[derive(Default, Debug, PartialEq)]
struct Read {
    facts: usize,
    bytes: usize,
}

impl Read {
    fn count(&mut self, fact: &[u8]) {
        self.facts += 1;
        self.bytes += fact.len();
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [peer, flat, sizes @ ..] = arguments.as_slice() else {
        bail!("PEER FLAT SINGLE GROUPED GROUP");
    };
    let sizes = sizes
        .iter()
        .map(|size| size.parse())
        .collect::<Result<Vec<usize>, _>>()?;
    let [single, grouped, group] = sizes[..] else {
        bail!("three sizes: SINGLE GROUPED GROUP");
    };
    let facts = facts::read(Path::new(flat), single.max(grouped))?;
    let single = facts.get(..single).context("too few facts")?;
    let grouped = facts.get(..grouped).context("too few facts")?;
    let rates = match peer.as_str() {
        "cqrs-es" => measure::<Cqrs>(single, grouped, group).await?,
        "umadb" => measure::<UmaDb>(single, grouped, group).await?,
        other => bail!("no peer is called {other}"),
    };
    println!("{rates}");
    Ok(())
}

/// Rates in facts a second; of the replay in facts a second of processor time.
async fn measure<S: Store>(single: &[Fact], grouped: &[Fact], group: usize) -> anyhow::Result<Value> {
    let folder = tempfile::tempdir_in(".")?;
    let (_, single_s) = append::<S>(&folder.path().join("single.db"), single, 1).await?;
    let (many, grouped_s) = append::<S>(&folder.path().join("grouped.db"), grouped, group).await?;
    let since = cpu_time()?;
    let read = many.replay().await?;
    let replay_s = (cpu_time()? - since).as_secs_f64();
    let mut told = Read::default();
    grouped.iter().for_each(|fact| told.count(&fact.bytes));
    ensure!(read == told, "{told:?} were appended, {read:?} read back");
    Ok(json!({
        "single": single.len() as f64 / single_s,
        "grouped": grouped.len() as f64 / grouped_s,
        "replay": grouped.len() as f64 / replay_s,
    }))
}

async fn append<S: Store>(path: &Path, facts: &[Fact], group: usize) -> anyhow::Result<(S, f64)> {
    let groups = facts
        .chunks(group)
        .map(|facts| facts.iter().map(S::event).collect());
    let groups = groups.collect::<anyhow::Result<Vec<Vec<S::Event>>>>()?;
    let store = S::open(path).await?;
    let begun = Instant::now();
    for events in groups {
        store.append(events).await?;
    }
    Ok((store, begun.elapsed().as_secs_f64()))
}

/// Processor time of all threads of this process so far.
fn cpu_time() -> anyhow::Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?.into())
}
