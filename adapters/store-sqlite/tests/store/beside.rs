//! What lies beside the facts: sealed texts, the history's rows, the journal.

use super::support::{Pen, World};
use autopilot_events::{Event, pb};
use autopilot_store_sqlite::{Commit, JournalEntry, JournalQuery, MasterKey, Unsealed, Vault, rows};

fn facts(facts: &[autopilot_events::Recorded]) -> Commit<'_> {
    Commit {
        facts,
        ..Commit::default()
    }
}

#[tokio::test]
async fn a_body_is_read_back_until_its_subject_is_forgotten_and_no_hash_breaks() {
    let world = World::new();
    let (mut store, _) = world.open().await;
    let vault = Vault::new(store.reader(), MasterKey([9; 32]));
    let (one, sealed_one) = vault.seal("job/1", b"prompt").await.unwrap();
    let (two, sealed_two) = vault.seal("job/1", b"output").await.unwrap();
    let (other, sealed_other) = vault.seal("job/2", b"else").await.unwrap();
    assert_eq!(
        vault.unseal(&one).await.unwrap(),
        Unsealed::Missing,
        "nothing is there before the commit"
    );
    let mut pen = Pen::at(store.head());
    let id = |n| vec![n; 32];
    let signed = |event: &pb::BodyRef, n| {
        Event::from(pb::EventSigned {
            event_id: id(n),
            job_id: id(9),
            event: Some(event.clone()),
            ..Default::default()
        })
    };
    let commit = [
        pen.write(signed(&one, 1), "job/1", ""),
        pen.write(signed(&two, 2), "job/1", ""),
        pen.write(signed(&other, 3), "job/2", ""),
    ];
    store
        .append(Commit {
            facts: &commit,
            bodies: &[sealed_one, sealed_two, sealed_other],
            journal: &[],
        })
        .await
        .unwrap();
    let vault = Vault::new(store.reader(), MasterKey([9; 32]));
    assert_eq!(
        vault.unseal(&one).await.unwrap(),
        Unsealed::Plaintext(b"prompt".to_vec())
    );
    assert_eq!(
        vault.unseal(&two).await.unwrap(),
        Unsealed::Plaintext(b"output".to_vec())
    );
    let stranger = Vault::new(store.reader(), MasterKey([1; 32]));
    assert_eq!(stranger.unseal(&one).await.unwrap(), Unsealed::Corrupt);
    assert!(stranger.seal("job/1", b"x").await.is_err());

    let forgotten = pb::TextForgotten {
        subject: "job/1".into(),
        reason: pb::ForgetReason::Job as i32,
    };
    let forgotten = pen.write(forgotten.into(), "ledger", "forgotten/job/1");
    store.append(facts(&[forgotten])).await.unwrap();
    assert_eq!(vault.unseal(&one).await.unwrap(), Unsealed::Erased);
    assert!(vault.seal("job/1", b"more").await.is_err());
    assert_eq!(
        vault.unseal(&other).await.unwrap(),
        Unsealed::Plaintext(b"else".to_vec())
    );
    let report = store.reader().verify(&mut |_| {}).await.unwrap();
    assert!(report.ok(), "{report:?}");
    assert_eq!((report.bodies.valid, report.bodies.erased), (1, 2));

    world
        .cut("UPDATE body SET ciphertext = zeroblob(length(ciphertext))")
        .await;
    assert_eq!(vault.unseal(&other).await.unwrap(), Unsealed::Corrupt);
    let report = store.reader().verify(&mut |_| {}).await.unwrap();
    assert!(report.broken.is_none() && !report.ok());
    assert_eq!(report.bodies.invalid, 1);
}

#[tokio::test]
async fn the_history_pages_both_ways_and_its_digest_is_the_folds() {
    let world = World::new();
    let written = world.ledger(9, 11).await;
    let mut fold = rows::HistoryFold::default();
    written.iter().for_each(|fact| fold.apply(fact));
    let (mut store, _) = world.open().await;
    let reader = store.reader();
    assert_eq!(reader.history_digest().await.unwrap(), Some((99, fold.digest())));

    let all = rows::HistoryQuery {
        limit: 1_000,
        ..Default::default()
    };
    let (everything, at) = reader.history(&all).await.unwrap();
    assert_eq!(at, 99);
    let mut paged = Vec::new();
    loop {
        let before = paged.last().map(|row: &rows::HistoryRow| row.first_sequence);
        let (page, _) = reader
            .history(&rows::HistoryQuery {
                before,
                limit: 4,
                ..all.clone()
            })
            .await
            .unwrap();
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, everything);
    let after = Some(everything[5].first_sequence);
    let (newer, _) = reader
        .history(&rows::HistoryQuery {
            after,
            limit: 2,
            ..all.clone()
        })
        .await
        .unwrap();
    assert_eq!(newer, everything[3..5]);
    let refused = rows::HistoryQuery {
        work: Some("refused".into()),
        ..all.clone()
    };
    assert!(
        reader
            .history(&refused)
            .await
            .unwrap()
            .0
            .iter()
            .all(|row| row.work.as_deref() == Some("refused"))
    );
    assert_eq!(
        reader.history_one(&everything[0].job_id).await.unwrap().as_ref(),
        Some(&everything[0])
    );

    // Rows that do not stand at the ledger's end are built anew; rows that were changed are found.
    store.append(facts(&[])).await.unwrap();
    store.close().await;
    world
        .cut("UPDATE row_checkpoint SET sequence = 5; DELETE FROM history WHERE first_sequence > 50")
        .await;
    let (store, opened) = world.open().await;
    assert_eq!(opened.rebuilt_rows, ["history/1"]);
    assert_eq!(store.reader().history(&all).await.unwrap().0, everything);
    world
        .cut("UPDATE history SET price_msat = 1 WHERE first_sequence = 3")
        .await;
    let report = store.reader().verify(&mut |_| {}).await.unwrap();
    assert!(report.broken.is_some(), "{report:?}");
}

#[tokio::test]
async fn the_journal_rides_along_with_and_without_facts() {
    let world = World::new();
    let (mut store, _) = world.open().await;
    let line = |n: i64| JournalEntry {
        at_ms: n,
        kind: "relay.ack".into(),
        subject: "job/1".into(),
        text: "ä".repeat(400),
    };
    store
        .append(Commit {
            journal: &[line(1), line(2)],
            ..Commit::default()
        })
        .await
        .unwrap();
    let fact = Pen::at(store.head()).next();
    store
        .append(Commit {
            facts: &[fact],
            journal: &[line(3)],
            ..Commit::default()
        })
        .await
        .unwrap();
    let query = JournalQuery {
        subject: Some("job/1".to_owned()),
        relay: None,
        since_ms: i64::MIN,
        limit: 10,
    };
    let (lines, dropped) = store.reader().journal(&query).await.unwrap();
    assert_eq!(lines.iter().map(|line| line.at_ms).collect::<Vec<_>>(), [3, 2, 1]);
    assert_eq!((lines[0].text.len(), dropped), (512, 0));
    let since = JournalQuery {
        since_ms: 2,
        ..query.clone()
    };
    assert_eq!(store.reader().journal(&since).await.unwrap().0.len(), 2);
    let other = JournalQuery {
        relay: Some("ä".to_owned()),
        ..query
    };
    assert_eq!(store.reader().journal(&other).await.unwrap().0, []);
    assert_eq!(store.trim_journal().await.unwrap(), 0);
}
