//! Snapshots of folds. Each stands on a chain value; one whose chain is not the ledger's is dropped, and that is said.
use autopilot_events::{
    Head,
    words::{ChainHash, Digest},
};
use sqlx::{Row, SqliteConnection};

use crate::{
    anchor,
    error::ReadError,
    reader::{self, Reader},
    sql::{begin, finish},
    store::Store,
};

/// Snapshots kept of one projection: the newest, and one before it in case the newest does not load.
const KEPT: i64 = 2;

/// Bytes of one snapshot at most.
pub const MAX_SNAPSHOT_BYTES: usize = 256 << 20;

/// The state of a fold at a place in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Name of the projection.
    pub projection: String,
    /// Version of its digest.
    pub version: u32,
    /// Last fact in it.
    pub head: Head,
    /// The fold's own digest. Whoever loads the bytes compares it with the digest of what they became.
    pub digest: Digest,
    /// The state.
    pub bytes: Vec<u8>,
}

impl Snapshot {
    /// The state of a fold, whose digest is that of its bytes.
    pub fn new(projection: String, version: u32, head: Head, bytes: Vec<u8>) -> Snapshot {
        Snapshot {
            projection,
            version,
            head,
            digest: Digest::of_content(&bytes),
            bytes,
        }
    }
}

/// A snapshot that was dropped, to be built anew from the facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DroppedSnapshot {
    /// Name of the projection.
    pub projection: String,
    /// Last fact that it claimed to hold.
    pub sequence: u64,
    /// Why.
    pub why: &'static str,
}

impl Store {
    /// Keeps a snapshot, replacing the oldest of its projection. Not for the hot path: it is a commit of its own.
    ///
    /// # Errors
    /// [`ReadError::OtherChain`] when it does not stand on this ledger; [`ReadError::Row`] when it is too large.
    pub async fn put_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), ReadError> {
        if snapshot.bytes.len() > MAX_SNAPSHOT_BYTES {
            return Err(ReadError::Row { table: "snapshot" });
        }
        let sequence = snapshot.head.sequence;
        let head = reader::head_at(&mut self.connection, sequence).await?;
        if head.chain != snapshot.head.chain {
            return Err(ReadError::OtherChain { sequence });
        }
        begin(&mut self.connection).await?;
        let work = async {
            sqlx::query("INSERT OR REPLACE INTO snapshot VALUES (?,?,?,?,?,?)")
                .bind(&snapshot.projection)
                .bind(snapshot.version)
                .bind(sequence as i64)
                .bind(snapshot.head.chain.to_vec())
                .bind(snapshot.digest.to_vec())
                .bind(snapshot.bytes.as_slice())
                .execute(&mut self.connection)
                .await?;
            sqlx::query(
                "DELETE FROM snapshot WHERE projection = ?1 AND sequence NOT IN \
             (SELECT sequence FROM snapshot WHERE projection = ?1 ORDER BY sequence DESC LIMIT ?2)",
            )
            .bind(&snapshot.projection)
            .bind(KEPT)
            .execute(&mut self.connection)
            .await?;
            match self.unknown_critical {
                None => anchor::set(&mut self.connection, head).await,
                Some(_) => Ok(()), // the next opening has to meet that fact again
            }
        };
        let work = work.await;
        finish(&mut self.connection, work).await
    }

    /// Drops a snapshot that did not load as what it claims to be.
    ///
    /// # Errors
    /// [`ReadError::Sqlite`].
    pub async fn drop_snapshot(&mut self, projection: &str, sequence: u64) -> Result<(), ReadError> {
        delete(&mut self.connection, projection, sequence).await
    }
}

impl Reader {
    /// The newest snapshot of a projection, if it is of this version and stands on this ledger.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn snapshot(&self, projection: &str, version: u32) -> Result<Option<Snapshot>, ReadError> {
        let mut connection = self.pool.acquire().await?;
        let row = sqlx::query(
            "SELECT sequence, chain, digest, bytes FROM snapshot WHERE projection = ? AND version = ? \
             ORDER BY sequence DESC LIMIT 1",
        )
        .bind(projection)
        .bind(version)
        .fetch_optional(&mut *connection)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let sequence = row.try_get::<i64, _>(0)? as u64;
        let malformed = |_| ReadError::Row { table: "snapshot" };
        let chain = ChainHash::try_from(row.try_get::<&[u8], _>(1)?).map_err(malformed)?;
        let digest = Digest::try_from(row.try_get::<&[u8], _>(2)?).map_err(malformed)?;
        match reader::head_at(&mut connection, sequence).await {
            Ok(head) if head.chain == chain => Ok(Some(Snapshot {
                projection: projection.to_owned(),
                version,
                head,
                digest,
                bytes: row.try_get(3)?,
            })),
            Ok(_) | Err(ReadError::BeyondEnd { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

async fn delete(connection: &mut SqliteConnection, projection: &str, sequence: u64) -> Result<(), ReadError> {
    sqlx::query("DELETE FROM snapshot WHERE projection = ? AND sequence = ?")
        .bind(projection)
        .bind(sequence as i64)
        .execute(connection)
        .await?;
    Ok(())
}

/// Drops every snapshot that stands on another chain.
pub(crate) async fn check_all(
    connection: &mut SqliteConnection,
    reader: &Reader,
) -> Result<Vec<DroppedSnapshot>, ReadError> {
    let rows = sqlx::query("SELECT projection, sequence, chain FROM snapshot ORDER BY projection, sequence")
        .fetch_all(&mut *connection)
        .await?;
    let mut dropped = Vec::new();
    for row in rows {
        let projection: String = row.try_get(0)?;
        let sequence = row.try_get::<i64, _>(1)? as u64;
        let chain: Vec<u8> = row.try_get(2)?;
        let why = match reader.head_at(sequence).await {
            Ok(head) if head.chain.0.as_slice() == chain => continue,
            Ok(_) => "it stands on another chain",
            Err(ReadError::BeyondEnd { .. }) => "the ledger ends before it",
            Err(error) => return Err(error),
        };
        tracing::warn!(%projection, sequence, why, "dropped a snapshot; it is rebuilt from the facts");
        delete(connection, &projection, sequence).await?;
        dropped.push(DroppedSnapshot {
            projection,
            sequence,
            why,
        });
    }
    Ok(dropped)
}
