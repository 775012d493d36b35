//! What opening refuses, with which words, and that it changes nothing then.

use std::path::Path;

use super::support::{Pen, World};
use autopilot_store_sqlite::{
    AppendError, Broken, Commit, DroppedSnapshot, OpenError, Reader, Snapshot, Store,
};

async fn open(path: &Path) -> Result<(), OpenError> {
    Store::open(path, &mut |_| {}).await.map(|_| ())
}

/// The database and its log, as bytes.
fn content(path: &Path) -> Vec<Vec<u8>> {
    ["", "-wal"]
        .map(|suffix| std::fs::read(format!("{}{suffix}", path.display())).unwrap_or_default())
        .to_vec()
}

#[tokio::test]
async fn a_newer_format_is_left_alone() {
    let world = World::new();
    world.ledger(2, 2).await;
    world
        .cut("UPDATE meta SET value = 2 WHERE key = 'format'; PRAGMA wal_checkpoint(TRUNCATE)")
        .await;
    let before = content(&world.path());
    let refused = open(&world.path()).await.unwrap_err();
    assert!(
        matches!(refused, OpenError::NewerFormat { found: 2, known: 1 }),
        "{refused}"
    );
    assert!(matches!(
        Reader::open(&world.path()).await,
        Err(OpenError::NewerFormat { .. })
    ));
    assert_eq!(content(&world.path()), before);
}

#[tokio::test]
async fn a_file_that_is_no_ledger_is_left_alone() {
    let world = World::new();
    for bytes in [b"a letter to my aunt".to_vec(), vec![0; 8192]] {
        std::fs::write(world.path(), &bytes).unwrap();
        let refused = open(&world.path()).await.unwrap_err();
        assert!(matches!(refused, OpenError::NotALedger { .. }), "{refused:?}");
        assert_eq!(std::fs::read(world.path()).unwrap(), bytes);
    }
    std::fs::remove_file(world.path()).unwrap();
    let mut foreign = {
        use sqlx::ConnectOptions;
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(world.path())
            .create_if_missing(true);
        options.connect().await.unwrap()
    };
    sqlx::raw_sql("CREATE TABLE letters(text)")
        .execute(&mut foreign)
        .await
        .unwrap();
    let before = content(&world.path());
    let refused = open(&world.path()).await.unwrap_err();
    assert!(matches!(refused, OpenError::NotALedger { .. }), "{refused:?}");
    assert_eq!(content(&world.path()), before);
}

#[tokio::test]
async fn nothing_to_read_and_no_folder_are_said() {
    let world = World::new();
    assert!(matches!(
        Reader::open(&world.path()).await,
        Err(OpenError::Missing { .. })
    ));
    let nowhere = world.folder.path().join("no/such/ledger.db");
    assert!(matches!(open(&nowhere).await, Err(OpenError::Missing { .. })));
}

#[tokio::test]
async fn a_broken_chain_is_named_by_its_fact_and_nothing_is_repaired() {
    let world = World::new();
    world.ledger(5, 1).await;
    world
        .cut("UPDATE block SET bytes = zeroblob(length(bytes)) WHERE first_sequence = 4; PRAGMA wal_checkpoint(TRUNCATE)")
        .await;
    let before = content(&world.path())[0].clone();
    match open(&world.path()).await {
        Err(OpenError::ChainBroken(Broken { sequence: 4, .. })) => {}
        other => panic!("{other:?}"),
    }
    // Reading for a verdict is possible still, and the stored facts are as they were found.
    let report = Reader::open(&world.path())
        .await
        .unwrap()
        .verify(&mut |_| {})
        .await
        .unwrap();
    assert_eq!(
        (report.facts, report.broken.map(|broken| broken.sequence)),
        (3, Some(4))
    );
    let after = content(&world.path())[0].clone();
    assert_eq!(before.len(), after.len());
    assert!(matches!(
        open(&world.path()).await,
        Err(OpenError::ChainBroken(_))
    ));
}

#[tokio::test]
async fn a_snapshot_of_another_chain_is_dropped_and_said() {
    let world = World::new();
    let written = world.ledger(4, 3).await;
    let (mut store, _) = world.open().await;
    for sequence in [3, 7, 11] {
        let head = written[sequence - 1].head();
        let snapshot = Snapshot {
            projection: "state".into(),
            version: 1,
            head,
            digest: autopilot_events::words::Digest([5; 32]),
            bytes: vec![sequence as u8; 10],
        };
        store.put_snapshot(&snapshot).await.unwrap();
        assert_eq!(
            store.reader().snapshot("state", 1).await.unwrap(),
            Some(snapshot.clone())
        );
        let stray = Snapshot {
            head: autopilot_events::Head { sequence: 2, ..head },
            ..snapshot
        };
        assert!(store.put_snapshot(&stray).await.is_err());
    }
    assert_eq!(store.reader().snapshot("state", 2).await.unwrap(), None);
    store.close().await;
    world
        .cut("UPDATE snapshot SET chain = zeroblob(32) WHERE sequence = 11")
        .await;
    let (store, opened) = world.open().await;
    let dropped = DroppedSnapshot {
        projection: "state".into(),
        sequence: 11,
        why: "it stands on another chain",
    };
    assert_eq!(opened.dropped_snapshots, [dropped]);
    assert_eq!(
        store
            .reader()
            .snapshot("state", 1)
            .await
            .unwrap()
            .unwrap()
            .head
            .sequence,
        7
    );
}

/// Drops the rights over other people's files, for this thread and the threads that it starts.
fn as_a_stranger(work: impl FnOnce() + Send + 'static) {
    std::thread::spawn(move || {
        if nix::unistd::geteuid().is_root() {
            nix::unistd::setfsuid(nix::unistd::Uid::from_raw(65_534));
        }
        work();
    })
    .join()
    .unwrap();
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

#[test]
fn a_read_only_folder_is_refused_for_writing_and_served_for_reading() {
    use std::os::unix::fs::PermissionsExt;
    let set =
        |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    let world = World::new();
    let written = block_on(world.ledger(3, 4));
    let path = world.path();
    set(&path, 0o444);
    set(world.folder.path(), 0o555);
    as_a_stranger(move || {
        let refused = block_on(open(&path)).unwrap_err();
        assert!(matches!(refused, OpenError::ReadOnly { .. }), "{refused:?}");
        block_on(async {
            let reader = Reader::open(&path).await.unwrap();
            let report = reader.verify(&mut |_| {}).await.unwrap();
            assert!(
                report.ok() && report.head == written.last().unwrap().head(),
                "{report:?}"
            );
        });
    });
    set(world.folder.path(), 0o755);
}

#[test]
fn a_full_disk_is_said_at_opening() {
    // A file system of its own, small enough to fill, where the machine lets us have one.
    let world = World::new();
    let at = world.folder.path().to_owned();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=512k,mode=700", "tmpfs"])
        .arg(&at)
        .stderr(std::process::Stdio::null())
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("not run: this machine lets nobody mount a small file system (needs root)");
        return;
    }
    let outcome = std::panic::catch_unwind(|| {
        block_on(async {
            world.ledger(2, 2).await;
            let ballast = at.join("ballast");
            // Fills what is left; the error is the point.
            let _ = std::fs::write(&ballast, vec![1; 1 << 20]);
            let refused = open(&world.path()).await.unwrap_err();
            assert!(matches!(refused, OpenError::DiskFull { .. }), "{refused:?}");
            std::fs::remove_file(&ballast).unwrap();
            let (mut store, opened) = world.open().await;
            assert_eq!(opened.head.sequence, 4);

            // Full in the midst of commits: refused, whole, and nothing is lost; with space again it goes on.
            let _ = std::fs::write(&ballast, vec![1; 1 << 20]);
            let mut pen = Pen::at(opened.head);
            let refused = loop {
                let commit: Vec<_> = (0..50).map(|_| pen.write_alone()).collect();
                match store
                    .append(Commit {
                        facts: &commit,
                        ..Commit::default()
                    })
                    .await
                {
                    Ok(head) => assert_eq!(head, pen.head),
                    Err(error) => break (error, commit),
                }
            };
            assert!(matches!(refused.0, AppendError::DiskFull), "{:?}", refused.0);
            std::fs::remove_file(&ballast).unwrap();
            store
                .append(Commit {
                    facts: &refused.1,
                    ..Commit::default()
                })
                .await
                .unwrap();
            assert_eq!(store.head(), pen.head);
            assert!(store.reader().verify(&mut |_| {}).await.unwrap().ok());
            store.close().await;
            let (store, opened) = world.open().await;
            assert_eq!(opened.head, pen.head);
            store.close().await;
        });
    });
    let unmounted = std::process::Command::new("umount")
        .arg("-l")
        .arg(&at)
        .status()
        .unwrap();
    assert!(unmounted.success());
    outcome.unwrap();
}
