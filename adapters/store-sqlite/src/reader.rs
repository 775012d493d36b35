//! Reading beside the writer, or without one, in bounded memory and with the chain recomputed on the way.
use std::path::Path;

use autopilot_events::{
    Head, Recorded,
    words::{ChainHash, Digest},
};
use sqlx::{Connection as _, Row, SqliteConnection, SqlitePool, sqlite::SqlitePoolOptions};

use crate::{
    block::{Broken, walk, walk_bytes},
    error::{OpenError, ReadError},
    schema::{self, Kind},
    step::{Batch, From, PAGE_STEP_BYTES, STEP_BYTES, batch, before, size, step},
};

/// Connections of one reader at most.
const CONNECTIONS: u32 = 4;

/// Rows that SQLite's thread may be ahead of the one that takes them: no statement gives more, or many bytes, so that the
/// two need not wait for each other row by row.
pub(crate) const ROWS_AHEAD: usize = 1_024;

/// Facts that one call hands out at most.
pub const MAX_PAGE: u32 = 4_096;

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
            .connect_with(options.row_buffer_size(ROWS_AHEAD))
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
        // One transaction: a compaction between two statements would merge blocks across the place that was reached.
        let mut moment = connection.begin().await?;
        let of = end(&mut moment).await?;
        let (mut at, mut chain) = (0, Head::empty().chain);
        loop {
            let mut bytes = 0;
            while bytes < STEP_BYTES {
                let batch = batch(&mut moment, From::Beginning(at + 1), 1, STEP_BYTES - bytes).await?;
                if batch.blocks.is_empty() {
                    break;
                }
                bytes += size(&batch.blocks);
                (at, chain) = walk_bytes((at, chain), &batch.blocks)?;
                batch.failed.map_or(Ok(()), Err)?;
            }
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
    let Batch { blocks, failed } = batch(connection, From::Holding(sequence), 1, 1).await?;
    failed.map_or(Ok(()), Err)?;
    let block = blocks
        .into_iter()
        .next()
        .filter(|block| block.first_sequence <= sequence)
        .ok_or(Broken::at(1, "its block is missing"))?;
    if block.last_sequence() < sequence {
        return Err(ReadError::BeyondEnd { sequence });
    }
    let mut found = None;
    walk(&before(&block), vec![block], &mut |fact| {
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
