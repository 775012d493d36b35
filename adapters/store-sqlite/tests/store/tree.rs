//! The tree beside the facts: the same whatever the commits were, proven from tiles, rebuilt when it is gone.
use autopilot_events::{
    Recorded,
    tree::{self, Edge},
    words::TreeHash,
};
use autopilot_store_sqlite::{Commit, ReadError, Reader};

use super::support::{Pen, World};

/// More than two tiles and a part of one.
const FACTS: u64 = 700;

/// The root after each fact, from the facts alone; the first is that of no fact.
fn roots(facts: &[Recorded]) -> Vec<TreeHash> {
    let mut edge = Edge::default();
    let grow = |fact: &Recorded| {
        edge.push(tree::leaf(&fact.bytes), &mut |_| {});
        edge.root()
    };
    [tree::EMPTY_ROOT]
        .into_iter()
        .chain(facts.iter().map(grow))
        .collect()
}

async fn check_proofs(reader: &Reader, facts: &[Recorded], roots: &[TreeHash]) {
    for size in [1, 2, 255, 256, 257, 512, 600, FACTS] {
        let root = reader.root_at(size).await.unwrap();
        assert_eq!(root, roots[size as usize], "the root at {size}");
        for sequence in [1, size.div_ceil(2), size] {
            let proof = reader.prove_fact(sequence, size).await.unwrap();
            let leaf = tree::leaf(&facts[sequence as usize - 1].bytes);
            assert_eq!(
                tree::check_inclusion(&leaf, sequence - 1, size, &proof, &root),
                Ok(())
            );
        }
        let proof = reader.prove_growth(size, FACTS).await.unwrap();
        let last = roots.last().unwrap();
        assert_eq!(tree::check_consistency(size, &root, FACTS, last, &proof), Ok(()));
    }
}

#[tokio::test]
async fn proofs_hold_whatever_the_commits_were_and_after_reopening() {
    for per_commit in [1, 7, FACTS] {
        let world = World::new();
        let mut facts = world.ledger(FACTS / per_commit, per_commit).await;
        let (mut store, _) = world.open().await;
        let mut pen = Pen::at(store.head());
        while (facts.len() as u64) < FACTS {
            facts.push(pen.next());
            let last = std::slice::from_ref(facts.last().unwrap());
            store
                .append(Commit {
                    facts: last,
                    ..Commit::default()
                })
                .await
                .unwrap();
        }
        check_proofs(&store.reader(), &facts, &roots(&facts)).await;
        store.close().await;
    }
}

#[tokio::test]
async fn a_refused_commit_leaves_the_tree_as_it_was() {
    let world = World::new();
    let (mut store, _) = world.open().await;
    let mut pen = Pen::at(store.head());
    let first: Vec<Recorded> = (0..300).map(|_| pen.next()).collect();
    let refused = store
        .append(Commit {
            facts: &first[1..],
            ..Commit::default()
        })
        .await;
    assert!(refused.is_err(), "it does not start where the ledger ends");
    store
        .append(Commit {
            facts: &first,
            ..Commit::default()
        })
        .await
        .unwrap();
    assert_eq!(store.reader().root_at(300).await.unwrap(), roots(&first)[300]);
    store.close().await;
}

#[tokio::test]
async fn a_ledger_without_a_tree_says_so_and_gets_one_when_it_is_opened() {
    let world = World::new();
    let facts = world.ledger(1, FACTS).await;
    world.cut("DROP TABLE tile").await;
    let reader = Reader::open(&world.path()).await.unwrap();
    assert!(matches!(
        reader.prove_fact(1, FACTS).await,
        Err(ReadError::NoTree)
    ));
    assert!(
        reader.verify(&mut |_| {}).await.unwrap().ok(),
        "the facts are whole"
    );
    let (store, _) = world.open().await;
    check_proofs(&store.reader(), &facts, &roots(&facts)).await;
    store.close().await;
}

#[tokio::test]
async fn a_bent_missing_or_surplus_tile_is_found_and_the_facts_are_said_to_be_whole() {
    let world = World::new();
    world.ledger(1, FACTS).await;
    let reader = Reader::open(&world.path()).await.unwrap();
    let cases = [
        (
            "UPDATE tile SET hashes = zeroblob(8192) WHERE place = 1",
            "is not that of the facts",
        ),
        (
            "UPDATE tile SET root = zeroblob(32) WHERE place = 0",
            "is not that of the facts",
        ),
        ("DELETE FROM tile WHERE place = 0", "is not that of the facts"),
        (
            "INSERT INTO tile SELECT 9, root, hashes FROM tile WHERE place = 0",
            "do not give",
        ),
    ];
    for (cut, words) in cases {
        world.cut(cut).await;
        let report = reader.verify(&mut |_| {}).await.unwrap();
        let broken = report.broken.expect(cut);
        assert_eq!((broken.sequence, report.facts), (0, FACTS));
        assert!(broken.why.contains(words), "{cut}: {}", broken.why);
        world.cut("DROP TABLE tile").await;
        world.open().await.0.close().await;
        assert!(
            reader.verify(&mut |_| {}).await.unwrap().ok(),
            "rebuilt after: {cut}"
        );
    }
}

#[tokio::test]
async fn what_is_not_in_the_tree_can_not_be_proven() {
    let world = World::new();
    world.ledger(1, 10).await;
    let reader = Reader::open(&world.path()).await.unwrap();
    for (sequence, size) in [(0, 10), (11, 10)] {
        let proof = reader.prove_fact(sequence, size).await;
        assert!(
            matches!(proof, Err(ReadError::Proof(_))),
            "fact {sequence} of {size}"
        );
    }
    assert!(matches!(
        reader.root_at(11).await,
        Err(ReadError::BeyondEnd { sequence: 11 })
    ));
    assert!(matches!(
        reader.prove_growth(0, 10).await,
        Err(ReadError::Proof(_))
    ));
}
