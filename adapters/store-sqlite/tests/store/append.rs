//! What a commit takes, what it refuses, and that a refusal leaves nothing behind.

use super::support::{Pen, World};
use autopilot_events::{Event, Head, pb};
use autopilot_store_sqlite::{AppendError, Commit, OpenError, Store};

fn facts(facts: &[autopilot_events::Recorded]) -> Commit<'_> {
    Commit {
        facts,
        ..Commit::default()
    }
}

#[tokio::test]
async fn what_was_appended_is_read_back_as_the_same_bytes_after_reopening() {
    let world = World::new();
    let written = world.ledger(7, 5).await;
    let (store, opened) = world.open().await;
    assert!(!opened.created);
    assert_eq!(opened.head, written.last().unwrap().head());
    assert_eq!(store.reader().head().await.unwrap(), opened.head);
    assert_eq!(store.reader().facts(0, 100).await.unwrap(), written);
    assert_eq!(store.reader().facts(12, 3).await.unwrap(), written[12..15]);
    assert_eq!(store.reader().head_at(13).await.unwrap(), written[12].head());
    for from in 0..=35 {
        let head = store.reader().head_at(from).await.unwrap();
        let mut seen = Vec::new();
        let end = store
            .reader()
            .replay(&head, &mut |_| {}, |fact| seen.push(fact.clone()))
            .await
            .unwrap();
        assert_eq!(
            (end, seen.as_slice()),
            (opened.head, &written[from as usize..]),
            "from {from}"
        );
    }
}

#[tokio::test]
async fn a_commit_that_does_not_continue_the_ledger_is_refused_whole() {
    let world = World::new();
    let (mut store, opened) = world.open().await;
    assert!(opened.created);
    let mut pen = Pen::at(store.head());
    let first = [pen.next(), pen.next()];
    store.append(facts(&first)).await.unwrap();
    let head = store.head();

    let again = store.append(facts(&first)).await;
    assert!(
        matches!(
            again,
            Err(AppendError::Head {
                expected: 0,
                found: 2
            })
        ),
        "{again:?}"
    );

    let mut other = Pen::at(Head {
        recorded_at_ms: i64::MIN,
        chain: Head::empty().chain,
        ..head
    });
    let stray = store.append(facts(&[other.next()])).await;
    assert!(
        matches!(stray, Err(AppendError::Inconsistent { sequence: 3, .. })),
        "{stray:?}"
    );

    // The right number, a wrong stream version: this pen does not know the earlier facts.
    let mut forgetful = Pen::at(head);
    let event = || Event::from(pb::LivenessRecorded::default());
    forgetful.write(event(), "provider", "");
    let mut skipping = Pen::at(head);
    skipping.head = head;
    let second = {
        let mut pen = Pen::at(Head::empty());
        pen.write(event(), "new", "");
        pen.head = head;
        pen.write(event(), "new", "")
    };
    let version = store.append(facts(&[second])).await;
    assert!(
        matches!(
            version,
            Err(AppendError::Version {
                expected: 1,
                found: 0,
                ..
            })
        ),
        "{version:?}"
    );

    assert_eq!(store.head(), head);
    store.append(facts(&[pen.next()])).await.unwrap();
    assert!(store.reader().verify(&mut |_| {}).await.unwrap().ok());
}

#[tokio::test]
async fn a_key_is_taken_once_and_another_payload_is_a_conflict() {
    let world = World::new();
    let (mut store, _) = world.open().await;
    let mut pen = Pen::at(store.head());
    let event = |online_ms| {
        Event::from(pb::LivenessRecorded {
            run_id: vec![],
            online_ms,
        })
    };
    store
        .append(facts(&[
            pen.write(event(1), "a", "k1"),
            pen.write(event(2), "a", "k2"),
        ]))
        .await
        .unwrap();
    let head = store.head();
    assert_eq!(store.reader().lookup("k2").await.unwrap().unwrap().0, 2);
    assert_eq!(store.reader().lookup("k3").await.unwrap(), None);

    for (payload, expected) in [(2, true), (3, false)] {
        let mut pen = Pen::at(head);
        // A free key before the taken one: nothing of the commit may stay.
        let commit = [
            pen.write(event(9), "b", "free"),
            pen.write(event(payload), "c", "k2"),
        ];
        match store.append(facts(&commit)).await {
            Err(AppendError::Conflict {
                key,
                sequence: 2,
                same_payload,
            }) => {
                assert_eq!((key.as_str(), same_payload), ("k2", expected));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(store.head(), head);
        assert_eq!(store.reader().lookup("free").await.unwrap(), None);
        assert_eq!(store.reader().stream_version("b").await.unwrap(), 0);
    }
    let mut pen = Pen::at(head);
    let twice = [pen.write(event(1), "b", "x"), pen.write(event(1), "b", "x")];
    let refused = store.append(facts(&twice)).await;
    assert!(
        matches!(
            refused,
            Err(AppendError::Conflict {
                sequence: 3,
                same_payload: true,
                ..
            })
        ),
        "{refused:?}"
    );
    assert!(store.reader().verify(&mut |_| {}).await.unwrap().ok());
}

#[tokio::test]
async fn compaction_joins_bytes_and_changes_nothing_that_is_read() {
    let world = World::new();
    let (mut store, _) = world.open().await;
    let mut pen = Pen::at(store.head());
    let mut written = Vec::new();
    let mut compacted = 0;
    for commit in 0..700_u64 {
        let block: Vec<_> = (0..1 + commit % 3).map(|_| pen.next()).collect();
        store.append(facts(&block)).await.unwrap();
        written.extend(block);
        if store.compaction_due() {
            let before = store.reader().head_at(pen.head.sequence - 100).await.unwrap();
            compacted += store.compact().await.unwrap().blocks;
            // A reader that stood within what became a segment goes on from there.
            let mut tail = Vec::new();
            store
                .reader()
                .replay(&before, &mut |_| {}, |fact| tail.push(fact.clone()))
                .await
                .unwrap();
            assert_eq!(tail, written[before.sequence as usize..]);
        }
    }
    assert!(compacted > 500, "{compacted}");
    assert!(store.reader().verify(&mut |_| {}).await.unwrap().ok());
    store.close().await;
    let (store, opened) = world.open().await;
    assert!(opened.rebuilt_rows.is_empty());
    let mut seen = Vec::new();
    store
        .reader()
        .replay(&Head::empty(), &mut |_| {}, |fact| seen.push(fact.clone()))
        .await
        .unwrap();
    assert_eq!(seen, written);
}

#[tokio::test]
async fn a_full_disk_refuses_the_commit_and_keeps_every_earlier_one() {
    let world = World::new();
    let (mut store, _) = world.open().await;
    let mut pen = Pen::at(store.head());
    store.append(facts(&[pen.next()])).await.unwrap();
    let head = store.head();
    store.limit_pages(30).await.unwrap();
    let big: Vec<_> = (0..2_000).map(|_| pen.next()).collect();
    let full = store.append(facts(&big)).await;
    assert!(matches!(full, Err(AppendError::DiskFull)), "{full:?}");
    assert_eq!(store.head(), head);
    let report = store.reader().verify(&mut |_| {}).await.unwrap();
    assert!(report.ok() && report.head == head, "{report:?}");
    // With space again, the same store goes on with the very same facts.
    store.limit_pages(1_000_000).await.unwrap();
    store.append(facts(&big)).await.unwrap();
    assert!(store.reader().verify(&mut |_| {}).await.unwrap().ok());
}

#[tokio::test]
async fn an_unknown_fact_is_kept_and_an_unknown_critical_one_stops_writing() {
    let world = World::new();
    for (critical, sequence) in [(false, 1), (true, 2)] {
        let (mut store, _) = world.open().await;
        let head = store.head();
        let fact = pb::Fact {
            sequence,
            r#type: "future.thing".into(),
            version: 3,
            critical,
            stream: "future".into(),
            stream_version: sequence,
            payload: vec![0xff; 9],
            recorded_at_ms: 5,
            ..Default::default()
        };
        let bytes = prost::Message::encode_to_vec(&fact);
        let sealed = autopilot_events::envelope::open(&head, &bytes).unwrap();
        store.append(facts(&[sealed])).await.unwrap();
        store.close().await;
    }
    let (mut store, opened) = world.open().await;
    assert_eq!(opened.unknown_critical, Some((2, "future.thing".to_owned())));
    let refused = store.append(facts(&[Pen::at(store.head()).next()])).await;
    assert!(
        matches!(refused, Err(AppendError::UnknownCritical { sequence: 2, .. })),
        "{refused:?}"
    );
    let report = store.reader().verify(&mut |_| {}).await.unwrap();
    assert!(report.ok());
    assert_eq!((report.facts, report.unknown), (2, 2));
}

#[tokio::test]
async fn a_second_writer_is_told_who_holds_the_ledger_and_a_reader_is_let_in() {
    let world = World::new();
    let (mut store, _) = world.open().await;
    store
        .append(facts(&[Pen::at(store.head()).next()]))
        .await
        .unwrap();
    match Store::open(&world.path(), &mut |_| {}).await {
        Err(OpenError::Locked { pid, .. }) => assert_eq!(pid, Some(std::process::id())),
        other => panic!("{other:?}"),
    }
    let reader = autopilot_store_sqlite::Reader::open(&world.path()).await.unwrap();
    assert!(reader.verify(&mut |_| {}).await.unwrap().ok());
    drop(store);
    world.open().await;
}

#[tokio::test]
async fn a_commit_abandoned_half_way_happened_or_did_not() {
    let world = World::new();
    let (mut store, _) = world.open().await;
    let mut pen = Pen::at(store.head());
    for round in 0..40_u64 {
        let commit: Vec<_> = (0..8).map(|_| pen.write_alone()).collect();
        let wait = std::time::Duration::from_micros(round * 60);
        if tokio::time::timeout(wait, store.append(facts(&commit)))
            .await
            .is_ok()
        {
            continue;
        }
        match store.append(facts(&commit)).await {
            Ok(head) => assert_eq!(head, pen.head),
            Err(AppendError::Head { found, .. }) => {
                // It was durable before it was abandoned; this store says so rather than write it twice.
                assert_eq!(found, pen.head.sequence);
                drop(store);
                store = world.open().await.0;
                assert_eq!(store.head(), pen.head);
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(store.reader().verify(&mut |_| {}).await.unwrap().head, pen.head);
}
