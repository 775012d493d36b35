//! Edits of whole facts: one left out, put in, doubled or moved, by somebody who keeps counts and numbers in order.
use autopilot_events::{Head, Recorded, pb, words::ChainHash};
use autopilot_store_sqlite::{
    Broken, Reader,
    block::{Block, walk},
};
use sqlx::SqliteConnection;

use super::{
    mutation::python,
    support::{Pen, World},
};

/// A ledger as lists of stored facts, one list a block.
type Facts = Vec<Vec<Vec<u8>>>;

/// Blocks that say of themselves what is in them; their chain values are those of the sound ledger.
fn blocks(facts: &Facts, chains: &[ChainHash]) -> Vec<Block> {
    let mut first_sequence = 1;
    let mut prev_chain = Head::empty().chain;
    facts
        .iter()
        .zip(chains)
        .map(|(facts, chain)| {
            let block = Block {
                first_sequence,
                count: facts.len() as u64,
                prev_chain,
                chain: *chain,
                bytes: facts
                    .iter()
                    .flat_map(|fact| [&(fact.len() as u32).to_le_bytes(), fact.as_slice()].concat())
                    .collect(),
            };
            first_sequence += block.count;
            prev_chain = *chain;
            block
        })
        .collect()
}

fn read(facts: &Facts, chains: &[ChainHash]) -> Result<Head, Broken> {
    walk(&Head::empty(), blocks(facts, chains), &mut |_| {})
}

/// The facts of a ledger in blocks of `size`, and the chain value after each block.
fn cut(ledger: &[Recorded], size: usize) -> (Facts, Vec<ChainHash>) {
    ledger
        .chunks(size)
        .map(|facts| {
            let bytes = facts.iter().map(|fact| fact.bytes.clone()).collect();
            (bytes, facts.last().unwrap().head().chain)
        })
        .unzip()
}

fn written(facts: usize) -> Vec<Recorded> {
    let mut pen = Pen::at(Head::empty());
    (0..facts).map(|_| pen.next()).collect()
}

/// Somebody else's facts, with numbers and times like ours.
fn foreign(facts: usize) -> Vec<Recorded> {
    let mut pen = Pen::at(Head::empty());
    let other = |n: usize| pb::LivenessRecorded {
        run_id: vec![2; 16],
        online_ms: n as u64,
    };
    (0..facts)
        .map(|n| pen.write(other(n).into(), "provider", ""))
        .collect()
}

/// Found, and at a fact of the block that was edited first: its first fact where only the block's end tells.
fn found(facts: &Facts, chains: &[ChainHash], size: usize, from: usize, what: &str) {
    let broken = read(facts, chains).expect_err(what);
    let first = (from / size * size + 1) as u64;
    let within = first..=first + size as u64;
    assert!(within.contains(&broken.sequence), "{what}: {broken}");
}

#[test]
fn every_fact_that_is_missing_doubled_foreign_or_elsewhere_is_found() {
    const FACTS: usize = 12;
    const SIZE: usize = 4;
    let (sound, chains) = cut(&written(FACTS), SIZE);
    let others = foreign(FACTS);
    assert_eq!(read(&sound, &chains).unwrap().sequence, FACTS as u64);
    for at in 0..FACTS {
        let place = (at / SIZE, at % SIZE);
        let mut facts = sound.clone();
        facts[place.0].remove(place.1);
        found(&facts, &chains, SIZE, at, &format!("without fact {}", at + 1));
        if at > 0 {
            let mut facts = sound.clone();
            facts[place.0][place.1] = others[at].bytes.clone();
            found(
                &facts,
                &chains,
                SIZE,
                at,
                &format!("foreign instead of {}", at + 1),
            );
        }
        for other in 0..FACTS {
            let one = sound[other / SIZE][other % SIZE].clone();
            let mut facts = sound.clone();
            facts[place.0].insert(place.1, one.clone());
            found(
                &facts,
                &chains,
                SIZE,
                at,
                &format!("{} before {}", other + 1, at + 1),
            );
            let mut facts = sound.clone();
            facts[place.0].insert(place.1, others[other].bytes.clone());
            found(
                &facts,
                &chains,
                SIZE,
                at,
                &format!("foreign {other} before {}", at + 1),
            );
            if at < other {
                let mut facts = sound.clone();
                facts[other / SIZE][other % SIZE] = facts[place.0][place.1].clone();
                facts[place.0][place.1] = one;
                found(
                    &facts,
                    &chains,
                    SIZE,
                    at,
                    &format!("{} and {} swapped", at + 1, other + 1),
                );
            }
        }
    }
    // A ledger that only ends early is sound by itself: what somebody else holds tells (signed heads).
    for blocks in 0..chains.len() {
        let head = read(&sound[..blocks].to_vec(), &chains[..blocks]).unwrap();
        assert_eq!(head.sequence, (blocks * SIZE) as u64);
    }
}

#[test]
fn edits_of_a_long_ledger_are_found_where_they_are() {
    const FACTS: usize = 6_000;
    const SIZE: usize = 250;
    let (mut facts, chains) = cut(&written(FACTS), SIZE);
    let mut draw = 20_261_120_u64;
    let mut below = |bound: usize| {
        draw = draw
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (draw >> 33) as usize % bound
    };
    for round in 0..60 {
        let (one, other) = (below(FACTS), below(FACTS));
        let (at, place) = (one.min(other), (one.min(other) / SIZE, one.min(other) % SIZE));
        let before = facts[place.0].clone();
        let what = format!("round {round}, fact {}", at + 1);
        match round % 4 {
            0 => drop(facts[place.0].remove(place.1)),
            1 => facts[place.0].insert(place.1, before[(place.1 + 1) % SIZE].clone()),
            2 => facts[place.0].swap(place.1, (place.1 + 1) % SIZE),
            _ => {
                let fact = &mut facts[place.0][place.1];
                let bit = below(fact.len() * 8);
                fact[bit / 8] ^= 1 << (bit % 8);
            }
        }
        found(&facts, &chains, SIZE, at, &what);
        facts[place.0] = before;
    }
    read(&facts, &chains).unwrap();
}

async fn rewrite(knife: &mut SqliteConnection, blocks: &[Block]) {
    sqlx::raw_sql("DELETE FROM block")
        .execute(&mut *knife)
        .await
        .unwrap();
    for block in blocks {
        sqlx::query("INSERT INTO block VALUES (?, ?, ?, ?, ?)")
            .bind(block.first_sequence as i64)
            .bind(block.count as i64)
            .bind(&block.prev_chain.0[..])
            .bind(&block.chain.0[..])
            .bind(&block.bytes)
            .execute(&mut *knife)
            .await
            .unwrap();
    }
}

/// The same edits in the file: both verifiers refuse it, at the same block.
#[tokio::test]
async fn both_verifiers_find_edits_of_whole_facts() {
    const SIZE: usize = 3;
    let world = World::new();
    let ledger = world.ledger(4, SIZE as u64).await;
    let (sound, chains) = cut(&ledger, SIZE);
    for edit in 0..3 {
        let mut facts = sound.clone();
        let one = facts[1][1].clone();
        match edit {
            0 => drop(facts[1].remove(1)),
            1 => facts[1].insert(0, one),
            _ => facts[1].swap(0, 1),
        }
        let mut knife = world.knife().await;
        rewrite(&mut knife, &blocks(&facts, &chains)).await;
        let reader = Reader::open(&world.path()).await.unwrap();
        let ours = reader.verify(&mut |_| {}).await.unwrap().broken.unwrap().sequence;
        let (code, theirs) = python(&world.path());
        let theirs_at = theirs["broken_at"].as_u64().unwrap();
        assert_eq!(code, 1, "edit {edit}: {theirs}");
        assert!(
            (4..=7).contains(&ours) && (4..=7).contains(&theirs_at),
            "edit {edit}: {ours}, {theirs}"
        );
        rewrite(&mut knife, &blocks(&sound, &chains)).await;
    }
}
