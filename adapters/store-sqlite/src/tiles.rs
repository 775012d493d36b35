//! The Merkle tree on disk: full tiles, written in the transaction of the commit that completes them. What is not in a
//! full tile is computed from the facts and from the roots of the tiles below. All of it may be rebuilt from the facts.
use std::collections::{BTreeSet, HashMap};

use autopilot_events::{
    Head,
    tree::{self, Edge, Proof, TILE_WIDTH, Tile, TileId, Tiles},
    words::TreeHash,
};
use sqlx::{Row, SqliteConnection};

use crate::{
    block::Broken,
    error::ReadError,
    reader::{self, Progress, Reader},
    sql::{begin, finish, insert_many, select_in},
    step,
};

/// `place` is `level · 2^48 + index`, so that a level is one range of keys.
pub(crate) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS tile(place INTEGER PRIMARY KEY, root BLOB NOT NULL, hashes BLOB NOT NULL) STRICT;
";

const LEVEL: u64 = tree::MAX_LEAVES;

/// Levels of tiles below [`tree::MAX_LEAVES`].
const LEVELS: u8 = 6;

/// Tiles in one transaction of a rebuild.
const REBUILD_TILES: usize = 256;

fn place(id: TileId) -> i64 {
    (u64::from(id.level) * LEVEL + id.index) as i64 // level < 6 and index < 2^48 by construction
}

/// Full tiles of a level in a tree of `size` leaves.
fn full(size: u64, level: u8) -> u64 {
    size >> (8 * (u32::from(level) + 1))
}

fn hashes(bytes: &[u8]) -> Result<Vec<TreeHash>, ReadError> {
    let (whole, rest) = bytes.as_chunks::<32>();
    if rest.is_empty() && whole.len() == TILE_WIDTH {
        return Ok(whole.iter().map(|hash| TreeHash(*hash)).collect());
    }
    Err(ReadError::Row { table: "tile" })
}

/// Writes the tiles that a commit completed.
pub(crate) async fn write(connection: &mut SqliteConnection, tiles: &[Tile]) -> Result<(), sqlx::Error> {
    let statement = ["INSERT INTO tile", "(?,?,?)", ""];
    insert_many(connection, statement, tiles, |q, tile| {
        let bytes: Vec<u8> = tile.hashes.iter().flat_map(|hash| hash.0).collect();
        q.bind(place(tile.id)).bind(tile.root.to_vec()).bind(bytes)
    })
    .await
}

async fn present(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let found = "SELECT count(*) FROM sqlite_master WHERE name = 'tile'";
    Ok(crate::schema::scalar(connection, found).await? > 0)
}

/// The edge of the stored tree at `head`, rebuilding the tiles where no anchor vouches for them (`vouched`) or where they
/// are not those of this ledger's length.
pub(crate) async fn load_or_rebuild(
    connection: &mut SqliteConnection,
    reader: &Reader,
    head: &Head,
    vouched: bool,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Edge, ReadError> {
    if vouched && complete(connection, head.sequence).await? {
        return edge(connection, head.sequence).await;
    }
    tracing::info!(facts = head.sequence, "building the Merkle tree from the facts");
    rebuild(connection, reader, head.sequence, progress).await
}

/// Tiles are written with their commits, so the last full one of each level tells about all before it.
async fn complete(connection: &mut SqliteConnection, size: u64) -> Result<bool, ReadError> {
    for level in 0..LEVELS {
        let id = TileId {
            level,
            index: full(size, level),
        };
        // One beyond the last: the largest place up to it is the last full tile, or another level's.
        let last = sqlx::query("SELECT max(place) FROM tile WHERE place >= ? AND place < ?")
            .bind(place(TileId { level, index: 0 }))
            .bind(place(TileId {
                level: level + 1,
                index: 0,
            }))
            .fetch_one(&mut *connection)
            .await?
            .try_get::<Option<i64>, _>(0)?;
        if last != (id.index > 0).then(|| place(id) - 1) {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn rebuild(
    connection: &mut SqliteConnection,
    reader: &Reader,
    size: u64,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Edge, ReadError> {
    sqlx::raw_sql("DELETE FROM tile")
        .execute(&mut *connection)
        .await?;
    let mut edge = Edge::default();
    let mut at = Head::empty();
    let mut reading = reader.pool.acquire().await?;
    loop {
        let mut tiles = Vec::new();
        let flow = step::step(&mut reading, &mut at, step::STEP_BYTES, &mut |fact| {
            if fact.fact.sequence <= size {
                edge.push(tree::leaf(&fact.bytes), &mut |tile| tiles.push(tile));
            }
        })
        .await?;
        for tiles in tiles.chunks(REBUILD_TILES) {
            begin(&mut *connection).await?;
            let work = write(connection, tiles).await;
            finish(connection, work).await?;
        }
        progress(Progress {
            facts: at.sequence.min(size),
            of: size,
        });
        if flow.is_break() || at.sequence >= size {
            return Ok(edge);
        }
    }
}

/// The unfinished tile of each level of the tree of `size` leaves.
async fn edge(connection: &mut SqliteConnection, size: u64) -> Result<Edge, ReadError> {
    let mut levels = vec![leaves(connection, full(size, 0), size).await?];
    for level in 1..LEVELS {
        levels.push(roots(connection, level, full(size, level), size).await?);
    }
    Edge::restore(size, levels).ok_or(ReadError::Row { table: "tile" })
}

/// The leaves of tile `index` of level 0, as many as there are below `size`.
async fn leaves(
    connection: &mut SqliteConnection,
    index: u64,
    size: u64,
) -> Result<Vec<TreeHash>, ReadError> {
    let first = index * TILE_WIDTH as u64;
    let count = size.saturating_sub(first).min(TILE_WIDTH as u64) as usize;
    if count == 0 {
        return Ok(Vec::new());
    }
    let mut leaves = Vec::with_capacity(count);
    let mut at = reader::head_at(connection, first).await?;
    loop {
        let flow = step::step(connection, &mut at, step::PAGE_STEP_BYTES, &mut |fact| {
            if leaves.len() < count {
                leaves.push(tree::leaf(&fact.bytes));
            }
        })
        .await?;
        if leaves.len() >= count {
            return Ok(leaves);
        }
        if flow.is_break() {
            return Err(ReadError::BeyondEnd { sequence: size });
        }
    }
}

/// The hashes of tile `index` of a level above the leaves: the roots of the full tiles below it.
async fn roots(
    connection: &mut SqliteConnection,
    level: u8,
    index: u64,
    size: u64,
) -> Result<Vec<TreeHash>, ReadError> {
    let first = index * TILE_WIDTH as u64;
    let count = full(size, level - 1).saturating_sub(first).min(TILE_WIDTH as u64);
    let from = place(TileId {
        level: level - 1,
        index: first,
    });
    let rows = sqlx::query("SELECT root FROM tile WHERE place >= ? AND place < ? ORDER BY place")
        .bind(from)
        .bind(from + count as i64)
        .fetch_all(connection)
        .await?;
    if rows.len() as u64 != count {
        return Err(ReadError::Row { table: "tile" });
    }
    let root = |row: &sqlx::sqlite::SqliteRow| {
        let root = TreeHash::try_from(row.try_get::<&[u8], _>(0)?);
        root.map_err(|_| ReadError::Row { table: "tile" })
    };
    rows.iter().map(root).collect()
}

/// The tiles that are asked for, each as wide as a tree of `size` leaves has it at least.
async fn gather(
    connection: &mut SqliteConnection,
    wanted: BTreeSet<TileId>,
    size: u64,
) -> Result<Tiles, ReadError> {
    let mut tiles = Tiles::default();
    for id in wanted {
        let hashes = match (id.index < full(size, id.level), id.level) {
            (true, _) => {
                let row = sqlx::query("SELECT hashes FROM tile WHERE place = ?")
                    .bind(place(id))
                    .fetch_optional(&mut *connection)
                    .await?;
                hashes(row.ok_or(ReadError::NoTree)?.try_get(0)?)?
            }
            (false, 0) => leaves(connection, id.index, size).await?,
            (false, level) => roots(connection, level, id.index, size).await?,
        };
        tiles.0.insert(id, hashes);
    }
    Ok(tiles)
}

/// Root of the stored tree over the first `size` facts.
pub(crate) async fn root(connection: &mut SqliteConnection, size: u64) -> Result<TreeHash, ReadError> {
    let tiles = gather(connection, tree::tiles_for_root(size), size).await?;
    Ok(tree::root_at(size, &tiles)?)
}

impl Reader {
    /// Root of the Merkle tree over the first `size` facts.
    ///
    /// # Errors
    /// [`ReadError::BeyondEnd`], or [`ReadError::NoTree`] for a ledger that was last written before it had a tree.
    pub async fn root_at(&self, size: u64) -> Result<TreeHash, ReadError> {
        let tiles = self.tiles_of(size, tree::tiles_for_root(size)).await?;
        Ok(tree::root_at(size, &tiles)?)
    }

    /// Proof that fact `sequence` is in the tree over the first `size` facts (RFC 6962, section 2.1.1).
    ///
    /// # Errors
    /// As [`Reader::root_at`]; [`ReadError::Proof`] when the fact is not among them.
    pub async fn prove_fact(&self, sequence: u64, size: u64) -> Result<Proof, ReadError> {
        let index = sequence.wrapping_sub(1);
        let tiles = self
            .tiles_of(size, tree::tiles_for_inclusion(index, size))
            .await?;
        Ok(tree::prove_inclusion(index, size, &tiles)?)
    }

    /// Proof that the tree over the first `size` facts begins with the tree over the first `old` (section 2.1.2).
    ///
    /// # Errors
    /// As [`Reader::root_at`]; [`ReadError::Proof`] when `old` is 0 or beyond `size`.
    pub async fn prove_growth(&self, old: u64, size: u64) -> Result<Proof, ReadError> {
        let tiles = self
            .tiles_of(size, tree::tiles_for_consistency(old, size))
            .await?;
        Ok(tree::prove_consistency(old, size, &tiles)?)
    }

    async fn tiles_of(&self, size: u64, wanted: BTreeSet<TileId>) -> Result<Tiles, ReadError> {
        let mut connection = self.pool.acquire().await?;
        if reader::end(&mut connection).await? < size {
            return Err(ReadError::BeyondEnd { sequence: size });
        }
        if !present(&mut connection).await? {
            return Err(ReadError::NoTree);
        }
        gather(&mut connection, wanted, size).await
    }
}

/// Recomputes the tree along a verification and compares every stored tile with it. A file that was last written
/// before ledgers had trees has none to compare.
pub(crate) struct Check {
    present: bool,
    edge: Edge,
    due: Vec<Tile>,
}

impl Check {
    pub(crate) async fn begin(moment: &mut SqliteConnection) -> Result<Check, ReadError> {
        Ok(Check {
            present: present(moment).await?,
            edge: Edge::default(),
            due: Vec::new(),
        })
    }

    pub(crate) fn take(&mut self, bytes: &[u8]) {
        if !self.present {
            return;
        }
        self.edge.push(tree::leaf(bytes), &mut |tile| self.due.push(tile));
    }

    /// Compares the tiles that were completed since the last call.
    pub(crate) async fn against_table(&mut self, moment: &mut SqliteConnection) -> Result<(), ReadError> {
        let before = "SELECT place, root, hashes FROM tile WHERE place";
        let mut stored = HashMap::with_capacity(self.due.len());
        for row in select_in(moment, before, &self.due, |q, tile| q.bind(place(tile.id))).await? {
            stored.insert(row.try_get::<i64, _>(0)?, row);
        }
        for tile in self.due.drain(..) {
            let same = match stored.get(&place(tile.id)) {
                Some(row) => {
                    row.try_get::<&[u8], _>(1)? == tile.root.0 && hashes(row.try_get(2)?)? == tile.hashes
                }
                None => false,
            };
            if !same {
                let TileId { level, index } = tile.id;
                let why =
                    format!("tile {index} of level {level} of the Merkle tree is not that of the facts");
                return Err(Broken { sequence: 0, why }.into());
            }
        }
        Ok(())
    }

    /// At the end of the facts: no tile is stored that they do not give.
    pub(crate) async fn finish(self, moment: &mut SqliteConnection) -> Result<(), ReadError> {
        if !self.present || complete(moment, self.edge.size()).await? {
            return Ok(());
        }
        let why = "the Merkle tree holds tiles that the facts do not give".to_owned();
        Err(Broken { sequence: 0, why }.into())
    }
}
