//! Blocks as they are stored, and the walk over them that checks every byte. Pure.
use autopilot_events::{
    Head, Recorded,
    chain::{self, Run, frames, link_runs},
    words::ChainHash,
};
use prost::bytes::Bytes;

/// Field 1, varint: how an encoded fact begins.
const SEQUENCE_TAG: u8 = 0x08;

/// One stored row of facts: a commit, or a segment of many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Sequence number of its first fact.
    pub first_sequence: u64,
    /// Facts in it, at least 1.
    pub count: u64,
    /// Chain value before its first fact.
    pub prev_chain: ChainHash,
    /// Chain value after its last fact.
    pub chain: ChainHash,
    /// The facts, each behind its length (four little-endian bytes).
    pub bytes: Vec<u8>,
}

/// Where and why the stored facts do not hold together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ledger is broken at fact {sequence}: {why}")]
pub struct Broken {
    /// The first fact that can't be trusted. Where only the end of a block tells, the block's first one.
    pub sequence: u64,
    /// What was found.
    pub why: String,
}

impl Broken {
    pub(crate) fn at(sequence: u64, why: impl Into<String>) -> Broken {
        Broken {
            sequence,
            why: why.into(),
        }
    }
}

impl Block {
    /// Frames `facts`, which follow `head`, as one block.
    pub(crate) fn of(head: &Head, facts: &[Recorded]) -> Block {
        let size = facts.iter().map(|fact| fact.bytes.len() + 4).sum();
        let mut bytes = Vec::with_capacity(size);
        for fact in facts {
            chain::push_frame(&mut bytes, &fact.bytes);
        }
        Block {
            first_sequence: head.sequence + 1,
            count: facts.len() as u64,
            prev_chain: head.chain,
            chain: facts.last().map_or(head.chain, |fact| fact.chain),
            bytes,
        }
    }

    /// Sequence number of the last fact.
    pub fn last_sequence(&self) -> u64 {
        self.first_sequence + self.count.saturating_sub(1)
    }
}

/// Checks blocks that follow `head`, handing each fact over as it is read, and returns the head after them.
///
/// Facts are handed over before their block's end value is checked: a caller that keeps state drops it on an error. What
/// is handed over is overwritten by the next fact.
///
/// # Errors
/// [`Broken`] at the first fact that does not fit.
pub fn walk(head: &Head, blocks: Vec<Block>, each: &mut dyn FnMut(&Recorded)) -> Result<Head, Broken> {
    let mut at = *head;
    walk_on(&mut at, blocks, each)?;
    Ok(at)
}

/// The same, moving `at` behind each block that holds.
pub(crate) fn walk_on(
    at: &mut Head,
    blocks: Vec<Block>,
    each: &mut dyn FnMut(&Recorded),
) -> Result<(), Broken> {
    let (chains, mut fact) = (chains(&blocks), Recorded::blank());
    for (block, chain) in blocks.into_iter().zip(&chains) {
        *at = walk_one(at, block, chain, &mut fact, each)?;
    }
    Ok(())
}

/// The chain values of each block's facts, from the one that it names before them: whether that one is right shows
/// where blocks are joined.
fn chains(blocks: &[Block]) -> Vec<Vec<ChainHash>> {
    let runs: Vec<Run<'_>> = blocks
        .iter()
        .map(|block| Run {
            prev: block.prev_chain,
            frames: &block.bytes,
        })
        .collect();
    link_runs(&runs)
}

fn walk_one(
    head: &Head,
    block: Block,
    chain: &[ChainHash],
    fact: &mut Recorded,
    each: &mut dyn FnMut(&Recorded),
) -> Result<Head, Broken> {
    let first = block.first_sequence;
    if first != head.sequence + 1 {
        let why = format!(
            "the block starts at fact {first}, fact {} was due",
            head.sequence + 1
        );
        return Err(Broken::at(head.sequence + 1, why));
    }
    if block.prev_chain != head.chain {
        return Err(Broken::at(
            first,
            "the block's previous chain value is not the one that the facts before it give",
        ));
    }
    let (mut at, mut chain) = (*head, chain.iter());
    let shared = Bytes::from(block.bytes);
    for frame in frames(&shared) {
        let due = at.sequence + 1;
        let bytes = frame.map_err(|error| Broken::at(due, error.to_string()))?;
        // There is one for each whole frame.
        let chain = chain.next().copied().unwrap_or_default();
        fact.open(&at, shared.slice_ref(bytes), chain)
            .map_err(|error| Broken::at(due, error.to_string()))?;
        if fact.fact.recorded_at_ms < at.recorded_at_ms {
            return Err(Broken::at(due, "it was recorded before its predecessor"));
        }
        at = fact.head();
        each(fact);
    }
    let found = at.sequence - head.sequence;
    if found != block.count {
        return Err(Broken::at(
            first,
            format!("the block holds {found} facts and claims {}", block.count),
        ));
    }
    if at.chain != block.chain {
        return Err(Broken::at(
            first,
            "the bytes of the block's facts do not give its chain value",
        ));
    }
    Ok(at)
}

/// The chain over the bytes of blocks alone: number and chain value before them go in, those after them come out. The
/// facts are not decoded beyond their number, which our encoding puts first.
///
/// # Errors
/// [`Broken`] at the first fact that does not fit.
pub(crate) fn walk_bytes(
    (mut at, mut chain): (u64, ChainHash),
    blocks: &[Block],
) -> Result<(u64, ChainHash), Broken> {
    for (block, chains) in blocks.iter().zip(&chains(blocks)) {
        let (first, before) = (block.first_sequence, at);
        if first != before + 1 || block.prev_chain != chain {
            return Err(Broken::at(
                before + 1,
                "its block does not continue the one before",
            ));
        }
        for frame in frames(&block.bytes) {
            let due = at + 1;
            let bytes = frame.map_err(|error| Broken::at(due, error.to_string()))?;
            let number = bytes
                .strip_prefix(&[SEQUENCE_TAG])
                .and_then(|mut rest| prost::encoding::decode_varint(&mut rest).ok());
            if number != Some(due) {
                return Err(Broken::at(due, "it does not begin with its number"));
            }
            at = due;
        }
        chain = chains.last().copied().unwrap_or(chain);
        if at - before != block.count || chain != block.chain {
            return Err(Broken::at(
                first,
                "the bytes of the block's facts do not give its count and chain value",
            ));
        }
    }
    Ok((at, chain))
}
