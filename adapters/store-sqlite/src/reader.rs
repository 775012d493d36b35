//! Reading beside the writer, or without one, in bounded memory and with the chain recomputed on the way.
use std::{ops::ControlFlow, path::Path};

use autopilot_events::{
    Head, Recorded,
    words::{ChainHash, Digest},
};
use futures_util::TryStreamExt;
use sqlx::{Row, SqliteConnection, SqlitePool, sqlite::SqlitePoolOptions};

use crate::{
    block::{Broken, walk, walk_bytes},
    compact::block_of,
    error::{OpenError, ReadError},
    schema::{self, Kind},
};

/// Connections of one reader at most.
const CONNECTIONS: u32 = 4;

/// Facts that one call hands out at most.
pub const MAX_PAGE: u32 = 4_096;

/// Bytes after which a step ends, so that no read transaction lasts and progress is told.
pub(crate) const STEP_BYTES: usize = 4 << 20;

/// The same for a page of facts, of which few may be wanted.
pub(crate) const PAGE_STEP_BYTES: usize = 256 << 10;

/// How far a long reading is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Facts read so far, those before the start included.
    pub facts: u64,
    /// Facts in the ledger when the reading began.
    pub of: u64,
}

/// A handle for reading. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Reader {
    pub(crate) pool: SqlitePool,
}

impl Reader {
    /// Opens for reading: beside a writing host, after one, or from media that can't be written.
    ///
    /// # Errors
    /// [`OpenError`]. Nothing is checked here beyond the format: [`Reader::verify`] reads every byte.
    pub async fn open(path: &Path) -> Result<Reader, OpenError> {
        let (kind, options) = schema::inspect(path).await?;
        if let Kind::Empty = kind {
            return Err(OpenError::Missing {
                path: path.to_owned(),
            });
        }
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS)
            .connect_with(options.row_buffer_size(2))
            .await
            .map_err(|error| OpenError::of_sqlite(path, error))?;
        Ok(Reader { pool })
    }

    /// Where the ledger ends; only the last block is read.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn head(&self) -> Result<Head, ReadError> {
        let mut connection = self.pool.acquire().await?;
        head(&mut connection).await
    }

    /// The head that the ledger had when `sequence` was its last fact; only one block is read.
    ///
    /// # Errors
    /// [`ReadError::BeyondEnd`] for a number that is not there yet.
    pub async fn head_at(&self, sequence: u64) -> Result<Head, ReadError> {
        let mut connection = self.pool.acquire().await?;
        head_at(&mut connection, sequence).await
    }

    /// Up to `limit` facts (at most [`MAX_PAGE`]) after number `after`, their chain recomputed from their block's start.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn facts(&self, after: u64, limit: u32) -> Result<Vec<Recorded>, ReadError> {
        let limit = limit.min(MAX_PAGE) as usize;
        let mut connection = self.pool.acquire().await?;
        let mut at = head_at(&mut connection, after).await?;
        let mut facts = Vec::new();
        while facts.len() < limit {
            let flow = step(&mut connection, &mut at, PAGE_STEP_BYTES, &mut |fact| {
                if facts.len() < limit {
                    facts.push(fact.clone());
                }
            })
            .await?;
            if flow.is_break() {
                break;
            }
        }
        Ok(facts)
    }

    /// Hands over every fact after `from`, in order, and returns the head. Memory is bounded by a few blocks.
    ///
    /// # Errors
    /// [`ReadError`]; a caller that folded drops its state then.
    pub async fn replay(
        &self,
        from: &Head,
        progress: &mut (dyn FnMut(Progress) + Send),
        mut each: impl FnMut(&Recorded) + Send,
    ) -> Result<Head, ReadError> {
        let mut connection = self.pool.acquire().await?;
        let of = end(&mut connection).await?;
        let mut at = *from;
        loop {
            let flow = step(&mut connection, &mut at, STEP_BYTES, &mut each).await?;
            progress(Progress {
                facts: at.sequence,
                of: of.max(at.sequence),
            });
            if flow.is_break() {
                return Ok(at);
            }
        }
    }

    /// Recomputes the chain over every stored byte and checks that blocks and numbers join: what [`Reader::verify`] does
    /// first, without decoding the facts and without what lies beside them.
    ///
    /// # Errors
    /// [`ReadError::Broken`] at the first fact that does not hold, or at the first one of its block.
    pub async fn verify_chain(
        &self,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<(u64, ChainHash), ReadError> {
        let mut connection = self.pool.acquire().await?;
        let of = end(&mut connection).await?;
        let (mut at, mut chain) = (0, Head::empty().chain);
        loop {
            let mut rows = sqlx::query(
                "SELECT first_sequence, count, prev_chain, chain, bytes FROM block WHERE first_sequence > ? \
                 ORDER BY first_sequence",
            )
            .bind(at as i64)
            .fetch(&mut *connection);
            let mut bytes = 0;
            while let Some(row) = rows.try_next().await? {
                let block = block_of(&row)?;
                bytes += block.bytes.len();
                (at, chain) = walk_bytes((at, chain), &block)?;
                if bytes >= STEP_BYTES {
                    break;
                }
            }
            drop(rows);
            let of = of.max(at);
            progress(Progress { facts: at, of });
            if bytes < STEP_BYTES {
                return Ok((at, chain));
            }
        }
    }

    /// The fact that took an idempotency key, and the digest of its payload ([`crate::payload_digest`]).
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn lookup(&self, key: &str) -> Result<Option<(u64, Digest)>, ReadError> {
        let row = sqlx::query("SELECT sequence, payload_digest FROM idempotency WHERE key = ?")
            .bind(key)
            .fetch_optional(&self.pool)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let digest: &[u8] = row.try_get(1)?;
        let digest = Digest::try_from(digest).map_err(|_| ReadError::Row { table: "idempotency" })?;
        Ok(Some((row.try_get::<i64, _>(0)? as u64, digest)))
    }

    /// The fact that took an idempotency key.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn fact_by_key(&self, key: &str) -> Result<Option<Recorded>, ReadError> {
        let Some((sequence, _)) = self.lookup(key).await? else {
            return Ok(None);
        };
        Ok(self.facts(sequence.saturating_sub(1), 1).await?.pop())
    }

    /// How many facts a stream has.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn stream_version(&self, stream: &str) -> Result<u64, ReadError> {
        let row = sqlx::query("SELECT version FROM stream WHERE stream = ?")
            .bind(stream)
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map_or(Ok(0), |row| {
            row.try_get::<i64, _>(0).map(|version| version as u64)
        })?)
    }

    /// The ciphertext with this digest, unless it was never kept or was erased.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn body(&self, ciphertext_digest: &Digest) -> Result<Option<Vec<u8>>, ReadError> {
        let row = sqlx::query("SELECT ciphertext FROM body WHERE ciphertext_digest = ?")
            .bind(ciphertext_digest.to_vec())
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// Closes the connections of this handle and of its clones.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Number of the last fact.
pub(crate) async fn end(connection: &mut SqliteConnection) -> Result<u64, ReadError> {
    let row =
        sqlx::query("SELECT first_sequence + count - 1 FROM block ORDER BY first_sequence DESC LIMIT 1")
            .fetch_optional(connection)
            .await?;
    Ok(row.map_or(Ok(0), |row| row.try_get::<i64, _>(0).map(|end| end as u64))?)
}

pub(crate) async fn head(connection: &mut SqliteConnection) -> Result<Head, ReadError> {
    let end = end(connection).await?;
    head_at(connection, end).await
}

pub(crate) async fn head_at(connection: &mut SqliteConnection, sequence: u64) -> Result<Head, ReadError> {
    if sequence == 0 {
        return Ok(Head::empty());
    }
    let row = sqlx::query(
        "SELECT first_sequence, count, prev_chain, chain, bytes FROM block WHERE first_sequence <= ? \
         ORDER BY first_sequence DESC LIMIT 1",
    )
    .bind(i64::try_from(sequence).unwrap_or(i64::MAX))
    .fetch_optional(connection)
    .await?;
    let block = row
        .as_ref()
        .map(block_of)
        .transpose()?
        .ok_or(Broken::at(1, "its block is missing"))?;
    if block.last_sequence() < sequence {
        return Err(ReadError::BeyondEnd { sequence });
    }
    let mut found = None;
    walk(&before(&block), &block, &mut |fact| {
        if fact.fact.sequence == sequence {
            found = Some(fact.head());
        }
    })?;
    found.ok_or(ReadError::BeyondEnd { sequence })
}

/// The head right before the block that holds a fact, as that block tells it; before the first one for fact 0.
pub(crate) async fn block_start(connection: &mut SqliteConnection, sequence: u64) -> Result<Head, ReadError> {
    let row = sqlx::query(
        "SELECT first_sequence, prev_chain FROM block WHERE first_sequence <= ? AND first_sequence > 1 \
         ORDER BY first_sequence DESC LIMIT 1",
    )
    .bind(sequence as i64)
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else {
        return Ok(Head::empty());
    };
    let first = row.try_get::<i64, _>(0)? as u64;
    let chain = ChainHash::try_from(row.try_get::<&[u8], _>(1)?)
        .map_err(|_| Broken::at(first, "its block's chain value is not 32 bytes long"))?;
    Ok(Head {
        sequence: first - 1,
        chain,
        recorded_at_ms: i64::MIN,
    })
}

/// The head right before a block, as the block itself tells it.
fn before(block: &crate::block::Block) -> Head {
    Head {
        sequence: block.first_sequence.saturating_sub(1),
        chain: block.prev_chain,
        recorded_at_ms: i64::MIN,
    }
}

/// Reads on from `at`, whole blocks of `limit_bytes` together or a little more, and moves it. Breaks at the end of the ledger.
pub(crate) async fn step(
    connection: &mut SqliteConnection,
    at: &mut Head,
    limit_bytes: usize,
    each: &mut (dyn FnMut(&Recorded) + Send),
) -> Result<ControlFlow<()>, ReadError> {
    // Starts with the block that holds `at`: a compaction may have merged the block that ended there with others.
    let mut rows = sqlx::query(
        "SELECT first_sequence, count, prev_chain, chain, bytes FROM block WHERE first_sequence >= \
         coalesce((SELECT max(first_sequence) FROM block WHERE first_sequence <= ?), 0) ORDER BY first_sequence",
    )
    .bind(at.sequence.max(1) as i64)
    .fetch(connection);
    let mut bytes = 0;
    let mut seen = false;
    while let Some(row) = rows.try_next().await? {
        let block = block_of(&row)?;
        bytes += block.bytes.len();
        if !seen && at.sequence > 0 && block.first_sequence <= at.sequence {
            rejoin(at, &block, each)?;
        } else {
            *at = walk(at, &block, each)?;
        }
        seen = true;
        if bytes >= limit_bytes {
            return Ok(ControlFlow::Continue(()));
        }
    }
    if !seen && at.sequence > 0 {
        return Err(ReadError::BeyondEnd {
            sequence: at.sequence,
        });
    }
    Ok(ControlFlow::Break(()))
}

/// Goes through the block that holds `at`, checking that it gives the same chain value there.
fn rejoin(
    at: &mut Head,
    block: &crate::block::Block,
    each: &mut (dyn FnMut(&Recorded) + Send),
) -> Result<(), ReadError> {
    let (from, mut there) = (*at, None::<ChainHash>);
    if block.last_sequence() < from.sequence {
        return Err(ReadError::BeyondEnd {
            sequence: from.sequence,
        });
    }
    if block.last_sequence() == from.sequence {
        there = Some(block.chain);
    } else {
        *at = walk(&before(block), block, &mut |fact| {
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
