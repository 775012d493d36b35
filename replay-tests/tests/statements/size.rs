//! How large the receipt of one payment is, at ten million facts.
use std::collections::BTreeMap;

use autopilot_events::{
    head::SignedHead,
    tree::{Edge, TileId, Tiles, check_inclusion, leaf, prove_inclusion, tiles_for_inclusion},
    words::TreeHash,
};
use autopilot_statement::Bytes;

use autopilot_replay_tests::shop::{PRICE_MSAT, Sale, Shop, head_event};

use crate::sound::checked;

const FACTS: u64 = 10_000_000;
const LIMIT_BYTES: usize = 1_536;

/// Only the tiles that the proof of one leaf needs are kept, of a tree that really has so many leaves.
fn grow(place: u64, settlement: TreeHash) -> (Edge, Tiles) {
    let wanted = tiles_for_inclusion(place, FACTS);
    let mut kept: BTreeMap<TileId, Vec<TreeHash>> = BTreeMap::new();
    let mut edge = Edge::default();
    for index in 0..FACTS {
        let mut other = [0x5a; 32];
        other[..8].copy_from_slice(&index.to_le_bytes());
        let hash = if index == place {
            settlement
        } else {
            TreeHash(other)
        };
        edge.push(hash, &mut |tile| {
            if wanted.contains(&tile.id) {
                kept.insert(tile.id, tile.hashes);
            }
        });
    }
    kept.extend(edge.tiles().0);
    (edge, Tiles(kept))
}

/// Bytes of a part as it stands in the file.
fn json(part: &impl serde::Serialize) -> usize {
    serde_json::to_string(part).unwrap().len()
}

#[test]
fn the_receipt_of_one_payment_is_small_at_ten_million_facts() {
    let mut shop = Shop::open();
    // The settlement is number 4,999,999 of ten million, and has numbers in it that are as long as they get there.
    shop.begin_at(4_999_994);
    shop.sell(Sale {
        receipt: true,
        ..Sale::default()
    });
    let (sequence, mut settlement) = shop.settled[0].clone();
    let (edge, tiles) = grow(sequence - 1, leaf(&settlement.fact.0));
    let proof = prove_inclusion(sequence - 1, FACTS, &tiles).unwrap();
    assert_eq!(proof.len(), 24);
    check_inclusion(
        &leaf(&settlement.fact.0),
        sequence - 1,
        FACTS,
        &proof,
        &edge.root(),
    )
    .unwrap();
    settlement.proof = Bytes(proof.iter().flat_map(|hash| hash.0).collect());
    let folds = (0..16).map(|n| {
        (
            format!("projection{n}/1"),
            autopilot_events::words::Digest([n; 32]),
        )
    });
    let head = SignedHead {
        origin: autopilot_events::head::origin(&autopilot_replay_tests::shop::LEDGER_ID),
        size: FACTS,
        root: edge.root(),
        chain: autopilot_events::words::ChainHash([1; 32]),
        folds: folds.collect(),
    };
    let note = shop.signer.sign(&head).unwrap();
    let mut header = shop.header();
    header.head = head_event(&shop.seller, &note, shop.signer.verifier_key());
    let file = shop.file(&header, std::slice::from_ref(&settlement), 1, PRICE_MSAT);
    checked(&file, &[]).unwrap();

    let last = file.split_inclusive(|byte| *byte == b'\n').next_back().unwrap();
    let seal: serde_json::Value = serde_json::from_slice(last).unwrap();
    let events =
        json(&header.head) + json(&settlement.result) + json(&settlement.receipt) + json(&seal["seal"]);
    let facts = json(&settlement.fact) + json(&settlement.evidence);
    let beyond = file.len() - events - facts;
    println!(
        "whole {} bytes: events {events}, facts {facts}, beyond them {beyond}",
        file.len()
    );
    assert!(
        beyond <= LIMIT_BYTES,
        "{beyond} bytes beyond the events that it carries"
    );
}
