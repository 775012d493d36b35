//! Every change of a stored byte is found, by us and by the Python verifier, which was written from the page alone.

use std::{path::Path, process::Command};

use super::support::World;
use autopilot_events::Head;
use autopilot_store_sqlite::{
    Reader,
    block::{Block, walk},
};
use sqlx::{Row, SqliteConnection};

async fn blocks(knife: &mut SqliteConnection) -> Vec<Block> {
    let rows = sqlx::query(
        "SELECT first_sequence, count, prev_chain, chain, bytes FROM block ORDER BY first_sequence",
    )
    .fetch_all(knife)
    .await
    .unwrap();
    let hash = |row: &sqlx::sqlite::SqliteRow, index| row.get::<&[u8], _>(index).try_into().unwrap();
    rows.iter()
        .map(|row| Block {
            first_sequence: row.get::<i64, _>(0) as u64,
            count: row.get::<i64, _>(1) as u64,
            prev_chain: hash(row, 2),
            chain: hash(row, 3),
            bytes: row.get(4),
        })
        .collect()
}

fn walk_all(blocks: &[Block]) -> Result<Head, autopilot_store_sqlite::Broken> {
    walk(&Head::empty(), blocks.to_vec(), &mut |_| {})
}

async fn replace(knife: &mut SqliteConnection, block: &Block) {
    sqlx::query("UPDATE block SET bytes = ? WHERE first_sequence = ?")
        .bind(&block.bytes)
        .bind(block.first_sequence as i64)
        .execute(knife)
        .await
        .unwrap();
}

/// What the Python verifier says: exit code, and the JSON that it prints.
pub fn python(path: &Path) -> (i32, serde_json::Value) {
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/ledger_verify.py");
    let output = Command::new("python3").arg(tool).arg(path).output().unwrap();
    let said = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (output.status.code().unwrap(), said)
}

#[tokio::test]
async fn every_bit_and_every_truncation_of_every_block_is_found_in_its_block() {
    let world = World::new();
    world.ledger(4, 2).await;
    let sound = blocks(&mut world.knife().await).await;
    walk_all(&sound).unwrap();
    for (index, block) in sound.iter().enumerate() {
        let check = |bytes: Vec<u8>, what: String| {
            let mut blocks = sound.clone();
            blocks[index].bytes = bytes;
            let broken = walk_all(&blocks).expect_err(&what);
            let within = block.first_sequence..=block.last_sequence() + 1;
            assert!(within.contains(&broken.sequence), "{what}: {broken}");
        };
        for bit in 0..block.bytes.len() * 8 {
            let mut bytes = block.bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            check(bytes, format!("block {index}, bit {bit}"));
        }
        for length in 0..block.bytes.len() {
            check(
                block.bytes[..length].to_vec(),
                format!("block {index} cut to {length} bytes"),
            );
        }
        check(
            [block.bytes.as_slice(), &[0]].concat(),
            format!("block {index} and a byte more"),
        );
    }
    // The columns beside the bytes, and the order of blocks.
    for index in 0..sound.len() {
        let changed = |change: &dyn Fn(&mut Block)| {
            let mut blocks = sound.clone();
            change(&mut blocks[index]);
            walk_all(&blocks).is_err()
        };
        assert!(changed(&|block| block.first_sequence += 1));
        assert!(changed(&|block| block.count += 1));
        assert!(changed(&|block| block.prev_chain.0[31] ^= 1));
        assert!(changed(&|block| block.chain.0[0] ^= 1));
        if index + 1 < sound.len() {
            let mut blocks = sound.clone();
            blocks.remove(index);
            assert!(walk_all(&blocks).is_err(), "a missing block");
            let mut blocks = sound.clone();
            blocks.swap(index, index + 1);
            assert!(walk_all(&blocks).is_err(), "blocks in another order");
        }
    }
}

#[tokio::test]
async fn both_verifiers_agree_on_sound_and_on_mutated_ledgers() {
    let world = World::new();
    let written = world.ledger(5, 3).await;
    let head = written.last().unwrap().head();
    let reader = Reader::open(&world.path()).await.unwrap();
    let mut knife = world.knife().await;
    let sound = blocks(&mut knife).await;

    let (code, said) = python(&world.path());
    assert_eq!((code, &said["ok"]), (0, &true.into()), "{said}");
    assert_eq!(
        (
            said["facts"].as_u64(),
            said["chain"].as_str(),
            said["root"].as_str()
        ),
        (
            Some(15),
            Some(head.chain.to_string().as_str()),
            Some(reader.root_at(15).await.unwrap().to_string().as_str())
        )
    );

    let mut seed = 7_usize;
    for round in 0..12 {
        let block = &sound[round % sound.len()];
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let place = (seed >> 20) % block.bytes.len();
        let mut mutated = block.clone();
        match round % 4 {
            0 => mutated.bytes.truncate(place),
            _ => mutated.bytes[place] ^= 1 << ((seed >> 50) % 8),
        }
        replace(&mut knife, &mutated).await;
        let ours = reader.verify(&mut |_| {}).await.unwrap();
        let (code, theirs) = python(&world.path());
        let broken = ours.broken.clone().expect("ours sees it");
        assert_eq!(
            (code, &theirs["ok"]),
            (1, &false.into()),
            "round {round}: {broken}; {theirs}"
        );
        let within = block.first_sequence..=block.last_sequence() + 1;
        assert!(within.contains(&broken.sequence), "round {round}: {broken}");
        assert!(
            within.contains(&theirs["broken_at"].as_u64().unwrap()),
            "round {round}: {theirs}"
        );
        replace(&mut knife, block).await;
    }
    assert!(reader.verify(&mut |_| {}).await.unwrap().ok());
}

#[tokio::test]
async fn indexes_that_disagree_with_the_facts_are_found() {
    let world = World::new();
    world.ledger(3, 5).await;
    let reader = Reader::open(&world.path()).await.unwrap();
    let damages: [(&str, &str, Option<u64>); 6] = [
        (
            "UPDATE stream SET version = version + 1 WHERE stream = 'provider'",
            "index of streams",
            None,
        ),
        (
            "DELETE FROM stream WHERE stream = 'provider'",
            "index of streams",
            None,
        ),
        ("INSERT INTO stream VALUES ('ghost', 1)", "index of streams", None),
        (
            "UPDATE idempotency SET payload_digest = zeroblob(32) WHERE key = 'key/7'",
            "key/7",
            Some(7),
        ),
        ("DELETE FROM idempotency WHERE key = 'key/12'", "key/12", Some(12)),
        (
            "INSERT INTO idempotency VALUES ('ghost', 3, zeroblob(32))",
            "no fact has",
            None,
        ),
    ];
    for (damage, words, sequence) in damages {
        let mut knife = world.knife().await;
        sqlx::raw_sql(
            "BEGIN; CREATE TABLE s AS SELECT * FROM stream; CREATE TABLE i AS SELECT * FROM idempotency",
        )
        .execute(&mut knife)
        .await
        .unwrap();
        sqlx::raw_sql(damage).execute(&mut knife).await.unwrap();
        sqlx::raw_sql("COMMIT").execute(&mut knife).await.unwrap();
        let broken = reader.verify(&mut |_| {}).await.unwrap().broken.expect(damage);
        assert!(broken.why.contains(words), "{damage}: {broken}");
        assert_eq!(broken.sequence, sequence.unwrap_or(0), "{damage}: {broken}");
        let python_sees = damage.contains("stream");
        assert_eq!(python(&world.path()).0, i32::from(python_sees), "{damage}");
        sqlx::raw_sql(
            "DELETE FROM stream; INSERT INTO stream SELECT * FROM s; DROP TABLE s; \
             DELETE FROM idempotency; INSERT INTO idempotency SELECT * FROM i; DROP TABLE i",
        )
        .execute(&mut knife)
        .await
        .unwrap();
    }
    assert!(reader.verify(&mut |_| {}).await.unwrap().ok());
}
