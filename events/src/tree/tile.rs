//! Tiles: runs of 256 nodes of one level, as `c2sp.org/tlog-tiles` cuts a tree.
use std::collections::BTreeMap;

use tlog_tiles::{Error, Hash, HashReader, Tile as Coordinates, split_stored_hash_index};

use super::node;
use crate::words::TreeHash;

/// Levels of the tree that one tile spans.
pub(super) const TILE_HEIGHT: u8 = 8;

/// Hashes in a full tile.
pub const TILE_WIDTH: usize = 1 << TILE_HEIGHT;

/// Where a tile lies: `level` 0 holds leaves, level 1 the roots of full tiles of level 0, and so on; `index` counts
/// the tiles of a level from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// Tiles between it and the leaves.
    pub level: u8,
    /// Its place among the tiles of its level.
    pub index: u64,
}

impl TileId {
    /// Its path below a log's address, as `tlog-tiles` spells it; `width` hashes, at most [`TILE_WIDTH`] and at least 1.
    pub fn path(&self, width: usize) -> String {
        let width = u32::try_from(width.clamp(1, TILE_WIDTH)).unwrap_or(1);
        let path = Coordinates::new(TILE_HEIGHT, self.level.min(63), self.index, width, false).path();
        // `tlog-tiles` fixes the height at 8 and leaves it out of the path.
        path.replacen("tile/8/", "tile/", 1)
    }
}

/// A full tile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile {
    /// Where it lies.
    pub id: TileId,
    /// Its [`TILE_WIDTH`] hashes, from left to right.
    pub hashes: Vec<TreeHash>,
    /// Root of the subtree over its hashes, which is one hash of the tile above.
    pub root: TreeHash,
}

/// Root over a run of hashes whose length is a power of two, at most [`TILE_WIDTH`]; of none, of one hash itself.
pub(super) fn subtree_root(hashes: &[TreeHash]) -> TreeHash {
    let mut row = [TreeHash::default(); TILE_WIDTH / 2];
    let (pairs, rest) = hashes.as_chunks::<2>();
    for (place, [left, right]) in row.iter_mut().zip(pairs) {
        *place = node(left, right);
    }
    let mut width = pairs.len().min(row.len());
    while width > 1 {
        width /= 2;
        for place in 0..width {
            row[place] = node(&row[2 * place], &row[2 * place + 1]);
        }
    }
    match (width, rest.first()) {
        (0, None) => super::EMPTY_ROOT,
        (0, Some(alone)) => *alone,
        _ => row[0],
    }
}

/// Tiles by place, full or only their left part, from which roots and proofs are computed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tiles(pub BTreeMap<TileId, Vec<TreeHash>>);

/// The tile that holds the node at a storage index, and which of its hashes lie below the node.
pub(super) fn place(index: u64) -> (TileId, std::ops::Range<usize>) {
    let (level, number) = split_stored_hash_index(index);
    let within = level % TILE_HEIGHT;
    let first = number << within; // the node's first hash, counted over all tiles of this level
    let id = TileId {
        level: level / TILE_HEIGHT,
        index: first >> TILE_HEIGHT,
    };
    let start = (first & (TILE_WIDTH as u64 - 1)) as usize;
    (id, start..start + (1 << within))
}

impl HashReader for Tiles {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Error> {
        let read = |index: &u64| {
            let (id, range) = place(*index);
            let below = self.0.get(&id).and_then(|hashes| hashes.get(range));
            below
                .map(|below| Hash(subtree_root(below).0))
                .ok_or(Error::IndexesNotInTree)
        };
        indexes.iter().map(read).collect()
    }
}
