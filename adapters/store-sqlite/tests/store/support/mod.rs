//! A small world for tests of the store: plain facts, a place for a ledger, and the surgeon's knife.
#![allow(dead_code)]
use std::{collections::HashMap, path::PathBuf};

use autopilot_events::{
    Draft, Event, Head, Recorded,
    envelope::seal,
    pb::{self, Source},
};
use autopilot_store_sqlite::{Commit, Opened, Store};
use sqlx::{ConnectOptions, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

/// A folder that goes when the test ends.
pub struct World {
    pub folder: TempDir,
}

impl World {
    pub fn new() -> World {
        World {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    pub async fn open(&self) -> (Store, Opened) {
        Store::open(&self.path(), &mut |_| {}).await.unwrap()
    }

    /// A connection that obeys no rule of the store.
    pub async fn knife(&self) -> SqliteConnection {
        SqliteConnectOptions::new()
            .filename(self.path())
            .connect()
            .await
            .unwrap()
    }

    pub async fn cut(&self, statement: &'static str) {
        sqlx::raw_sql(statement)
            .execute(&mut self.knife().await)
            .await
            .unwrap();
    }

    /// A closed ledger of `commits` blocks of `facts` facts each.
    pub async fn ledger(&self, commits: u64, facts: u64) -> Vec<Recorded> {
        let (mut store, _) = self.open().await;
        let mut pen = Pen::at(store.head());
        let mut all = Vec::new();
        for _ in 0..commits {
            let block: Vec<Recorded> = (0..facts).map(|_| pen.next()).collect();
            store
                .append(Commit {
                    facts: &block,
                    ..Commit::default()
                })
                .await
                .unwrap();
            all.extend(block);
        }
        store.close().await;
        all
    }
}

/// Writes facts that continue a ledger.
pub struct Pen {
    pub head: Head,
    versions: HashMap<String, u64>,
}

impl Pen {
    pub fn at(head: Head) -> Pen {
        Pen {
            head,
            versions: HashMap::new(),
        }
    }

    /// A job, a refusal, a liveness: in turns, over a few streams, two of three with a key.
    pub fn next(&mut self) -> Recorded {
        let n = self.head.sequence + 1;
        let id = |tag: u8, n: u64| {
            blake3::hash(&[&[tag], n.to_le_bytes().as_slice()].concat())
                .as_bytes()
                .to_vec()
        };
        let job = id(1, n / 3);
        let (event, stream): (Event, String) = match n % 3 {
            0 => (
                pb::JobReceived {
                    job_id: job.clone(),
                    market: "nip90".into(),
                    native_id: id(2, n),
                    requester: id(3, n % 7),
                    kind: 5050,
                    bid_msat: Some(10_000),
                    ..Default::default()
                }
                .into(),
                format!("job/{}", n / 3),
            ),
            1 => (
                pb::JobRefused {
                    job_id: job.clone(),
                    reason: 9,
                    policy_digest: vec![7; 32],
                    ..Default::default()
                }
                .into(),
                format!("job/{}", n / 3),
            ),
            _ => (
                pb::LivenessRecorded {
                    run_id: vec![1; 16],
                    online_ms: n,
                }
                .into(),
                "provider".into(),
            ),
        };
        let key = if n % 3 == 2 {
            String::new()
        } else {
            format!("key/{n}")
        };
        self.write(event, &stream, &key)
    }

    /// A fact with a stream of its own, so that a pen may go on behind any ledger.
    pub fn write_alone(&mut self) -> Recorded {
        let n = self.head.sequence + 1;
        let event = pb::LivenessRecorded {
            run_id: vec![1; 16],
            online_ms: n,
        };
        self.write(event.into(), &format!("alone/{n}"), "")
    }

    pub fn write(&mut self, event: Event, stream: &str, key: &str) -> Recorded {
        let version = self.versions.entry(stream.to_owned()).or_insert(0);
        *version += 1;
        let draft = Draft {
            event,
            stream: stream.to_owned(),
            source: Source::Clock,
            idempotency_key: key.to_owned(),
            correlation: Vec::new(),
        };
        let fact = seal(
            &self.head,
            *version,
            draft,
            0,
            1_700_000_000_000 + self.head.sequence as i64,
        );
        self.head = fact.head();
        fact
    }
}
