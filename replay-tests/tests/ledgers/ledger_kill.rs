//! `kill -9` in the midst of appending: no acknowledged fact is lost, and what is there holds together.
use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    time::Duration,
};

use autopilot_events::Head;
use autopilot_projections::State;
use autopilot_store_sqlite::{Store, rows::HistoryFold};

/// Ends the child whatever happens to the test.
struct Victim(Child);

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn no_acknowledged_fact_is_lost_by_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut durable = 0_u64;
    for round in 0..8_u64 {
        let child = Command::new(env!("CARGO_BIN_EXE_ledger-appender"))
            .arg(&path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut victim = Victim(child);
        let mut lines = BufReader::new(victim.0.stdout.take().unwrap());
        // The moment of the kill moves from commit to commit, and within one by a part of a disk flush.
        for _ in 0..1 + round * 9 {
            let mut line = String::new();
            lines.read_line(&mut line).unwrap();
            durable = durable.max(line.trim().parse().unwrap());
        }
        std::thread::sleep(Duration::from_micros(round * 700));
        victim.0.kill().unwrap();
        victim.0.wait().unwrap();
        let mut rest = String::new();
        lines.read_to_string(&mut rest).unwrap();
        // A last line may be cut off by the kill: only whole ones are acknowledgements.
        let whole = rest.rfind('\n').map_or("", |end| &rest[..end]);
        durable = whole
            .lines()
            .filter_map(|line| line.parse().ok())
            .fold(durable, u64::max);

        let (store, opened) = Store::open(&path, &mut |_| {}).await.unwrap();
        assert!(
            opened.head.sequence >= durable,
            "round {round}: {} < {durable}",
            opened.head.sequence
        );
        assert!(opened.rebuilt_rows.is_empty(), "rows and facts commit together");
        let report = store.reader().verify(&mut |_| {}).await.unwrap();
        assert_eq!((report.broken, report.head), (None, opened.head));
        let (mut state, mut history) = (State::default(), HistoryFold::default());
        store
            .reader()
            .replay(&Head::empty(), &mut |_| {}, |fact| {
                state.apply(fact);
                history.apply(fact);
            })
            .await
            .unwrap();
        let rows = store.reader().history_digest().await.unwrap();
        assert_eq!(rows.unwrap().1, history.digest());
        store.close().await;
    }
    assert!(durable > 20, "the victim did something: {durable}");
}
