//! What others hold of a ledger: signed heads and proofs.
use autopilot_events::{
    head::SignedHead,
    tree::{check_consistency, check_inclusion},
    words::TreeHash,
};

const KEY: &str = "autopilot.ledger/00112233445566778899aabbccddeeff+\
                   5f7a4a1c+AWgYUbpGR0t2OIzkOPVlWUBCaNFVxcZ9d3bTeWPwvGfK";

/// A signed note, and the text inside one as if its signature held.
pub fn signed_head(bytes: &[u8]) {
    let _ = SignedHead::open(bytes, KEY);
    let _ = SignedHead::read(bytes);
    if let Ok(key) = std::str::from_utf8(bytes) {
        let _ = SignedHead::open(b"", key);
    }
}

/// Index, size, leaf, root and a proof, all made up: nothing may hold but by luck, and nothing may panic.
pub fn proof(bytes: &[u8]) {
    let mut numbers = bytes
        .chunks_exact(8)
        .map(|chunk| chunk.try_into().map_or(0, u64::from_le_bytes));
    let (index, size) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let hashes: Vec<TreeHash> = bytes
        .get(16..)
        .unwrap_or_default()
        .chunks_exact(32)
        .filter_map(|chunk| chunk.try_into().ok())
        .collect();
    let [leaf, root, proof @ ..] = hashes.as_slice() else {
        return;
    };
    let _ = check_inclusion(leaf, index, size, proof, root);
    let _ = check_consistency(index, leaf, size, root, proof);
}
