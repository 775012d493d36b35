//! The right edge of a growing tree: what is not in full tiles yet.
use super::{
    EMPTY_ROOT, node,
    tile::{TILE_WIDTH, Tile, TileId, Tiles},
};
use crate::words::TreeHash;

/// The unfinished tile of each level, leaves first. At most 255 hashes a level, and eight levels are 2^64 leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    levels: Vec<Vec<TreeHash>>,
}

impl Edge {
    /// The edge of a tree of `size` leaves, from its unfinished tiles; `None` when their widths do not fit that size.
    pub fn restore(size: u64, levels: Vec<Vec<TreeHash>>) -> Option<Edge> {
        let fits = levels.len() <= 8
            && (0..8).all(|level| {
                let width = (size >> (8 * level)) as usize % TILE_WIDTH;
                levels.get(level).map_or(0, Vec::len) == width
            });
        fits.then_some(Edge { size, levels })
    }

    /// Leaves of the tree.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf and hands over the tiles that it completes, lowest level first.
    pub fn push(&mut self, leaf: TreeHash, completed: &mut impl FnMut(Tile)) {
        self.size += 1;
        let mut carried = leaf;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::with_capacity(TILE_WIDTH));
            }
            let row = &mut self.levels[level];
            row.push(carried);
            if row.len() < TILE_WIDTH {
                return;
            }
            let tile = Tile {
                id: TileId {
                    level: level as u8,
                    index: (self.size >> (8 * (level + 1))) - 1,
                },
                root: super::tile::subtree_root(row),
                hashes: std::mem::replace(row, Vec::with_capacity(TILE_WIDTH)),
            };
            carried = tile.root;
            completed(tile);
        }
    }

    /// Root of the tree (RFC 6962, section 2.1).
    pub fn root(&self) -> TreeHash {
        // From the smallest complete subtree, at the right, to the largest.
        let mut root = None::<TreeHash>;
        for row in &self.levels {
            let mut rest = row.as_slice();
            while !rest.is_empty() {
                let width = 1 << rest.len().trailing_zeros();
                let (before, last) = rest.split_at(rest.len() - width);
                let subtree = super::tile::subtree_root(last);
                root = Some(match root {
                    None => subtree,
                    Some(right) => node(&subtree, &right),
                });
                rest = before;
            }
        }
        root.unwrap_or(EMPTY_ROOT)
    }

    /// The unfinished tiles, by place.
    pub fn tiles(&self) -> Tiles {
        let tile = |(level, row): (usize, &Vec<TreeHash>)| {
            let id = TileId {
                level: level as u8,
                index: self.size >> (8 * (level + 1)),
            };
            (!row.is_empty()).then(|| (id, row.clone()))
        };
        Tiles(self.levels.iter().enumerate().filter_map(tile).collect())
    }
}
