//! The task itself: decide, record, commit, answer.
use std::{sync::Arc, time::Instant};

use autopilot_core::{
    Effect, Engine,
    group::{Group, Past},
};
use autopilot_events::{Head, Recorded, words::Digest};
use autopilot_projections::State;
use autopilot_store_sqlite::{
    AppendError, Commit, JournalEntry, ReadError, Reader, SealedBody, Snapshot, Store,
};
use tokio::sync::{mpsc, oneshot, watch};

use super::{Pace, Reply, Request, SubmitError};
use crate::{audit::STATE_SNAPSHOT_VERSION, clock::now_ms, crash};

/// Decisions in one commit, at most.
const GROUP: usize = 256;
/// A snapshot per this many facts.
const SNAPSHOT_EVERY: u64 = 2_000;

/// The engine from the newest snapshot that holds, plus the facts after it.
pub(super) async fn restore(
    store: &mut Store,
    reader: &Reader,
    notes: &mut Vec<String>,
) -> Result<Engine, ReadError> {
    let label = State::label();
    let mut engine = Engine::new(Head::empty(), State::default());
    while let Some(snapshot) = reader.snapshot(&label, STATE_SNAPSHOT_VERSION).await? {
        let whole = Digest::of_content(&snapshot.bytes) == snapshot.digest;
        match whole.then(|| State::from_snapshot(&snapshot.bytes)).flatten() {
            Some(state) => {
                engine = Engine::new(snapshot.head, state);
                break;
            }
            None => {
                store.drop_snapshot(&label, snapshot.head.sequence).await?;
                notes.push(format!(
                    "the snapshot at fact {} did not load and is rebuilt",
                    snapshot.head.sequence
                ));
            }
        }
    }
    let from = *engine.head();
    reader
        .replay(&from, &mut |_| {}, |fact| engine.replay(fact))
        .await?;
    Ok(engine)
}

pub(super) struct Driver {
    pub(super) engine: Engine,
    pub(super) store: Store,
    pub(super) reader: Reader,
    pub(super) head: watch::Sender<Head>,
    pub(super) outstanding: watch::Sender<Arc<Vec<Effect>>>,
    pub(super) last_snapshot: u64,
    pub(super) pace: Arc<Pace>,
}

/// What becomes durable beside a group's facts.
#[derive(Default)]
struct Beside {
    bodies: Vec<SealedBody>,
    journal: Vec<JournalEntry>,
}

/// The ledger on disk, as a group of decisions looks things up in it.
struct OnDisk(Reader);

impl Past for OnDisk {
    type Error = ReadError;

    fn fact_by_key(&self, key: &str) -> impl Future<Output = Result<Option<Recorded>, ReadError>> + Send {
        self.0.fact_by_key(key)
    }

    fn stream_version(&self, stream: &str) -> impl Future<Output = Result<u64, ReadError>> + Send {
        self.0.stream_version(stream)
    }
}

impl Driver {
    pub(super) async fn run(
        mut self,
        mut queue: mpsc::Receiver<Request>,
        fatal: mpsc::UnboundedSender<String>,
    ) {
        let mut requests = Vec::with_capacity(GROUP);
        while queue.recv_many(&mut requests, GROUP).await > 0 {
            match self.group(requests.drain(..)).await {
                Ok(None) => {}
                Ok(Some(stopped)) => {
                    // The next start is faster for it, and a replay has live state to be compared with.
                    if let Err(error) = self.snapshot().await {
                        tracing::warn!(%error, "no snapshot at the end");
                    }
                    self.store.close().await;
                    let _ = stopped.send(());
                    return;
                }
                Err(cause) => {
                    tracing::error!(%cause, "the ledger stops");
                    let _ = fatal.send(cause);
                    return;
                }
            }
        }
    }

    /// Decides a group of inputs, commits it, answers. Looks see durable state only, so they wait for the commit.
    async fn group(
        &mut self,
        requests: impl Iterator<Item = Request>,
    ) -> Result<Option<oneshot::Sender<()>>, String> {
        let mut group: Group<Reply> = Group::default();
        let mut beside = Beside::default();
        let past = OnDisk(self.reader.clone());
        let mut stop = None;
        let (mut looks, mut scrubs) = (Vec::new(), Vec::new());
        for request in requests {
            match request {
                Request::Submit(input, bodies, reply) => {
                    let decided = group.decide(&mut self.engine, &past, *input, now_ms(), reply);
                    if decided.await.map_err(|e| e.to_string())? {
                        beside.bodies.extend(bodies);
                    }
                }
                Request::Look(look) => looks.push(look),
                Request::Journal(lines) => beside.journal.extend(lines),
                Request::Scrub(reply) => scrubs.push(reply),
                Request::Stop(reply) => stop = Some(reply),
            }
        }
        self.commit(group.facts(), &beside)
            .await
            .map_err(|e| e.to_string())?;
        for look in looks {
            look(&self.engine);
        }
        let head = *self.engine.head();
        if *self.head.borrow() != head {
            self.head.send_replace(head);
            self.outstanding.send_replace(Arc::new(self.engine.outstanding()));
        }
        let answers = group.answers(&self.store.head()).map_err(|e| e.to_string())?;
        for (reply, answer) in answers {
            // Whoever asked may be gone; the facts are durable all the same.
            let _ = reply.send(answer.map_err(SubmitError::from));
        }
        self.housekeeping().await.map_err(|e| e.to_string())?;
        if !scrubs.is_empty() {
            let clean = self.scrub().await;
            for reply in scrubs {
                // Whoever asked may be gone.
                let _ = reply.send(clean);
            }
        }
        Ok(stop)
    }

    async fn commit(&mut self, facts: &[Recorded], beside: &Beside) -> Result<(), AppendError> {
        let (bodies, journal) = (&beside.bodies, &beside.journal);
        if facts.is_empty() && bodies.is_empty() && journal.is_empty() {
            return Ok(());
        }
        let all_at = |point| {
            facts
                .iter()
                .for_each(|fact| crash::point(point, &fact.fact.r#type));
        };
        all_at("commit.before");
        let begun = Instant::now();
        self.store
            .append(Commit {
                facts,
                bodies,
                journal,
            })
            .await?;
        self.pace.took(begun.elapsed());
        all_at("commit.after");
        for fact in facts {
            tracing::info!(sequence = fact.fact.sequence, stream = %fact.fact.stream, "{}", fact.fact.r#type);
        }
        Ok(())
    }

    /// Texts are forgotten once their keys are dropped; that their remains can't be overwritten now stops nothing.
    async fn scrub(&mut self) -> bool {
        self.store.scrub().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "remains of forgotten texts lie in free pages; it is tried again at the next start");
            false
        })
    }

    async fn snapshot(&mut self) -> Result<(), ReadError> {
        let head = *self.engine.head();
        let bytes = self.engine.state().to_snapshot();
        let snapshot = Snapshot::new(State::label(), STATE_SNAPSHOT_VERSION, head, bytes);
        self.store.put_snapshot(&snapshot).await?;
        self.last_snapshot = head.sequence;
        Ok(())
    }

    /// Snapshots, compaction, trimming: after the answers, never before them.
    async fn housekeeping(&mut self) -> Result<(), ReadError> {
        let head = *self.engine.head();
        if head.sequence - self.last_snapshot >= SNAPSHOT_EVERY {
            self.snapshot().await?;
        }
        self.store.trim_journal().await?;
        if self.store.compaction_due() {
            self.store.compact().await?;
        }
        Ok(())
    }
}
