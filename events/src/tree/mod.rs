//! The Merkle tree over the facts: hashes as in RFC 6962, section 2.1, kept as C2SP `tlog-tiles` of height 8.
//!
//! A leaf is the stored bytes of a fact; fact number `n` is leaf `n − 1`. The tree stands beside the blake3 chain and
//! nothing mixes the two: proofs come from the tree alone.
mod edge;
mod proof;
mod tile;

pub use edge::Edge;
pub use proof::{
    Proof, ProofError, check_consistency, check_inclusion, prove_consistency, prove_inclusion, root_at,
    tiles_for_consistency, tiles_for_inclusion, tiles_for_root,
};
pub use tile::{TILE_WIDTH, Tile, TileId, Tiles};

use crate::words::TreeHash;

/// Leaves of the largest tree that proofs are made and checked for: far beyond any ledger, far below where the
/// arithmetic of storage indexes could overflow.
pub const MAX_LEAVES: u64 = 1 << 48;

/// Root of the tree without leaves: the SHA-256 of nothing.
pub const EMPTY_ROOT: TreeHash = TreeHash(tlog_tiles::EMPTY_HASH.0);

/// The hash of a leaf: `SHA-256(0x00 ‖ bytes of the fact)`.
pub fn leaf(fact: &[u8]) -> TreeHash {
    TreeHash(tlog_tiles::record_hash(fact).0)
}

/// The hash of an inner node: `SHA-256(0x01 ‖ left ‖ right)`.
pub fn node(left: &TreeHash, right: &TreeHash) -> TreeHash {
    TreeHash(tlog_tiles::node_hash(tlog_tiles::Hash(left.0), tlog_tiles::Hash(right.0)).0)
}
