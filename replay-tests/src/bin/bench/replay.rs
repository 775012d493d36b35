//! Reading everything again: chain, decoding and all folds, from the ledger and from a memory-mapped flat file; and the
//! least that a fact costs, without any file.
use std::{fs::File, path::Path, time::Duration};

use anyhow::bail;
use autopilot_events::{
    Head, Recorded,
    chain::{Run, frames, link, link_runs},
    tree::{Edge, leaf},
};
use autopilot_projections::State;
use autopilot_store_sqlite::Reader;
use prost::bytes::Bytes;

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
    let pieces = pieces(&flat)?;
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
        walk(&pieces, |_| {})?;
        let theirs = per_second(facts, since);
        let (mut state, since) = (State::default(), cpu_time());
        reader
            .replay(&Head::empty(), &mut |_| {}, |fact| state.apply(fact))
            .await?;
        let ours_folded = per_second(facts, since);
        let (mut again, since) = (State::default(), cpu_time());
        walk(&pieces, |fact| again.apply(fact))?;
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

/// Facts of one piece of the flat file, about as many as a segment of a ledger has.
const PIECE: usize = 430;
/// Pieces whose chains are recomputed side by side.
const AT_ONCE: usize = 8;

/// The flat file in pieces, each with the chain value before it, as a ledger stores its segments: what is allowed to one is
/// allowed to the other. Not part of what is measured.
fn pieces(bytes: &[u8]) -> anyhow::Result<Vec<Run<'_>>> {
    let (mut pieces, mut at, mut begun) = (Vec::new(), Head::empty().chain, 0);
    let (mut prev, mut end) = (at, 0);
    for (count, frame) in frames(bytes).enumerate() {
        if count > 0 && count.is_multiple_of(PIECE) {
            pieces.push(Run {
                prev,
                frames: &bytes[begun..end],
            });
            (prev, begun) = (at, end);
        }
        let fact = frame?;
        at = link(&at, fact);
        end += 4 + fact.len();
    }
    pieces.push(Run {
        prev,
        frames: &bytes[begun..end],
    });
    Ok(pieces)
}

fn walk(pieces: &[Run<'_>], mut each: impl FnMut(&Recorded)) -> anyhow::Result<()> {
    let (mut head, mut fact) = (Head::empty(), Recorded::blank());
    for some in pieces.chunks(AT_ONCE) {
        for (piece, chain) in some.iter().zip(link_runs(some)) {
            if piece.prev != head.chain {
                bail!("a piece does not continue the one before");
            }
            let shared = Bytes::copy_from_slice(piece.frames);
            for (frame, chain) in frames(&shared).zip(chain) {
                fact.open(&head, shared.slice_ref(frame?), chain)?;
                head = fact.head();
                each(&fact);
            }
        }
    }
    Ok(())
}

/// Microseconds of processor time for chain and tree of one fact, as an append does it and as a check of stored blocks
/// does; the calibrator is 0.6, the aim.
pub fn chain_and_tree(ledger: &Path, rounds: usize) -> anyhow::Result<Vec<Figure>> {
    let flat = map(&ledger.with_extension("flat"))?;
    let flat = &flat[..flat.len().min(SAMPLE_BYTES)];
    // The sample ends within a fact.
    let whole: usize = frames(flat)
        .map_while(Result::ok)
        .map(|fact| fact.len() + 4)
        .sum();
    let (flat, facts) = (&flat[..whole], frames(&flat[..whole]).count());
    let pieces = pieces(flat)?;
    let mut appended = Figure::new("chain and tree, a fact, one after the other / the aim", "µs");
    let mut checked = Figure::new("chain and tree, a fact, in stored blocks / the aim", "µs");
    for round in 0..=rounds {
        let (mut chain, mut edge) = (Head::empty().chain, Edge::default());
        let since = cpu_time();
        for frame in frames(flat) {
            let frame = frame?;
            chain = link(&chain, frame);
            edge.push(leaf(frame), &mut |tile| drop(std::hint::black_box(tile)));
        }
        let one_by_one = (cpu_time() - since).as_secs_f64() * 1e6 / facts as f64;
        let (mut last, mut again) = (Head::empty().chain, Edge::default());
        let since = cpu_time();
        for some in pieces.chunks(AT_ONCE) {
            for (piece, chain) in some.iter().zip(link_runs(some)) {
                last = chain.last().copied().unwrap_or(last);
                for frame in frames(piece.frames) {
                    again.push(leaf(frame?), &mut |tile| drop(std::hint::black_box(tile)));
                }
            }
        }
        let side_by_side = (cpu_time() - since).as_secs_f64() * 1e6 / facts as f64;
        if (chain, edge.root()) != (last, again.root()) {
            bail!("chain or tree differ");
        }
        if round > 0 {
            appended.add(one_by_one, 0.6);
            checked.add(side_by_side, 0.6);
        }
    }
    Ok(vec![appended, checked])
}
