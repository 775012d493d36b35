//! Reading block after block, some at a time, with the chain recomputed on the way.
use std::ops::ControlFlow;

use autopilot_events::{Head, Recorded, words::ChainHash};
use sqlx::SqliteConnection;

use crate::{
    block::{Block, Broken, walk, walk_on},
    error::ReadError,
    scan::{Key, Row, Scan},
};

/// Bytes after which a step ends, so that no read transaction lasts and progress is told.
pub(crate) const STEP_BYTES: usize = 4 << 20;

/// Bytes of blocks that are read before they are walked over: eight segments, whose chains are recomputed side by side.
const BATCH_BYTES: usize = 1 << 20;

/// The same for a page of facts, of which few may be wanted.
pub(crate) const PAGE_STEP_BYTES: usize = 256 << 10;

/// Reads on from `at`, whole blocks of `limit_bytes` together or a little more, and moves it. Breaks at the end of the ledger.
pub(crate) async fn step(
    connection: &mut SqliteConnection,
    at: &mut Head,
    limit_bytes: usize,
    each: &mut (dyn FnMut(&Recorded) + Send),
) -> Result<ControlFlow<()>, ReadError> {
    let mut bytes = 0;
    // A compaction may merge, between two statements, the block that ends at `at` with those behind it. So what is asked for
    // is always the block that holds a fact, with one behind it where there is one: whether something follows is then
    // known of one moment.
    let mut from = at.sequence;
    loop {
        let Batch { mut blocks, failed } = batch(
            connection,
            From::Holding(from.max(1)),
            2,
            limit_bytes.saturating_sub(bytes),
        )
        .await?;
        let (before, found) = (at.sequence, size(&blocks));
        match blocks.first() {
            None if at.sequence == 0 => return Ok(ControlFlow::Break(())),
            None => {
                let sequence = at.sequence;
                return Err(ReadError::BeyondEnd { sequence });
            }
            Some(first) if first.first_sequence <= at.sequence => {
                let first = blocks.remove(0);
                rejoin(at, first, each)?;
            }
            Some(_) => {}
        }
        walk_on(at, blocks, each)?;
        failed.map_or(Ok(()), Err)?;
        if at.sequence == before {
            return Ok(ControlFlow::Break(()));
        }
        from = at.sequence + 1;
        bytes += found;
        if bytes >= limit_bytes {
            return Ok(ControlFlow::Continue(()));
        }
    }
}

/// Whole blocks that lie one after the other, and what came instead of the next one.
pub(crate) struct Batch {
    pub(crate) blocks: Vec<Block>,
    pub(crate) failed: Option<ReadError>,
}

/// Which block a batch begins with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum From {
    /// The first one that begins with this number or a later one.
    Beginning(u64),
    /// The one that holds this number, or else the last one before it.
    Holding(u64),
}

/// Blocks one after the other: of [`BATCH_BYTES`] or of `limit_bytes` together or a little more, and so many at least where
/// there are so many. None after the last one.
pub(crate) async fn batch(
    connection: &mut SqliteConnection,
    from: From,
    least: usize,
    limit_bytes: usize,
) -> Result<Batch, ReadError> {
    // The sizes of blocks are known from the heads of their rows. One statement, since a compaction may go on beside it.
    let start = match from {
        From::Holding(number) => {
            format!("coalesce((SELECT max(first_sequence) FROM block WHERE first_sequence <= {number}), 0)")
        }
        From::Beginning(number) => number.to_string(),
    };
    let limit = limit_bytes.clamp(1, BATCH_BYTES);
    let text = format!(
        "SELECT first_sequence, count, prev_chain, chain, bytes FROM block \
         WHERE first_sequence >= {start} AND first_sequence <= (SELECT max(first_sequence) FROM \
         (SELECT first_sequence, sum(size) OVER (ORDER BY first_sequence) - size AS before, \
         row_number() OVER (ORDER BY first_sequence) AS place FROM \
         (SELECT first_sequence, length(bytes) AS size FROM block WHERE first_sequence >= {start} \
         ORDER BY first_sequence LIMIT 64)) WHERE before < {limit} OR place <= {least}) ORDER BY first_sequence"
    );
    let mut locked = connection.lock_handle().await?;
    let mut blocks = Vec::new();
    let read = Scan::prepare(&mut locked, &text)?.run(Key::None, |row| {
        blocks.push(block_of(row)?);
        Ok(())
    });
    match read {
        Err(error) if blocks.is_empty() => Err(error),
        read => Ok(Batch {
            blocks,
            failed: read.err(),
        }),
    }
}

fn block_of(row: &Row<'_>) -> Result<Block, ReadError> {
    let number = |column| {
        let number = row.number(column).and_then(|number| u64::try_from(number).ok());
        number.ok_or(ReadError::Row { table: "block" })
    };
    let first_sequence = number(0)?;
    let chain = |column| {
        let hash = ChainHash::try_from(row.bytes(column).unwrap_or_default());
        hash.map_err(|_| Broken::at(first_sequence, "its block's chain value is not 32 bytes long"))
    };
    Ok(Block {
        first_sequence,
        count: number(1)?,
        prev_chain: chain(2)?,
        chain: chain(3)?,
        bytes: row.bytes(4).ok_or(ReadError::Row { table: "block" })?.to_vec(),
    })
}

/// Bytes of their facts.
pub(crate) fn size(batch: &[Block]) -> usize {
    batch.iter().map(|block| block.bytes.len()).sum()
}

/// Goes through the block that holds `at`, checking that it gives the same chain value there.
fn rejoin(at: &mut Head, block: Block, each: &mut (dyn FnMut(&Recorded) + Send)) -> Result<(), ReadError> {
    let (from, mut there) = (*at, None::<ChainHash>);
    if block.last_sequence() < from.sequence {
        return Err(ReadError::BeyondEnd {
            sequence: from.sequence,
        });
    }
    if block.last_sequence() == from.sequence {
        there = Some(block.chain);
    } else {
        *at = walk(&before(&block), vec![block], &mut |fact| {
            if fact.fact.sequence == from.sequence {
                there = Some(fact.chain);
            } else if fact.fact.sequence > from.sequence && there == Some(from.chain) {
                each(fact);
            }
        })?;
    }
    if there != Some(from.chain) {
        *at = from;
        return Err(ReadError::OtherChain {
            sequence: from.sequence,
        });
    }
    Ok(())
}

/// The head right before a block, as the block itself tells it.
pub(crate) fn before(block: &Block) -> Head {
    Head {
        sequence: block.first_sequence.saturating_sub(1),
        chain: block.prev_chain,
        recorded_at_ms: i64::MIN,
    }
}
