//! Anchors: places up to which every fact was read and its chain recomputed, so that an opening reads on from there.
//!
//! An anchor binds number, chain value and time of a fact, the Merkle root up to it, the snapshots that stand on it, and
//! the catalogue that the reading program knew. It is held against the stored facts, tiles and snapshots before it
//! counts. It is no proof against a forger, who could write one too: what an opening did not read is read again after
//! it ([`Reader::recheck`]), and against a forger of whole ledgers stand signed heads.
use autopilot_events::{
    Head,
    catalogue::CATALOGUE,
    words::{ChainHash, Digest, TreeHash},
};
use sqlx::{Row, SqliteConnection};

use crate::{
    error::ReadError,
    reader::{self, Reader},
    tiles,
};

pub(crate) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS anchor(
    sequence INTEGER PRIMARY KEY,
    chain BLOB NOT NULL,
    recorded_at_ms INTEGER NOT NULL,
    root BLOB NOT NULL,
    catalogue BLOB NOT NULL,
    snapshots BLOB NOT NULL,
    seal BLOB NOT NULL
) STRICT;
";

/// Anchors kept: the newest, and one before it in case the newest does not hold.
const KEPT: i64 = 2;

/// Facts at the end of the ledger that every opening reads, whatever was read before: what was written last is what a
/// loss of power may have taken.
const ALWAYS_READ: u64 = 1_024;

/// An anchor that does not hold, with the fact that it names and the reason. It was dropped; an older one, or reading
/// everything, took its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DroppedAnchor {
    /// Fact that it claimed to stand on.
    pub sequence: u64,
    /// Why.
    pub why: &'static str,
}

/// Where an opening begins to read.
pub(crate) struct Start {
    /// The head to read on from.
    pub(crate) from: Head,
    /// The anchor that is met on the way, or stands right there; none when everything is read.
    pub(crate) anchor: Option<Head>,
}

struct Anchor {
    head: Head,
    root: TreeHash,
    catalogue: Digest,
    snapshots: Digest,
}

impl Anchor {
    fn seal(&self) -> Digest {
        let mut hasher = blake3::Hasher::new_derive_key("autopilot 2026 ledger anchor 1");
        hasher
            .update(&self.head.sequence.to_le_bytes())
            .update(&self.head.chain.0)
            .update(&self.head.recorded_at_ms.to_le_bytes())
            .update(&self.root.0)
            .update(&self.catalogue.0)
            .update(&self.snapshots.0);
        Digest(*hasher.finalize().as_bytes())
    }

    /// Reads `sequence, chain, recorded_at_ms, root, catalogue, snapshots, seal`; `None` where the seal is another.
    fn read(row: &sqlx::sqlite::SqliteRow) -> Result<Option<Anchor>, ReadError> {
        let malformed = |_| ReadError::Row { table: "anchor" };
        let head = Head {
            sequence: row.try_get::<i64, _>(0)? as u64,
            chain: ChainHash::try_from(row.try_get::<&[u8], _>(1)?).map_err(malformed)?,
            recorded_at_ms: row.try_get(2)?,
        };
        let anchor = Anchor {
            head,
            root: TreeHash::try_from(row.try_get::<&[u8], _>(3)?).map_err(malformed)?,
            catalogue: Digest::try_from(row.try_get::<&[u8], _>(4)?).map_err(malformed)?,
            snapshots: Digest::try_from(row.try_get::<&[u8], _>(5)?).map_err(malformed)?,
        };
        let sealed = row.try_get::<&[u8], _>(6)? == anchor.seal().0;
        Ok(sealed.then_some(anchor))
    }

    /// Holds the anchor against what is stored; says what does not hold.
    async fn objection(&self, connection: &mut SqliteConnection) -> Result<Option<&'static str>, ReadError> {
        if self.catalogue != catalogue() {
            return Ok(Some("it was set by a program that knew other types of facts"));
        }
        let sequence = self.head.sequence;
        match reader::head_at(connection, sequence).await {
            Ok(head) if head == self.head => {}
            Ok(_) => return Ok(Some("the fact that it stands on is another one")),
            Err(ReadError::BeyondEnd { .. }) => return Ok(Some("the ledger ends before it")),
            Err(ReadError::Broken(_)) => return Ok(Some("the block that it stands on is broken")),
            Err(error) => return Err(error),
        }
        match tiles::root(connection, sequence).await {
            Ok(root) if root == self.root => {}
            Ok(_) => return Ok(Some("the stored Merkle tree has another root there")),
            Err(error @ (ReadError::Sqlite(_) | ReadError::Scan { .. })) => return Err(error),
            Err(_) => return Ok(Some("the stored Merkle tree does not reach it")),
        }
        if snapshots(connection, sequence).await? != self.snapshots {
            return Ok(Some("the snapshots on it are other ones"));
        }
        Ok(None)
    }
}

/// Digest of the types that this program knows: another program may find unknown critical facts where it found none.
fn catalogue() -> Digest {
    let mut hasher = blake3::Hasher::new();
    for (kind, version, critical) in CATALOGUE {
        hasher.update(format!("{kind} {version} {critical}\n").as_bytes());
    }
    Digest(*hasher.finalize().as_bytes())
}

/// Digest of the snapshots at a place: names, versions, digests.
async fn snapshots(connection: &mut SqliteConnection, sequence: u64) -> Result<Digest, ReadError> {
    let rows = sqlx::query(
        "SELECT projection, version, digest FROM snapshot WHERE sequence = ? ORDER BY projection",
    )
    .bind(sequence as i64)
    .fetch_all(connection)
    .await?;
    let mut hasher = blake3::Hasher::new();
    for row in &rows {
        let (name, digest) = (row.try_get::<&str, _>(0)?, row.try_get::<&[u8], _>(2)?);
        for part in [name.as_bytes(), &row.try_get::<i64, _>(1)?.to_le_bytes(), digest] {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
    }
    Ok(Digest(*hasher.finalize().as_bytes()))
}

/// Sets an anchor at a fact up to which everything was read, and drops the oldest. In the caller's transaction.
pub(crate) async fn set(connection: &mut SqliteConnection, head: Head) -> Result<(), ReadError> {
    let anchor = Anchor {
        head,
        root: tiles::root(connection, head.sequence).await?,
        catalogue: catalogue(),
        snapshots: snapshots(connection, head.sequence).await?,
    };
    sqlx::query("INSERT OR REPLACE INTO anchor VALUES (?,?,?,?,?,?,?)")
        .bind(head.sequence as i64)
        .bind(head.chain.to_vec())
        .bind(head.recorded_at_ms)
        .bind(anchor.root.to_vec())
        .bind(anchor.catalogue.to_vec())
        .bind(anchor.snapshots.to_vec())
        .bind(anchor.seal().to_vec())
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "DELETE FROM anchor WHERE sequence NOT IN (SELECT sequence FROM anchor ORDER BY sequence DESC LIMIT ?)",
    )
    .bind(KEPT)
    .execute(connection)
    .await?;
    Ok(())
}

/// The newest anchor that holds, dropping those above it that do not.
async fn newest(
    connection: &mut SqliteConnection,
    dropped: &mut Vec<DroppedAnchor>,
) -> Result<Option<Head>, ReadError> {
    loop {
        let row = sqlx::query(
            "SELECT sequence, chain, recorded_at_ms, root, catalogue, snapshots, seal FROM anchor \
             ORDER BY sequence DESC LIMIT 1",
        )
        .fetch_optional(&mut *connection)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let sequence = row.try_get::<i64, _>(0)?;
        let why = match Anchor::read(&row) {
            Ok(Some(anchor)) => match anchor.objection(connection).await? {
                None => return Ok(Some(anchor.head)),
                Some(why) => why,
            },
            Ok(None) => "its seal is not that of its content",
            Err(ReadError::Row { .. }) => "it is malformed",
            Err(error) => return Err(error),
        };
        tracing::warn!(sequence, why, "dropped an anchor");
        sqlx::query("DELETE FROM anchor WHERE sequence = ?")
            .bind(sequence)
            .execute(&mut *connection)
            .await?;
        dropped.push(DroppedAnchor {
            sequence: sequence as u64,
            why,
        });
    }
}

/// Where an opening begins to read: at the newest anchor that holds or some facts before it, or at the first fact.
pub(crate) async fn start(
    connection: &mut SqliteConnection,
    reader: &Reader,
    dropped: &mut Vec<DroppedAnchor>,
) -> Result<Start, ReadError> {
    let Some(anchor) = newest(connection, dropped).await? else {
        return Ok(Start {
            from: Head::empty(),
            anchor: None,
        });
    };
    let mut reading = reader.pool.acquire().await?;
    let tail = reader::end(&mut reading).await?.saturating_sub(ALWAYS_READ);
    let from = if anchor.sequence <= tail {
        anchor
    } else {
        reader::block_start(&mut reading, tail).await?
    };
    Ok(Start {
        from,
        anchor: Some(anchor),
    })
}
