//! Inclusion and consistency proofs (RFC 6962, sections 2.1.1 and 2.1.2), made from tiles and checked without them.
use std::{cell::RefCell, collections::BTreeSet};

use tlog_tiles::{Error, Hash, HashReader};

use super::{
    EMPTY_ROOT, MAX_LEAVES,
    tile::{TileId, Tiles, place},
};
use crate::words::TreeHash;

/// Hashes from the leaf towards the root; at most 48 of them in a tree of [`MAX_LEAVES`].
pub type Proof = Vec<TreeHash>;

/// Why a proof can't be made, or proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The leaf or the smaller tree does not lie in the larger one.
    #[error("leaf or tree {inner} does not lie in a tree of {size} leaves")]
    OutOfTree {
        /// The leaf's index, or the smaller tree's size.
        inner: u64,
        /// Leaves of the tree.
        size: u64,
    },
    /// A tile that the proof needs was not given, or is too narrow.
    #[error("a tile of the tree is missing")]
    MissingTile,
    /// The hashes do not lead to the root.
    #[error("the proof does not lead to the root")]
    Invalid,
}

/// Writes down which hashes are asked for, and answers with zeros.
#[derive(Default)]
struct Wanted(RefCell<BTreeSet<TileId>>);

impl HashReader for Wanted {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Error> {
        self.0
            .borrow_mut()
            .extend(indexes.iter().map(|index| place(*index).0));
        Ok(vec![Hash([0; 32]); indexes.len()])
    }
}

fn hashes(proof: Vec<Hash>) -> Proof {
    proof.into_iter().map(|hash| TreeHash(hash.0)).collect()
}

fn foreign(proof: &[TreeHash]) -> Vec<Hash> {
    proof.iter().map(|hash| Hash(hash.0)).collect()
}

fn made(result: Result<Vec<Hash>, Error>) -> Result<Proof, ProofError> {
    result.map(hashes).map_err(|_| ProofError::MissingTile)
}

fn leaf_in(index: u64, size: u64) -> Result<(), ProofError> {
    let inside = index < size && size <= MAX_LEAVES;
    inside
        .then_some(())
        .ok_or(ProofError::OutOfTree { inner: index, size })
}

fn tree_in(old: u64, size: u64) -> Result<(), ProofError> {
    let inside = (1..=size).contains(&old) && size <= MAX_LEAVES;
    inside
        .then_some(())
        .ok_or(ProofError::OutOfTree { inner: old, size })
}

fn wanted(ask: impl FnOnce(&Wanted)) -> BTreeSet<TileId> {
    let wanted = Wanted::default();
    ask(&wanted);
    wanted.0.into_inner()
}

/// The tiles from which [`root_at`] computes the root of the first `size` leaves.
pub fn tiles_for_root(size: u64) -> BTreeSet<TileId> {
    wanted(|reader| drop(tlog_tiles::tree_hash(size.min(MAX_LEAVES), reader)))
}

/// Root of the first `size` leaves.
///
/// # Errors
/// [`ProofError::MissingTile`].
pub fn root_at(size: u64, tiles: &Tiles) -> Result<TreeHash, ProofError> {
    if size == 0 {
        return Ok(EMPTY_ROOT);
    }
    tree_in(size, size)?;
    let root = tlog_tiles::tree_hash(size, tiles).map_err(|_| ProofError::MissingTile)?;
    Ok(TreeHash(root.0))
}

/// The tiles that [`prove_inclusion`] needs.
pub fn tiles_for_inclusion(index: u64, size: u64) -> BTreeSet<TileId> {
    wanted(|reader| {
        if leaf_in(index, size).is_ok() {
            drop(tlog_tiles::prove_record(size, index, reader));
        }
    })
}

/// Proves that leaf `index` lies in the tree of `size` leaves.
///
/// # Errors
/// [`ProofError`].
pub fn prove_inclusion(index: u64, size: u64, tiles: &Tiles) -> Result<Proof, ProofError> {
    leaf_in(index, size)?;
    made(tlog_tiles::prove_record(size, index, tiles))
}

/// Checks that a tree of `size` leaves with this root has `leaf` at `index`.
///
/// # Errors
/// [`ProofError`]; any input, at a cost bounded by the proof's length.
pub fn check_inclusion(
    leaf: &TreeHash,
    index: u64,
    size: u64,
    proof: &[TreeHash],
    root: &TreeHash,
) -> Result<(), ProofError> {
    leaf_in(index, size)?;
    tlog_tiles::check_record(&foreign(proof), size, Hash(root.0), index, Hash(leaf.0))
        .map_err(|_| ProofError::Invalid)
}

/// The tiles that [`prove_consistency`] needs.
pub fn tiles_for_consistency(old: u64, size: u64) -> BTreeSet<TileId> {
    wanted(|reader| {
        if tree_in(old, size).is_ok() {
            drop(tlog_tiles::prove_tree(size, old, reader));
        }
    })
}

/// Proves that the first `old` leaves of the tree of `size` leaves are the tree that was there when it had `old`.
///
/// # Errors
/// [`ProofError`]; a tree without leaves has no proof, everything is consistent with it.
pub fn prove_consistency(old: u64, size: u64, tiles: &Tiles) -> Result<Proof, ProofError> {
    tree_in(old, size)?;
    made(tlog_tiles::prove_tree(size, old, tiles))
}

/// Checks that the tree of `size` leaves only added leaves to the tree of `old` leaves.
///
/// # Errors
/// [`ProofError`]; any input, at a cost bounded by the proof's length.
pub fn check_consistency(
    old: u64,
    old_root: &TreeHash,
    size: u64,
    root: &TreeHash,
    proof: &[TreeHash],
) -> Result<(), ProofError> {
    tree_in(old, size)?;
    tlog_tiles::check_tree(&foreign(proof), size, Hash(root.0), old, Hash(old_root.0))
        .map_err(|_| ProofError::Invalid)
}
