//! The task itself: decide, record, commit, answer.
use std::{collections::HashMap, sync::Arc};

use autopilot_core::{Effect, Engine, Input, input::WalletInput, input::invoice_key};
use autopilot_events::{Draft, Event, Head, Recorded, words::Digest, words::JobId};
use autopilot_projections::State;
use autopilot_store_sqlite::{
    AppendError, Commit, JournalEntry, ReadError, Reader, SealedBody, Snapshot, Store,
};
use tokio::sync::{mpsc, oneshot, watch};

use super::{Done, Reply, Request, SubmitError};
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
    if let Some(snapshot) = reader.snapshot(&label, STATE_SNAPSHOT_VERSION).await? {
        match State::from_snapshot(&snapshot.bytes)
            .filter(|_| Digest::of_content(&snapshot.bytes) == snapshot.digest)
        {
            Some(state) => engine = Engine::new(snapshot.head, state),
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
}

/// What is decided and not yet durable.
#[derive(Default)]
struct Group {
    facts: Vec<Recorded>,
    bodies: Vec<SealedBody>,
    journal: Vec<JournalEntry>,
    replies: Vec<(Reply, Result<Done, SubmitError>)>,
    streams: HashMap<String, u64>,
    keys: HashMap<String, usize>,
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
        let mut group = Group::default();
        let mut stop = None;
        let mut looks = Vec::new();
        for request in requests {
            match request {
                Request::Submit(input, bodies, reply) => {
                    let result = self
                        .decide(*input, bodies, &mut group)
                        .await
                        .map_err(|e| e.to_string())?;
                    group.replies.push((reply, result));
                }
                Request::Look(look) => looks.push(look),
                Request::Journal(lines) => group.journal.extend(lines),
                Request::Stop(reply) => stop = Some(reply),
            }
        }
        self.commit(&mut group).await.map_err(|e| e.to_string())?;
        for look in looks {
            look(&self.engine);
        }
        let head = *self.engine.head();
        if *self.head.borrow() != head {
            self.head.send_replace(head);
            self.outstanding.send_replace(Arc::new(self.engine.outstanding()));
        }
        for (reply, result) in group.replies {
            // Whoever asked may be gone; the facts are durable all the same.
            let _ = reply.send(result.map(|done| match done {
                Done::Recorded { sequences, .. } => Done::Recorded { head, sequences },
                duplicate => duplicate,
            }));
        }
        self.housekeeping().await.map_err(|e| e.to_string())?;
        Ok(stop)
    }

    async fn decide(
        &mut self,
        mut input: Input,
        bodies: Vec<SealedBody>,
        group: &mut Group,
    ) -> Result<Result<Done, SubmitError>, ReadError> {
        if let Some(key) = input.identity()
            && let Some((sequence, agrees)) = self.recorded(&key, &input, group).await?
        {
            return Ok(if agrees {
                Ok(Done::Duplicate { sequence })
            } else {
                Err(SubmitError::Conflict { key, sequence })
            });
        }
        self.bind(&mut input).await?;
        let now = now_ms();
        let drafts = match self.engine.decide(input, now) {
            Ok(drafts) => drafts,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        self.know_streams(&drafts, group).await?;
        let facts = self.engine.record(
            drafts,
            |stream| group.streams.get(stream).copied().unwrap_or(0),
            now,
        );
        let sequences = facts.iter().map(|fact| fact.fact.sequence).collect::<Vec<_>>();
        for fact in facts {
            group
                .streams
                .insert(fact.fact.stream.clone(), fact.fact.stream_version);
            if !fact.fact.idempotency_key.is_empty() {
                group
                    .keys
                    .insert(fact.fact.idempotency_key.clone(), group.facts.len());
            }
            group.facts.push(fact);
        }
        if !sequences.is_empty() {
            group.bodies.extend(bodies);
        }
        Ok(Ok(Done::Recorded {
            head: *self.engine.head(),
            sequences,
        }))
    }

    /// The fact that took this key, durable or about to be, and whether the input says the same.
    async fn recorded(
        &self,
        key: &str,
        input: &Input,
        group: &Group,
    ) -> Result<Option<(u64, bool)>, ReadError> {
        if let Some(fact) = group.keys.get(key).and_then(|index| group.facts.get(*index)) {
            return Ok(Some((fact.fact.sequence, input.agrees_with(&fact.event))));
        }
        let fact = self.reader.fact_by_key(key).await?;
        Ok(fact.map(|fact| (fact.fact.sequence, input.agrees_with(&fact.event))))
    }

    /// Finds the job of a payment by its hash, where that job is over already.
    async fn bind(&self, input: &mut Input) -> Result<(), ReadError> {
        let Input::Wallet(WalletInput::Received { payment, bound }) = input else {
            return Ok(());
        };
        let issued = self
            .reader
            .fact_by_key(&invoice_key(&payment.payment_hash))
            .await?;
        if let Some(Event::InvoiceIssued(invoice)) = issued.map(|fact| fact.event) {
            *bound = Some(JobId::of(&invoice.job_id));
        }
        Ok(())
    }

    async fn know_streams(&self, drafts: &[Draft], group: &mut Group) -> Result<(), ReadError> {
        for draft in drafts {
            if !group.streams.contains_key(&draft.stream) {
                let version = self.reader.stream_version(&draft.stream).await?;
                group.streams.insert(draft.stream.clone(), version);
            }
        }
        Ok(())
    }

    async fn commit(&mut self, group: &mut Group) -> Result<(), AppendError> {
        if group.facts.is_empty() && group.bodies.is_empty() && group.journal.is_empty() {
            return Ok(());
        }
        group
            .facts
            .iter()
            .for_each(|fact| crash::point("commit.before", &fact.fact.r#type));
        let commit = Commit {
            facts: &group.facts,
            bodies: &group.bodies,
            journal: &group.journal,
        };
        self.store.append(commit).await?;
        group
            .facts
            .iter()
            .for_each(|fact| crash::point("commit.after", &fact.fact.r#type));
        for fact in &group.facts {
            tracing::info!(sequence = fact.fact.sequence, stream = %fact.fact.stream, "{}", fact.fact.r#type);
        }
        Ok(())
    }

    async fn snapshot(&mut self) -> Result<(), ReadError> {
        let head = *self.engine.head();
        let bytes = self.engine.state().to_snapshot();
        let (projection, digest) = (State::label(), Digest::of_content(&bytes));
        let snapshot = Snapshot {
            projection,
            version: STATE_SNAPSHOT_VERSION,
            head,
            digest,
            bytes,
        };
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
