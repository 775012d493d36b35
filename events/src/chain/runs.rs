//! The chain over several stored runs of facts at once. A chain goes from fact to fact, which leaves most of a core idle;
//! but each stored block names the chain value before it, so that blocks can be recomputed side by side, and then be held
//! against each other.
use super::{frames, link};
use crate::words::ChainHash;

/// A block's facts, and the chain value that it names before them.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// Chain value before the first fact.
    pub prev: ChainHash,
    /// The facts, each behind its length.
    pub frames: &'a [u8],
}

/// Runs below which hashing side by side is no gain.
const FEW: usize = 3;

/// The chain values after each fact of each run, as far as its frames are whole. Nothing is compared here: that a run
/// follows the one before it is for the caller to see.
pub fn link_runs(runs: &[Run<'_>]) -> Vec<Vec<ChainHash>> {
    #[cfg(target_arch = "x86_64")]
    if runs.len() >= FEW && super::wide::available() {
        return side_by_side::link_runs(runs);
    }
    runs.iter().map(one_by_one).collect()
}

fn one_by_one(run: &Run<'_>) -> Vec<ChainHash> {
    let mut at = run.prev;
    let next = |fact| {
        at = link(&at, fact);
        at
    };
    frames(run.frames).map_while(Result::ok).map(next).collect()
}

#[cfg(target_arch = "x86_64")]
mod side_by_side {
    use super::{
        super::{
            Frames,
            wide::{Blocks, END, LANES, START, Values, compress},
        },
        ChainHash, Run, frames, link,
    };

    /// Bytes of the message that stand before the fact: the chain value.
    const BEFORE: usize = 32;
    /// The longest fact whose message is one chunk of BLAKE3; longer ones are a tree of their own, and seldom.
    const FACT_MAX: usize = 1_024 - BEFORE;

    /// A run on its way, block by block.
    struct Lane<'a> {
        run: usize,
        rest: Frames<'a>,
        fact: &'a [u8],
        /// Bytes of the message that were taken in.
        taken: usize,
        /// A block that does not lie whole in the fact: its first and its last.
        made: [u8; 64],
        /// Whether the next block is that one.
        is_made: bool,
    }

    impl<'a> Lane<'a> {
        /// Goes to the run's next fact. Facts that are too long for a lane are linked here. `false`: there is none.
        fn advance(&mut self, values: &mut Vec<ChainHash>, prev: ChainHash) -> bool {
            let mut at = values.last().copied().unwrap_or(prev);
            loop {
                match self.rest.next() {
                    Some(Ok(fact)) if fact.len() <= FACT_MAX => {
                        (self.fact, self.taken) = (fact, 0);
                        let first = fact.len().min(64 - BEFORE);
                        self.made = [0; 64];
                        self.made[..BEFORE].copy_from_slice(&at.0);
                        self.made[BEFORE..BEFORE + first].copy_from_slice(&fact[..first]);
                        self.is_made = true;
                        return true;
                    }
                    Some(Ok(fact)) => {
                        at = link(&at, fact);
                        values.push(at);
                    }
                    Some(Err(_)) | None => return false,
                }
            }
        }

        /// Bytes of the message from the next block on.
        fn left(&self) -> usize {
            BEFORE + self.fact.len() - self.taken
        }

        /// Makes the next block ready where it does not lie whole in the fact.
        fn prepare(&mut self) {
            if self.taken == 0 {
                return;
            }
            let rest = &self.fact[self.taken - BEFORE..];
            self.is_made = rest.len() < 64;
            if self.is_made {
                self.made = [0; 64];
                self.made[..rest.len()].copy_from_slice(rest);
            }
        }

        fn block(&self) -> &[u8; 64] {
            let whole = || self.fact.get(self.taken - BEFORE..)?.first_chunk();
            match self.is_made {
                true => &self.made,
                // `prepare` made all others.
                false => whole().unwrap_or(&self.made),
            }
        }
    }

    pub(super) fn link_runs(runs: &[Run<'_>]) -> Vec<Vec<ChainHash>> {
        let mut all = vec![Vec::new(); runs.len()];
        let mut waiting = 0..runs.len();
        let mut begin = |all: &mut Vec<Vec<ChainHash>>| {
            for run in waiting.by_ref() {
                let mut lane = Lane {
                    run,
                    rest: frames(runs[run].frames),
                    fact: &[],
                    taken: 0,
                    made: [0; 64],
                    is_made: true,
                };
                if lane.advance(&mut all[run], runs[run].prev) {
                    return Some(lane);
                }
            }
            None
        };
        let mut lanes: [Option<Lane<'_>>; LANES] = core::array::from_fn(|_| begin(&mut all));
        let mut values: Values = [[0; LANES]; 8];
        while lanes.iter().any(Option::is_some) {
            lanes.iter_mut().flatten().for_each(Lane::prepare);
            let mut blocks = Blocks {
                bytes: [&[0; 64]; LANES],
                lengths: [0; LANES],
                flags: [0; LANES],
            };
            for (at, lane) in lanes.iter().enumerate() {
                let Some(lane) = lane else { continue };
                let left = lane.left();
                blocks.bytes[at] = lane.block();
                blocks.lengths[at] = left.min(64) as u32; // at most 64
                blocks.flags[at] = if lane.taken == 0 { START } else { 0 } | if left <= 64 { END } else { 0 };
            }
            compress(&mut values, &blocks);
            for (at, place) in lanes.iter_mut().enumerate() {
                let Some(lane) = place else { continue };
                if lane.left() > 64 {
                    lane.taken += 64;
                    continue;
                }
                let run = lane.run;
                all[run].push(digest(&values, at));
                if !lane.advance(&mut all[run], runs[run].prev) {
                    *place = begin(&mut all);
                }
            }
        }
        all
    }

    fn digest(values: &Values, lane: usize) -> ChainHash {
        let mut digest = ChainHash::default();
        for (bytes, words) in digest.0.as_chunks_mut::<4>().0.iter_mut().zip(values) {
            *bytes = words[lane].to_le_bytes();
        }
        digest
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::chain::{genesis, push_frame};

    proptest! {
        #[test]
        fn runs_side_by_side_give_what_the_chain_gives(
            runs in prop::collection::vec(prop::collection::vec(0_usize..1_400, 0..6), 0..20),
            cut in 0_usize..2_000,
            seed in any::<u8>(),
        ) {
            let mut blocks: Vec<(ChainHash, Vec<u8>)> = Vec::new();
            let mut prev = genesis();
            for (at, lengths) in runs.iter().enumerate() {
                let mut block = Vec::new();
                for length in lengths {
                    let fact: Vec<u8> = (0..*length).map(|byte| (byte * 31 + at) as u8 ^ seed).collect();
                    push_frame(&mut block, &fact);
                }
                if at % 4 == 3 {
                    block.truncate(cut); // may end within a fact
                }
                blocks.push((prev, block));
                prev = ChainHash([at as u8 ^ seed; 32]);
            }
            let runs: Vec<Run<'_>> = blocks
                .iter()
                .map(|(prev, frames)| Run { prev: *prev, frames })
                .collect();
            let expected: Vec<_> = runs.iter().map(one_by_one).collect();
            prop_assert_eq!(link_runs(&runs), expected);
        }
    }

    #[test]
    fn every_length_of_a_fact_is_linked_as_alone() {
        let facts: Vec<Vec<u8>> = (0..1_100).map(|length| vec![length as u8; length]).collect();
        let block = |facts: &[Vec<u8>]| {
            let mut block = Vec::new();
            facts.iter().for_each(|fact| push_frame(&mut block, fact));
            block
        };
        let blocks: Vec<_> = facts.chunks(100).map(block).collect();
        let runs: Vec<_> = blocks
            .iter()
            .map(|frames| Run {
                prev: genesis(),
                frames,
            })
            .collect();
        for (run, values) in runs.iter().zip(link_runs(&runs)) {
            let mut at = genesis();
            let linked = frames(run.frames).map(|fact| {
                at = link(&at, fact.expect("whole"));
                at
            });
            assert_eq!(linked.collect::<Vec<_>>(), values);
        }
    }
}
