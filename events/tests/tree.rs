//! The tree against RFC 6962's own definition, written down recursively here, and against the known vectors of
//! Certificate Transparency.
#![allow(clippy::unwrap_used, clippy::expect_used)] // In tests a panic is the verdict.
use autopilot_events::{
    tree::{self, Edge, ProofError, TILE_WIDTH, Tile, TileId, Tiles},
    words::TreeHash,
};
use proptest::prelude::*;

/// MTH of RFC 6962, section 2.1, word for word.
fn definition(leaves: &[TreeHash]) -> TreeHash {
    match leaves {
        [] => tree::EMPTY_ROOT,
        [leaf] => *leaf,
        _ => {
            let k = leaves.len().next_power_of_two() / 2;
            tree::node(&definition(&leaves[..k]), &definition(&leaves[k..]))
        }
    }
}

fn leaves(count: usize) -> Vec<TreeHash> {
    (0..count as u64).map(|n| tree::leaf(&n.to_le_bytes())).collect()
}

/// A tree grown leaf by leaf: its edge, and all its tiles, unfinished ones included.
fn grown(leaves: &[TreeHash]) -> (Edge, Tiles) {
    let (mut edge, mut tiles) = (Edge::default(), Tiles::default());
    for leaf in leaves {
        edge.push(*leaf, &mut |tile: Tile| {
            tiles.0.insert(tile.id, tile.hashes);
        });
    }
    tiles.0.extend(edge.tiles().0);
    (edge, tiles)
}

fn only(tiles: &Tiles, wanted: std::collections::BTreeSet<TileId>) -> Tiles {
    Tiles(
        wanted
            .iter()
            .filter_map(|id| Some((*id, tiles.0.get(id)?.clone())))
            .collect(),
    )
}

#[test]
fn the_roots_are_those_of_certificate_transparency() {
    let data: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut edge = Edge::default();
    for (data, root) in data.into_iter().zip(roots) {
        edge.push(tree::leaf(data), &mut |_| {});
        assert_eq!(edge.root().to_string(), root, "size {}", edge.size());
    }
}

#[test]
fn the_edge_gives_the_defined_root_at_every_size() {
    let leaves = leaves(3 * TILE_WIDTH + 5);
    let mut edge = Edge::default();
    assert_eq!(edge.root(), tree::EMPTY_ROOT);
    for (place, leaf) in leaves.iter().enumerate() {
        edge.push(*leaf, &mut |_| {});
        assert_eq!(edge.root(), definition(&leaves[..=place]));
    }
}

#[test]
fn tiles_of_three_levels_hold_every_root_and_proof() {
    let size = TILE_WIDTH * TILE_WIDTH + 2 * TILE_WIDTH + 3;
    let leaves = leaves(size);
    let (edge, tiles) = grown(&leaves);
    assert_eq!(tiles.0.keys().map(|id| id.level).max(), Some(2));
    assert_eq!(edge.root(), definition(&leaves));
    let levels = (0..3).map(|level| {
        let ids = edge.tiles().0.into_iter();
        ids.filter(|(id, _)| id.level == level)
            .flat_map(|(_, hashes)| hashes)
            .collect()
    });
    assert_eq!(Edge::restore(size as u64, levels.collect()), Some(edge.clone()));
    assert_eq!(Edge::restore(size as u64 + 1, Vec::new()), None);
    for old in [1, 255, 256, 257, 65_535, 65_536, 65_537, size - 1, size] {
        let root = definition(&leaves[..old]);
        let given = only(&tiles, tree::tiles_for_root(old as u64));
        assert_eq!(tree::root_at(old as u64, &given), Ok(root), "the root at {old}");
        let given = only(&tiles, tree::tiles_for_consistency(old as u64, size as u64));
        let proof = tree::prove_consistency(old as u64, size as u64, &given).expect("a proof");
        let sound =
            |size, old_root| tree::check_consistency(old as u64, old_root, size, &edge.root(), &proof);
        assert_eq!(sound(size as u64, &root), Ok(()));
        assert!(sound(size as u64, &definition(&leaves[1..=1])).is_err());
        let index = old as u64 - 1;
        let given = only(&tiles, tree::tiles_for_inclusion(index, size as u64));
        let proof = tree::prove_inclusion(index, size as u64, &given).expect("a proof");
        assert!(proof.len() <= 17, "a path in a tree of 2^17 leaves");
        let leaf = leaves[index as usize];
        assert_eq!(
            tree::check_inclusion(&leaf, index, size as u64, &proof, &edge.root()),
            Ok(())
        );
    }
}

#[test]
fn what_lies_outside_of_the_tree_or_is_missing_is_said() {
    let (edge, tiles) = grown(&leaves(300));
    let outside = |inner| Err(ProofError::OutOfTree { inner, size: 300 });
    assert_eq!(tree::prove_inclusion(300, 300, &tiles), outside(300));
    assert_eq!(tree::prove_consistency(0, 300, &tiles), outside(0));
    assert_eq!(tree::prove_consistency(301, 300, &tiles), outside(301));
    assert_eq!(
        tree::prove_inclusion(7, 300, &Tiles::default()),
        Err(ProofError::MissingTile)
    );
    assert_eq!(tree::root_at(301, &tiles), Err(ProofError::MissingTile));
    let absurd = tree::check_inclusion(&tree::leaf(b""), 0, u64::MAX, &[], &edge.root());
    assert_eq!(
        absurd,
        Err(ProofError::OutOfTree {
            inner: 0,
            size: u64::MAX
        })
    );
    assert!(tree::tiles_for_inclusion(5, u64::MAX).is_empty());
}

#[test]
fn tiles_have_the_paths_of_the_specification() {
    let path = |level, index, width| TileId { level, index }.path(width);
    assert_eq!(path(0, 0, 256), "tile/0/000");
    assert_eq!(path(1, 1_234_067, 256), "tile/1/x001/x234/067");
    assert_eq!(path(0, 5, 17), "tile/0/005.p/17");
}

proptest! {
    #[test]
    fn a_proof_holds_for_its_own_leaf_place_and_root_only(
        size in 2_usize..700,
        at in any::<prop::sample::Index>(),
        flip in any::<prop::sample::Index>(),
    ) {
        let leaves = leaves(size);
        let (edge, tiles) = grown(&leaves);
        let (index, size) = (at.index(size), size as u64);
        let proof = tree::prove_inclusion(index as u64, size, &tiles).expect("a proof");
        let check = |leaf: &TreeHash, index: usize, proof: &[TreeHash]| {
            tree::check_inclusion(leaf, index as u64, size, proof, &edge.root())
        };
        prop_assert_eq!(check(&leaves[index], index, &proof), Ok(()));
        let other = (index + 1) % leaves.len();
        prop_assert!(check(&leaves[other], index, &proof).is_err());
        prop_assert!(check(&leaves[index], other, &proof).is_err());
        prop_assert!(check(&leaves[index], index, &proof[1..]).is_err());
        let mut longer = proof.clone();
        longer.push(proof[0]);
        prop_assert!(check(&leaves[index], index, &longer).is_err());
        let mut bent = proof;
        let bit = flip.index(bent.len() * 256);
        bent[bit / 256].0[bit % 256 / 8] ^= 1 << (bit % 8);
        prop_assert!(check(&leaves[index], index, &bent).is_err());
    }
}
