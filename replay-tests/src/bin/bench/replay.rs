//! Reading everything again: chain, decoding and all folds, from the ledger and from a memory-mapped flat file; and the
//! least that a fact costs, without any file.
use std::{fs::File, path::Path, time::Duration};

use anyhow::bail;
use autopilot_events::{
    Head,
    chain::{frames, link},
    envelope,
    tree::{Edge, leaf},
};
use autopilot_projections::State;
use autopilot_store_sqlite::Reader;

use crate::{cpu::cpu_time, table::Figure};

/// Bytes of facts on which the cost of chain and tree is measured.
const SAMPLE_BYTES: usize = 32 << 20;

/// A flat file in memory, as the operating system pages it in.
fn map(path: &Path) -> anyhow::Result<memmap2::Mmap> {
    let file = File::open(path)?;
    // The bench made the file and nobody writes to it while it is mapped.
    #[allow(unsafe_code)]
    Ok(unsafe { memmap2::Mmap::map(&file)? })
}

/// Facts for each second of processor time, all threads of this process together.
fn per_second(facts: u64, since: Duration) -> f64 {
    facts as f64 / (cpu_time() - since).as_secs_f64()
}

/// Ledger and flat file in turn. Processor time, since the machine is shared.
pub async fn figures(ledger: &Path, rounds: usize) -> anyhow::Result<Vec<Figure>> {
    let reader = Reader::open(ledger).await?;
    let flat = map(&ledger.with_extension("flat"))?;
    let facts = reader.head().await?.sequence;
    let mut chained = Figure::new(
        format!("replay of {facts} facts: chain and decoding / mapped flat file, the same"),
        "facts/cpu-s",
    );
    let mut folded = Figure::new(
        format!("replay of {facts} facts: chain, decoding, all folds / mapped flat file, the same"),
        "facts/cpu-s",
    );
    for round in 0..=rounds {
        let since = cpu_time();
        reader.replay(&Head::empty(), &mut |_| {}, |_| {}).await?;
        let ours = per_second(facts, since);
        let since = cpu_time();
        walk(&flat, |_| {})?;
        let theirs = per_second(facts, since);
        let (mut state, since) = (State::default(), cpu_time());
        reader
            .replay(&Head::empty(), &mut |_| {}, |fact| state.apply(fact))
            .await?;
        let ours_folded = per_second(facts, since);
        let (mut again, since) = (State::default(), cpu_time());
        walk(&flat, |fact| again.apply(fact))?;
        let theirs_folded = per_second(facts, since);
        if state.digests() != again.digests() {
            bail!("ledger and flat file fold to different digests");
        }
        if round > 0 {
            chained.add(ours, theirs);
            folded.add(ours_folded, theirs_folded);
        }
    }
    reader.close().await;
    Ok(vec![chained, folded])
}

fn walk(bytes: &[u8], mut each: impl FnMut(&autopilot_events::Recorded)) -> anyhow::Result<()> {
    let mut head = Head::empty();
    for frame in frames(bytes) {
        let fact = envelope::open(&head, frame?)?;
        head = fact.head();
        each(&fact);
    }
    Ok(())
}

/// Microseconds of processor time for chain and tree of one fact; the calibrator is 0.6, the aim.
pub fn chain_and_tree(ledger: &Path, rounds: usize) -> anyhow::Result<Figure> {
    let flat = map(&ledger.with_extension("flat"))?;
    let flat = &flat[..flat.len().min(SAMPLE_BYTES)];
    let mut figure = Figure::new("chain and tree, a fact / the aim", "µs");
    for round in 0..=rounds {
        let (mut facts, mut chain, mut edge) = (0, Head::empty().chain, Edge::default());
        let since = cpu_time();
        for frame in frames(flat) {
            let Ok(frame) = frame else { break }; // the sample ends within a fact
            chain = link(&chain, frame);
            edge.push(leaf(frame), &mut |tile| drop(std::hint::black_box(tile)));
            facts += 1;
        }
        std::hint::black_box((chain, edge.root()));
        let cost_us = (cpu_time() - since).as_secs_f64() * 1e6 / f64::from(facts);
        if round > 0 {
            figure.add(cost_us, 0.6);
        }
    }
    Ok(figure)
}
