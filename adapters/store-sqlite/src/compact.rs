//! Compaction: many small blocks become one segment whose bytes are theirs, one after the other. Nothing is re-encoded.
use futures_util::TryStreamExt;
use sqlx::{Row, SqliteConnection};

use crate::{
    append::insert_block,
    block::{Block, Broken},
    error::ReadError,
    sql::{begin, finish},
    step::{Batch, From, batch},
    store::Store,
};

/// A block of fewer facts, and of less than [`SEGMENT_BYTES`], is small: it will be part of a segment.
const SMALL_FACTS: u64 = 256;

/// Small blocks at the ledger's end before a compaction is worth its write.
const DUE_ROWS: u64 = 64;

/// A segment's aim in bytes; it ends with the block that reaches it. Reading one fact walks half a segment, a replay
/// fetches one row per segment: this is some hundred facts.
const SEGMENT_BYTES: usize = 128 << 10;

/// The small blocks at the end of the ledger.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tail {
    rows: u64,
    facts: u64,
}

/// What a compaction did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Blocks that were merged.
    pub blocks: u64,
    /// Segments that they became.
    pub segments: u64,
    /// Facts in them.
    pub facts: u64,
}

impl Tail {
    pub(crate) async fn load(connection: &mut SqliteConnection) -> Result<Tail, sqlx::Error> {
        // From the end on, so that only the small blocks and one more are looked at.
        let mut blocks = sqlx::query("SELECT count, length(bytes) FROM block ORDER BY first_sequence DESC")
            .fetch(connection);
        let mut tail = Tail::default();
        while let Some(row) = blocks.try_next().await? {
            let (count, bytes) = (row.try_get::<i64, _>(0)? as u64, row.try_get::<i64, _>(1)?);
            if count >= SMALL_FACTS || bytes as usize >= SEGMENT_BYTES {
                break;
            }
            tail.rows += 1;
            tail.facts += count;
        }
        Ok(tail)
    }

    pub(crate) fn grew(&mut self, block: &Block) {
        if block.count >= SMALL_FACTS || block.bytes.len() >= SEGMENT_BYTES {
            // Small blocks before a large one stay as they are: a few rows, read as fast.
            *self = Tail::default();
        } else {
            self.rows += 1;
            self.facts += block.count;
        }
    }

    fn due(self) -> bool {
        self.rows >= DUE_ROWS && self.facts >= SMALL_FACTS
    }
}

impl Store {
    /// Whether [`Store::compact`] has something to do. For the moments when no commit waits.
    pub fn compaction_due(&self) -> bool {
        self.tail.due()
    }

    /// Merges the small blocks at the end into segments, in one transaction, checking that they join.
    ///
    /// # Errors
    /// [`ReadError`]; the ledger is as before then.
    pub async fn compact(&mut self) -> Result<Compacted, ReadError> {
        if !self.tail.due() {
            return Ok(Compacted::default());
        }
        begin(&mut self.connection).await?;
        let work = async {
            let mut done = Compacted::default();
            let mut next = self.head.sequence + 1 - self.tail.facts;
            let end = self.head.sequence;
            while next <= end {
                let Some((segment, blocks)) = gather(&mut self.connection, next).await? else {
                    return Err(Broken::at(next, "its block is missing").into());
                };
                next = segment.last_sequence() + 1;
                sqlx::query("DELETE FROM block WHERE first_sequence >= ? AND first_sequence < ?")
                    .bind(segment.first_sequence as i64)
                    .bind(next as i64)
                    .execute(&mut self.connection)
                    .await?;
                insert_block(&mut self.connection, &segment).await?;
                done.blocks += blocks;
                done.segments += 1;
                done.facts += segment.count;
            }
            Ok::<_, ReadError>(done)
        };
        let work = work.await;
        let done = finish(&mut self.connection, work).await?;
        self.tail = Tail::load(&mut self.connection).await?;
        tracing::debug!(
            blocks = done.blocks,
            segments = done.segments,
            facts = done.facts,
            "compacted"
        );
        Ok(done)
    }
}

/// Joins blocks from `first` on until a segment is full.
async fn gather(connection: &mut SqliteConnection, first: u64) -> Result<Option<(Block, u64)>, ReadError> {
    let mut segment: Option<Block> = None;
    let mut count = 0;
    loop {
        let (next, size) = segment.as_ref().map_or((first, 0), |segment| {
            (segment.last_sequence() + 1, segment.bytes.len())
        });
        if size >= SEGMENT_BYTES {
            break;
        }
        let Batch { blocks, failed } =
            batch(connection, From::Beginning(next), 1, SEGMENT_BYTES - size).await?;
        failed.map_or(Ok(()), Err)?;
        if blocks.first().is_none_or(|block| block.first_sequence != next) {
            break;
        }
        for block in blocks {
            count += 1;
            match &mut segment {
                None => segment = Some(block),
                Some(segment) => {
                    let next = segment.last_sequence() + 1;
                    if block.first_sequence != next || block.prev_chain != segment.chain {
                        return Err(Broken::at(next, "its block does not continue the one before").into());
                    }
                    segment.count += block.count;
                    segment.chain = block.chain;
                    segment.bytes.extend_from_slice(&block.bytes);
                }
            }
        }
    }
    Ok(segment.map(|segment| (segment, count)))
}
