//! `bench ledger`: what the ledger costs, as ratios to a flat file on the same disk, measured in turns in one run.
//!
//! Ratios hold from machine to machine better than times do. Each figure is the median over the rounds.
use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    path::Path,
    time::Instant,
};

use anyhow::bail;
use autopilot_events::{
    Head, Recorded,
    chain::{frames, push_frame},
};
use autopilot_projections::State;
use autopilot_replay_tests::{
    Pen,
    stories::{End, Story, drafts, weave},
};
use autopilot_store_sqlite::{Commit, Store};

const ROUNDS: usize = 7;
const SINGLE: usize = 40;
const GROUPS: usize = 20;
const REPLAY_STORIES: u64 = 4_000;

/// One line of the table.
struct Figure {
    name: String,
    unit: &'static str,
    ours: f64,
    calibrator: f64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("ledger") | None => {}
        Some(other) => bail!("no such bench: {other}; there is: ledger"),
    }
    if cfg!(debug_assertions) {
        eprintln!("built without --release: the ratios will look worse than they are");
    }
    // Beside the build, not in /tmp, which may be a RAM disk: what is measured is a disk.
    let folder = tempfile::Builder::new()
        .prefix("bench-")
        .tempdir_in(std::env::current_dir()?)?;
    let mut figures = vec![appends(folder.path(), 1, SINGLE).await?];
    for producers in [64, 256] {
        figures.push(appends(folder.path(), producers, GROUPS).await?);
    }
    figures.extend(replay(folder.path()).await?);
    print(&figures);
    Ok(())
}

fn print(figures: &[Figure]) {
    eprintln!("{:<44} {:>14} {:>14} {:>8}", "", "ledger", "calibrator", "ratio");
    for figure in figures {
        let ratio = figure.ours / figure.calibrator;
        eprintln!(
            "{:<44} {:>12.0}/s {:>12.0}/s {ratio:>8.2}",
            figure.name, figure.ours, figure.calibrator
        );
    }
    let rows: Vec<_> = figures
        .iter()
        .map(|figure| {
            serde_json::json!({
                "name": figure.name,
                "unit": figure.unit,
                "ledger": figure.ours,
                "calibrator": figure.calibrator,
                "ratio": figure.ours / figure.calibrator,
            })
        })
        .collect();
    println!(
        "{}",
        serde_json::json!({ "bench": "ledger", "rounds": ROUNDS, "figures": rows })
    );
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// `count` facts of jobs, one story after the other.
fn facts(pen: &mut Pen, count: usize) -> Vec<Recorded> {
    let mut facts = Vec::with_capacity(count);
    while facts.len() < count {
        let number = pen.head.sequence;
        for draft in drafts(&Story::Job(10_000, End::Paid), number) {
            facts.push(pen.write(draft, 1_700_000_000_000));
        }
    }
    facts
}

/// Commits of `size` facts, as group commit makes them of that many producers, against the same bytes in a flat file.
async fn appends(folder: &Path, size: usize, commits: usize) -> anyhow::Result<Figure> {
    let (mut store, _) = Store::open(&folder.join(format!("append-{size}.db")), &mut |_| {}).await?;
    let mut flat = OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join(format!("append-{size}.log")))?;
    let mut pen = Pen::default();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let facts = facts(&mut pen, size * commits);
        let begun = Instant::now();
        for group in facts.chunks(size) {
            store
                .append(Commit {
                    facts: group,
                    ..Commit::default()
                })
                .await?;
        }
        let took = begun.elapsed();
        let begun = Instant::now();
        for group in facts.chunks(size) {
            let mut block = Vec::new();
            group.iter().for_each(|fact| push_frame(&mut block, &fact.bytes));
            flat.write_all(&block)?;
            flat.sync_data()?;
        }
        let flat_took = begun.elapsed();
        if store.compaction_due() {
            store.compact().await?;
        }
        if round > 0 {
            // The first round warms both up.
            ours.push(facts.len() as f64 / took.as_secs_f64());
            theirs.push(facts.len() as f64 / flat_took.as_secs_f64());
        }
    }
    store.close().await;
    let name = match size {
        1 => "durable append, one fact (fdatasync)".to_owned(),
        size => format!("group append, {size} producers (fdatasync)"),
    };
    Ok(Figure {
        name,
        unit: "facts/s",
        ours: median(ours),
        calibrator: median(theirs),
    })
}

/// Chain, decoding and all folds over a ledger, against the same work from a flat file, and against reading alone.
async fn replay(folder: &Path) -> anyhow::Result<Vec<Figure>> {
    let stories: Vec<Story> = (0..REPLAY_STORIES)
        .map(|n| Story::Job(1_000 + n, End::Paid))
        .collect();
    let facts = weave(&stories, &[(3, 10), (1, 5), (6, 700)]);
    let (mut store, _) = Store::open(&folder.join("replay.db"), &mut |_| {}).await?;
    let mut log = File::create(folder.join("replay.log"))?;
    for group in facts.chunks(64) {
        store
            .append(Commit {
                facts: group,
                ..Commit::default()
            })
            .await?;
        let mut block = Vec::new();
        group.iter().for_each(|fact| push_frame(&mut block, &fact.bytes));
        log.write_all(&block)?;
        if store.compaction_due() {
            store.compact().await?;
        }
    }
    let reader = store.reader();
    let (mut chained, mut folded) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    let per_second = |begun: Instant| facts.len() as f64 / begun.elapsed().as_secs_f64();
    for round in 0..=ROUNDS {
        let begun = Instant::now();
        reader.replay(&Head::empty(), &mut |_| {}, |_| {}).await?;
        let ledger_chain = per_second(begun);

        let begun = Instant::now();
        flat(&folder.join("replay.log"), |_| {})?;
        let flat_chain = per_second(begun);

        let (mut state, begun) = (State::default(), Instant::now());
        reader
            .replay(&Head::empty(), &mut |_| {}, |fact| state.apply(fact))
            .await?;
        let ledger_fold = per_second(begun);

        let (mut again, begun) = (State::default(), Instant::now());
        flat(&folder.join("replay.log"), |fact| again.apply(fact))?;
        let flat_fold = per_second(begun);
        if state.digests() != again.digests() {
            bail!("ledger and flat file fold to different digests");
        }
        if round > 0 {
            chained.0.push(ledger_chain);
            chained.1.push(flat_chain);
            folded.0.push(ledger_fold);
            folded.1.push(flat_fold);
        }
    }
    store.close().await;
    let figure = |name: &str, (ours, theirs): (Vec<f64>, Vec<f64>)| Figure {
        name: name.to_owned(),
        unit: "facts/s",
        ours: median(ours),
        calibrator: median(theirs),
    };
    Ok(vec![
        figure("replay: chain, decode (flat file, the same)", chained),
        figure("replay: and all folds (flat file, the same)", folded),
    ])
}

/// The same facts from a file that is read whole: the least that a replay can cost.
fn flat(path: &Path, mut each: impl FnMut(&Recorded)) -> anyhow::Result<()> {
    let mut bytes = Vec::new();
    File::open(path)?.read_to_end(&mut bytes)?;
    let mut head = Head::empty();
    for frame in frames(&bytes) {
        let fact = autopilot_events::envelope::open(&head, frame?)?;
        head = fact.head();
        each(&fact);
    }
    Ok(())
}
