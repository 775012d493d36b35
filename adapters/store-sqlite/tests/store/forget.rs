//! Forgotten texts: keys and ciphertexts are in no byte of any file any more, and everything else is as it was.
use std::{collections::BTreeMap, path::Path, process::Command};

use autopilot_events::{Event, Recorded, pb, texts::forgotten_key};
use autopilot_store_sqlite::{Commit, MasterKey, Store, Unsealed, Vault};
use sqlx::Row;

use super::support::{Pen, World};

const MASTER: MasterKey = MasterKey([9; 32]);
const SUBJECTS: u64 = 400;

fn subject(n: u64) -> String {
    format!("job/{}", blake3::hash(&n.to_le_bytes()).to_hex())
}

fn signed(event: pb::BodyRef) -> Event {
    let id = event.ciphertext_digest.clone();
    pb::EventSigned {
        event_id: id.clone(),
        job_id: id,
        event: Some(event),
        ..Default::default()
    }
    .into()
}

fn forgets(pen: &mut Pen, subject: &str) -> Recorded {
    let fact = pb::TextForgotten {
        subject: subject.to_owned(),
        reason: pb::ForgetReason::Age as i32,
    };
    pen.write(fact.into(), "ledger", &forgotten_key(subject))
}

/// A ledger with two texts of each subject, some of a few bytes, some over several pages, committed in small groups.
async fn texts(store: &mut Store, pen: &mut Pen) -> BTreeMap<u64, [pb::BodyRef; 2]> {
    let vault = Vault::new(store.reader(), MASTER);
    let mut references = BTreeMap::new();
    for n in 0..SUBJECTS {
        let mut pair = Vec::new();
        let (mut facts, mut bodies) = (Vec::new(), Vec::new());
        for text in [1 + n as usize * 37 % 900, n as usize * 311 % 9_000] {
            let (reference, body) = vault.seal(&subject(n), &vec![b'x'; text]).await.unwrap();
            facts.push(pen.write(signed(reference.clone()), &subject(n), ""));
            bodies.push(body);
            pair.push(reference);
        }
        let commit = Commit {
            facts: &facts,
            bodies: &bodies,
            journal: &[],
        };
        store.append(commit).await.unwrap();
        references.insert(n, pair.try_into().unwrap());
    }
    references
}

/// Wrapped keys and ciphertexts of a subject, as the database has them.
async fn secrets(world: &World, subject: &str) -> Vec<Vec<u8>> {
    let mut knife = world.knife().await;
    let rows = sqlx::query(
        "SELECT wrapped_key FROM subject_key WHERE subject = ?1 UNION ALL SELECT ciphertext FROM body WHERE subject = ?1",
    )
    .bind(subject)
    .fetch_all(&mut knife)
    .await
    .unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// How many of the secrets leave a trace in any file of the folder: 24 bytes of the beginning, the middle or the end.
fn traces(folder: &Path, secrets: &[Vec<u8>]) -> usize {
    let files: Vec<Vec<u8>> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .collect();
    let pieces = |secret: &[u8]| -> Vec<[u8; 24]> {
        [0, secret.len() / 2 - 12, secret.len() - 24]
            .iter()
            .map(|at| secret[*at..at + 24].try_into().unwrap())
            .collect()
    };
    let wanted: std::collections::HashSet<[u8; 24]> =
        secrets.iter().flat_map(|secret| pieces(secret)).collect();
    files
        .iter()
        .flat_map(|file| file.windows(24))
        .filter(|window| wanted.contains::<[u8; 24]>(&(*window).try_into().unwrap()))
        .count()
}

fn python(path: &Path) -> serde_json::Value {
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/ledger_verify.py");
    let output = Command::new("python3").arg(tool).arg(path).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[tokio::test]
async fn what_is_forgotten_is_in_no_byte_of_any_file_and_everything_else_is_as_it_was() {
    let world = World::new();
    let (mut store, _) = world.open().await;
    let mut pen = Pen::at(store.head());
    let references = texts(&mut store, &mut pen).await;
    let gone = |n: u64| n.is_multiple_of(7);
    let mut lost = Vec::new();
    for n in (0..SUBJECTS).filter(|n| gone(*n)) {
        lost.extend(secrets(&world, &subject(n)).await);
    }
    assert!(
        traces(world.folder.path(), &lost) >= lost.len(),
        "they are there to be found"
    );

    for n in (0..SUBJECTS).filter(|n| gone(*n)) {
        let fact = forgets(&mut pen, &subject(n));
        store
            .append(Commit {
                facts: &[fact],
                ..Commit::default()
            })
            .await
            .unwrap();
    }
    assert!(store.scrub_due());
    // A stop in between forgets nothing of that.
    store.close().await;
    let (mut store, opened) = world.open().await;
    assert!(store.scrub_due() && opened.unknown_critical.is_none());
    assert!(store.scrub().await.unwrap());
    assert!(!store.scrub_due());
    assert_eq!(traces(world.folder.path(), &lost), 0);

    let vault = Vault::new(store.reader(), MASTER);
    for (n, pair) in &references {
        for reference in pair {
            match (gone(*n), vault.unseal(reference).await.unwrap()) {
                (true, Unsealed::Erased) => {}
                (false, Unsealed::Plaintext(text)) => assert_eq!(text.len() as u64, reference.size),
                (_, found) => panic!("subject {n}: {found:?}"),
            }
        }
    }
    let forgotten = (0..SUBJECTS).filter(|n| gone(*n)).count() as u64;
    let report = store.reader().verify(&mut |_| {}).await.unwrap();
    assert!(report.ok(), "{report:?}");
    let counts = (report.bodies.valid, report.bodies.erased);
    assert_eq!(counts, ((SUBJECTS - forgotten) * 2, forgotten * 2));
    let said = python(&world.path());
    assert_eq!(said["ok"], true, "{said}");
    let theirs = (
        said["bodies"]["valid"].as_u64(),
        said["bodies"]["erased"].as_u64(),
    );
    assert_eq!(theirs, (Some(counts.0), Some(counts.1)), "{said}");

    // Forgotten for good: nothing is sealed for it any more, and what was sealed before its fact is not kept after it.
    assert!(vault.seal(&subject(0), b"more").await.is_err());
    let (late, body) = vault.seal("job/late", b"a late text").await.unwrap();
    let facts = [
        pen.write(signed(late.clone()), "job/late", ""),
        forgets(&mut pen, "job/late"),
    ];
    store
        .append(Commit {
            facts: &facts,
            bodies: &[body],
            journal: &[],
        })
        .await
        .unwrap();
    assert_eq!(vault.unseal(&late).await.unwrap(), Unsealed::Erased);
    let report = store.reader().verify(&mut |_| {}).await.unwrap();
    assert!(
        report.ok() && report.bodies.erased == forgotten * 2 + 1,
        "{report:?}"
    );
    store.close().await;
}

#[tokio::test]
async fn a_forgotten_text_that_is_still_there_and_a_key_that_is_lost_without_a_fact_are_found() {
    let world = World::new();
    let (mut store, _) = world.open().await;
    let mut pen = Pen::at(store.head());
    let vault = Vault::new(store.reader(), MASTER);
    let mut facts = Vec::new();
    let mut bodies = Vec::new();
    for name in ["job/1", "job/2"] {
        let (reference, body) = vault.seal(name, b"text").await.unwrap();
        facts.push(pen.write(signed(reference), name, ""));
        bodies.push(body);
    }
    store
        .append(Commit {
            facts: &facts,
            bodies: &bodies,
            journal: &[],
        })
        .await
        .unwrap();
    let fact = forgets(&mut pen, "job/1");
    let sequence = fact.fact.sequence;
    store
        .append(Commit {
            facts: &[fact],
            ..Commit::default()
        })
        .await
        .unwrap();
    assert!(store.reader().verify(&mut |_| {}).await.unwrap().ok());

    world
        .cut("UPDATE subject_key SET wrapped_key = x'00' WHERE subject = 'job/1'")
        .await;
    let broken = store.reader().verify(&mut |_| {}).await.unwrap().broken.unwrap();
    assert_eq!(broken.sequence, sequence, "{broken}");
    let said = python(&world.path());
    assert_eq!(
        (&said["ok"], said["broken_at"].as_u64()),
        (&false.into(), Some(sequence)),
        "{said}"
    );

    // Without a fact a key that is gone is no forgetting: its text is missing.
    world
        .cut("UPDATE subject_key SET wrapped_key = NULL; DELETE FROM body WHERE subject = 'job/2'")
        .await;
    let report = store.reader().verify(&mut |_| {}).await.unwrap();
    assert!(report.broken.is_none() && !report.ok(), "{report:?}");
    assert_eq!((report.bodies.erased, report.bodies.missing), (1, 1));
    let said = python(&world.path());
    assert_eq!(
        (&said["bodies"]["erased"], &said["bodies"]["missing"]),
        (&1.into(), &1.into()),
        "{said}"
    );
}
