//! What a ledger's length costs: start, reading, checking, pages.
use std::path::{Path, PathBuf};

use crate::{
    alone::{self, Task},
    data, pages, replay,
    report::{Report, Size},
    table::median,
};

/// Builds the ledgers that are not there, measures them in turn, and returns those that it built.
pub async fn measure(
    facts: &[u64],
    rounds: usize,
    folder: &Path,
    report: &mut Report,
) -> anyhow::Result<Vec<PathBuf>> {
    let mut ledgers = Vec::new();
    for facts in facts {
        let path = folder.join(format!("ledger-{facts}.db"));
        let there = path.exists();
        if !there {
            data::build(&path, *facts, progress(*facts)).await?;
        }
        ledgers.push((*facts, path, there));
    }
    if let Some((_, path, _)) = ledgers.first() {
        for figure in replay::chain_and_tree(path, rounds)? {
            report.figure(figure);
        }
    }
    for (facts, path, _) in &ledgers {
        // Every round of a long replay costs seconds; the short one shows the spread.
        let rounds = if *facts > 1_000_000 { 1 } else { rounds };
        for figure in replay::figures(path, rounds).await? {
            report.figure(figure);
        }
    }
    let mut sizes: Vec<Size> = ledgers
        .iter()
        .map(|(facts, path, _)| Size::new(*facts, path))
        .collect();
    for round in 0..=rounds {
        for ((_, path, _), size) in ledgers.iter().zip(&mut sizes) {
            let start = alone::measure(Task::Start, path)?;
            size.snapshot_bytes = start["snapshot_bytes"].as_u64().unwrap_or(0);
            if round > 0 {
                size.start_s.push(start["wall_s"].as_f64().unwrap_or(f64::NAN));
                size.start_cpu_s.push(start["cpu_s"].as_f64().unwrap_or(f64::NAN));
            }
        }
    }
    for ((facts, path, _), size) in ledgers.iter().zip(&mut sizes) {
        for task in [Task::Replay, Task::Fast, Task::Deep] {
            eprintln!("{task:?} of {facts} facts");
            size.alone.push((task, alone::measure(task, path)?));
        }
    }
    for _ in 0..rounds {
        for ((_, path, _), size) in ledgers.iter().zip(&mut sizes) {
            size.pages.push(pages::cost(path).await?);
        }
    }
    report.sizes = sizes;
    let built = ledgers.into_iter().filter(|(.., there)| !there);
    Ok(built.map(|(_, path, _)| path).collect())
}

/// Says how far a ledger is, every 5 %.
pub fn progress(facts: u64) -> impl FnMut(u64) {
    let mut said = 0;
    move |done| {
        let now = (done * 20).checked_div(facts).unwrap_or(0);
        if now > said {
            said = now;
            eprintln!("building {facts} facts: {} %", said * 5);
        }
    }
}

/// Deletes a ledger and what lies beside it.
pub fn delete(path: &Path) -> anyhow::Result<()> {
    for suffix in ["", "-wal", "-shm", ".lock"] {
        let beside = PathBuf::from(format!("{}{suffix}", path.display()));
        if beside.exists() {
            std::fs::remove_file(beside)?;
        }
    }
    Ok(std::fs::remove_file(path.with_extension("flat"))?)
}

/// Medians over the rounds, filter by filter: 99th percentile and processor time of a page, in seconds.
pub fn pages_of(size: &Size) -> Vec<(String, [f64; 2])> {
    let Some(first) = size.pages.first() else {
        return Vec::new();
    };
    let of = |place: usize| {
        [0, 1].map(|what| {
            median(
                &size
                    .pages
                    .iter()
                    .map(|round| round[place].1[what])
                    .collect::<Vec<_>>(),
            )
        })
    };
    first
        .iter()
        .enumerate()
        .map(|(place, (name, _))| (name.clone(), of(place)))
        .collect()
}
