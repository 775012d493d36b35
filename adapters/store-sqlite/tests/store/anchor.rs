//! What an opening reads, what it takes from an anchor, and that what it did not read is found out later.
use autopilot_events::{Head, Recorded, words::Digest};
use autopilot_store_sqlite::{Broken, Commit, OpenError, ReadError, Reader, Snapshot, Store};

use super::support::{Pen, World};

/// Facts that every opening reads at the end.
const ALWAYS_READ: u64 = 1_024;

fn snapshot(at: &Recorded) -> Snapshot {
    Snapshot {
        projection: "state".into(),
        version: 1,
        head: at.head(),
        digest: Digest([5; 32]),
        bytes: at.fact.sequence.to_le_bytes().to_vec(),
    }
}

/// A closed ledger of 3,000 facts in blocks of 100, with snapshots, and so anchors, at facts 1,500 and 2,500.
async fn anchored(world: &World) -> Vec<Recorded> {
    let facts = world.ledger(30, 100).await;
    let (mut store, _) = world.open().await;
    for sequence in [1_500, 2_500] {
        store.put_snapshot(&snapshot(&facts[sequence - 1])).await.unwrap();
    }
    // The opening itself set one at the end; these tests are about those of snapshots.
    store.close().await;
    world.cut("DELETE FROM anchor WHERE sequence = 3000").await;
    let (mut store, _) = world.open().await;
    store.put_snapshot(&snapshot(&facts[1_499])).await.unwrap();
    store.put_snapshot(&snapshot(&facts[2_499])).await.unwrap();
    store.close().await;
    facts
}

async fn recheck(reader: &Reader, until: &Head) -> (u64, Result<(), ReadError>) {
    let mut facts = 0;
    let mut recheck = reader.recheck(*until).await.unwrap();
    loop {
        match recheck.step(|_| facts += 1).await {
            Ok(Some(_)) => {}
            Ok(None) => return (facts, Ok(())),
            Err(error) => return (facts, Err(error)),
        }
    }
}

#[tokio::test]
async fn an_opening_reads_from_the_newest_anchor_and_always_the_end() {
    let world = World::new();
    let facts = anchored(&world).await;
    let (mut store, opened) = world.open().await;
    assert_eq!(opened.head, facts.last().unwrap().head());
    assert!(opened.dropped_anchors.is_empty(), "{opened:?}");
    assert_eq!(
        opened.read_from, 1_901,
        "the block that holds fact 3,000 - {ALWAYS_READ} begins there, before the anchor at 2,500"
    );
    // A long tail behind the anchor is read whole.
    let mut pen = Pen::at(store.head());
    for _ in 0..20 {
        let commit: Vec<_> = (0..100).map(|_| pen.write_alone()).collect();
        let commit = Commit {
            facts: &commit,
            ..Commit::default()
        };
        store.append(commit).await.unwrap();
    }
    store.close().await;
    let (store, opened) = world.open().await;
    assert_eq!((opened.read_from, opened.head), (2_501, pen.head));
    assert!(store.reader().verify(&mut |_| {}).await.unwrap().ok());
    assert_eq!(recheck(&store.reader(), &pen.head).await.0, 5_000);
    store.close().await;
}

#[tokio::test]
async fn the_first_opening_of_a_ledger_without_anchors_reads_everything_and_sets_one() {
    let world = World::new();
    world.ledger(30, 100).await;
    world.cut("DROP TABLE anchor").await;
    for read_from in [1, 1_901] {
        let (store, opened) = world.open().await;
        assert_eq!(opened.read_from, read_from);
        store.close().await;
    }
}

#[tokio::test]
async fn whatever_an_anchor_binds_is_held_against_the_ledger() {
    for (cut, why) in [
        (
            "UPDATE anchor SET root = zeroblob(32)",
            "its seal is not that of its content",
        ),
        (
            "UPDATE anchor SET catalogue = zeroblob(32)",
            "its seal is not that of its content",
        ),
        ("UPDATE anchor SET chain = x'00'", "it is malformed"),
        (
            "UPDATE anchor SET sequence = sequence + 1",
            "its seal is not that of its content",
        ),
        (
            "UPDATE snapshot SET digest = zeroblob(32)",
            "the snapshots on it are other ones",
        ),
        ("DELETE FROM snapshot", "the snapshots on it are other ones"),
        (
            "DELETE FROM tile WHERE place = 8",
            "the stored Merkle tree does not reach it",
        ),
        (
            "UPDATE tile SET root = zeroblob(32)",
            "the stored Merkle tree has another root there",
        ),
        (
            "DELETE FROM block WHERE first_sequence > 1400",
            "the ledger ends before it",
        ),
    ] {
        let world = World::new();
        anchored(&world).await;
        world.cut(cut).await;
        match Store::open(&world.path(), &mut |_| {}).await {
            Ok((store, opened)) => {
                let why_not: Vec<_> = opened.dropped_anchors.iter().map(|anchor| anchor.why).collect();
                assert!(why_not.contains(&why), "{cut}: {why_not:?}");
                store.close().await;
            }
            Err(error) => panic!("{cut}: {error}"),
        }
    }
}

#[tokio::test]
async fn one_damaged_anchor_costs_a_longer_reading_and_no_more() {
    let world = World::new();
    anchored(&world).await;
    world
        .cut("UPDATE anchor SET root = zeroblob(32) WHERE sequence = 2500")
        .await;
    let (store, opened) = world.open().await;
    assert_eq!(opened.dropped_anchors.len(), 1);
    assert_eq!(
        (opened.dropped_anchors[0].sequence, opened.read_from),
        (2_500, 1_501)
    );
    store.close().await;
}

#[tokio::test]
async fn damage_at_the_end_is_met_by_the_opening_and_damage_before_it_by_the_recheck() {
    let end = "UPDATE block SET bytes = zeroblob(length(bytes)) WHERE first_sequence = 2901";
    let world = World::new();
    anchored(&world).await;
    world.cut(end).await;
    match Store::open(&world.path(), &mut |_| {}).await {
        Err(OpenError::ChainBroken(Broken { sequence: 2_901, .. })) => {}
        other => panic!("{other:?}"),
    }
    for (middle, sequence) in [
        (
            "UPDATE block SET bytes = zeroblob(length(bytes)) WHERE first_sequence = 401",
            401,
        ),
        ("DELETE FROM block WHERE first_sequence = 401", 401),
        ("DELETE FROM idempotency WHERE key = 'key/700'", 700),
        ("UPDATE idempotency SET sequence = 1 WHERE key = 'key/700'", 700),
        ("UPDATE tile SET hashes = zeroblob(8192) WHERE place = 2", 0),
    ] {
        let world = World::new();
        anchored(&world).await;
        world.cut(middle).await;
        let (store, opened) = world.open().await;
        assert_eq!(opened.read_from, 1_901, "{middle}");
        match recheck(&store.reader(), &opened.head).await.1 {
            Err(ReadError::Broken(broken)) => assert_eq!(broken.sequence, sequence, "{middle}: {broken}"),
            other => panic!("{middle}: {other:?}"),
        }
        store.close().await;
    }
}
