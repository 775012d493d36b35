//! The driver: one task that owns engine and store. Inputs are decided, recorded and folded one by one, committed in
//! groups, and answered only once they are durable. A failed commit stops the process: nothing speculative was ever
//! shown or sent.
use std::{collections::HashMap, path::Path, sync::Arc};

use autopilot_core::{Effect, Engine, Input, Refusal, input::WalletInput, input::invoice_key};
use autopilot_events::{
    Draft, Event, Head, Recorded,
    pb::BodyRef,
    words::{Digest, JobId},
};
use autopilot_projections::State;
use autopilot_store_sqlite::{
    AppendError, Commit, JournalEntry, MasterKey, OpenError, Opened, ReadError, Reader, SealError, SealedBody,
    Snapshot, Store, Unsealed, Vault,
};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{clock::now_ms, crash};

/// Inputs that wait, at most: beyond it whoever observes has to wait too.
const QUEUE: usize = 1_024;
/// Decisions in one commit, at most.
const GROUP: usize = 256;
/// A snapshot per this many facts.
const SNAPSHOT_EVERY: u64 = 2_000;
const SNAPSHOT_VERSION: u32 = 1;

/// What became of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// Its facts are durable; there may be none.
    Recorded {
        /// The ledger's end after them.
        head: Head,
        /// Numbers of its facts.
        sequences: Vec<u64>,
    },
    /// The same observation was recorded before.
    Duplicate {
        /// Where.
        sequence: u64,
    },
}

/// Why an input was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The decider says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The same key was recorded with another payload. Never "ok".
    #[error("conflict: {key} was recorded as fact {sequence} with another content")]
    Conflict {
        /// The key.
        key: String,
        /// Where.
        sequence: u64,
    },
    /// A text can't be sealed away.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The ledger stopped.
    #[error("the ledger has stopped; see the log for the cause")]
    Stopped,
}

type Reply = oneshot::Sender<Result<Done, SubmitError>>;
type Look = Box<dyn FnOnce(&Engine) + Send>;

enum Request {
    Submit(Box<Input>, Vec<SealedBody>, Reply),
    Look(Look),
    Journal(Vec<JournalEntry>),
    Stop(oneshot::Sender<()>),
}

/// A handle to the running ledger. Cheap to clone.
#[derive(Clone)]
pub struct Ledger {
    requests: mpsc::Sender<Request>,
    outstanding: watch::Receiver<Arc<Vec<Effect>>>,
    head: watch::Receiver<Head>,
    reader: Reader,
    vault: Vault,
}

/// How a ledger was opened, in words for the log and the screen.
pub struct Start {
    /// What the store found.
    pub opened: Opened,
    /// What was noticed and put right, each a sentence.
    pub notes: Vec<String>,
}

impl Ledger {
    /// Opens the ledger, folds it and starts its task. `fatal` is told when the ledger had to stop.
    ///
    /// # Errors
    /// [`OpenError`], which says what is safe to do.
    pub async fn open(
        path: &Path,
        master: MasterKey,
        fatal: mpsc::UnboundedSender<String>,
    ) -> Result<(Ledger, Start), OpenError> {
        let (mut store, opened) = Store::open(path, &mut |_| {}).await?;
        let reader = store.reader();
        let vault = Vault::new(reader.clone(), master);
        let mut notes: Vec<String> = opened
            .dropped_snapshots
            .iter()
            .map(|s| format!("snapshot {} at fact {} was dropped and is rebuilt: {}", s.projection, s.sequence, s.why))
            .collect();
        notes.extend(opened.rebuilt_rows.iter().map(|view| format!("the view {view} was rebuilt from the facts")));
        let engine = restore(&mut store, &reader, &mut notes).await.map_err(|e| OpenError::of_read(path, e))?;
        let (requests, queue) = mpsc::channel(QUEUE);
        let (head_tell, head) = watch::channel(*engine.head());
        let (outstanding_tell, outstanding) = watch::channel(Arc::new(engine.outstanding()));
        let driver = Driver {
            last_snapshot: engine.head().sequence,
            engine,
            store,
            reader: reader.clone(),
            head: head_tell,
            outstanding: outstanding_tell,
        };
        tokio::spawn(driver.run(queue, fatal));
        Ok((Ledger { requests, outstanding, head, reader, vault }, Start { opened, notes }))
    }

    /// Hands an input in, with the text that belongs to it, and waits until what it means is durable.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub async fn submit(&self, mut input: Input, text: Option<(String, &[u8])>) -> Result<Done, SubmitError> {
        let mut bodies = Vec::new();
        if let Some((subject, plaintext)) = text {
            let (reference, body) = self.vault.seal(&subject, plaintext).await?;
            if let Some(place) = input.body_mut() {
                *place = reference;
                bodies.push(body);
            }
        }
        let (reply, answer) = oneshot::channel();
        let request = Request::Submit(Box::new(input), bodies, reply);
        self.requests.send(request).await.map_err(|_| SubmitError::Stopped)?;
        answer.await.map_err(|_| SubmitError::Stopped)?
    }

    /// Looks at durable state.
    ///
    /// # Errors
    /// [`SubmitError::Stopped`].
    pub async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Engine) -> T + Send + 'static,
    ) -> Result<T, SubmitError> {
        let (reply, answer) = oneshot::channel();
        let look: Look = Box::new(move |engine| drop(reply.send(look(engine))));
        self.requests.send(Request::Look(look)).await.map_err(|_| SubmitError::Stopped)?;
        answer.await.map_err(|_| SubmitError::Stopped)
    }

    /// Writes lines beside the ledger. They are bounded and no facts; lost with a stop.
    pub async fn journal(&self, lines: Vec<JournalEntry>) {
        // The journal is no evidence: a ledger that stopped takes no lines, and says so elsewhere.
        let _ = self.requests.send(Request::Journal(lines)).await;
    }

    /// Outstanding work after each commit.
    pub fn outstanding(&self) -> watch::Receiver<Arc<Vec<Effect>>> {
        self.outstanding.clone()
    }

    /// The durable end of the ledger.
    pub fn head(&self) -> watch::Receiver<Head> {
        self.head.clone()
    }

    /// For pages of facts and rows.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Opens a text that a fact refers to.
    ///
    /// # Errors
    /// [`ReadError`]; a text that was erased or is damaged is `None`.
    pub async fn text(&self, reference: &BodyRef) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(match self.vault.unseal(reference).await? {
            Unsealed::Plaintext(text) => Some(text),
            Unsealed::Erased | Unsealed::Missing | Unsealed::Corrupt => None,
        })
    }

    /// Ends the task once everything handed in before is durable.
    pub async fn stop(&self) {
        let (reply, done) = oneshot::channel();
        if self.requests.send(Request::Stop(reply)).await.is_ok() {
            let _ = done.await;
        }
    }
}

/// The engine from the newest snapshot that holds, plus the facts after it.
async fn restore(store: &mut Store, reader: &Reader, notes: &mut Vec<String>) -> Result<Engine, ReadError> {
    let label = State::label();
    let mut engine = Engine::new(Head::empty(), State::default());
    if let Some(snapshot) = reader.snapshot(&label, SNAPSHOT_VERSION).await? {
        match State::from_snapshot(&snapshot.bytes).filter(|_| Digest::of_content(&snapshot.bytes) == snapshot.digest) {
            Some(state) => engine = Engine::new(snapshot.head, state),
            None => {
                store.drop_snapshot(&label, snapshot.head.sequence).await?;
                notes.push(format!("the snapshot at fact {} did not load and is rebuilt", snapshot.head.sequence));
            }
        }
    }
    let from = *engine.head();
    reader.replay(&from, &mut |_| {}, |fact| engine.replay(fact)).await?;
    Ok(engine)
}

struct Driver {
    engine: Engine,
    store: Store,
    reader: Reader,
    head: watch::Sender<Head>,
    outstanding: watch::Sender<Arc<Vec<Effect>>>,
    last_snapshot: u64,
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
    async fn run(mut self, mut queue: mpsc::Receiver<Request>, fatal: mpsc::UnboundedSender<String>) {
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
                    let result = self.decide(*input, bodies, &mut group).await.map_err(|e| e.to_string())?;
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
        let facts = self.engine.record(drafts, |stream| group.streams.get(stream).copied().unwrap_or(0), now);
        let sequences = facts.iter().map(|fact| fact.fact.sequence).collect::<Vec<_>>();
        for fact in facts {
            group.streams.insert(fact.fact.stream.clone(), fact.fact.stream_version);
            if !fact.fact.idempotency_key.is_empty() {
                group.keys.insert(fact.fact.idempotency_key.clone(), group.facts.len());
            }
            group.facts.push(fact);
        }
        if !sequences.is_empty() {
            group.bodies.extend(bodies);
        }
        Ok(Ok(Done::Recorded { head: *self.engine.head(), sequences }))
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
        let Some((sequence, _)) = self.reader.lookup(key).await? else { return Ok(None) };
        let facts = self.reader.facts(sequence.saturating_sub(1), 1).await?;
        Ok(Some((sequence, facts.first().is_some_and(|fact| input.agrees_with(&fact.event)))))
    }

    /// Finds the job of a payment by its hash, where that job is over already.
    async fn bind(&self, input: &mut Input) -> Result<(), ReadError> {
        let Input::Wallet(WalletInput::Received { payment, bound }) = input else { return Ok(()) };
        if let Some((sequence, _)) = self.reader.lookup(&invoice_key(&payment.payment_hash)).await? {
            let facts = self.reader.facts(sequence.saturating_sub(1), 1).await?;
            if let Some(Event::InvoiceIssued(invoice)) = facts.first().map(|fact| &fact.event) {
                *bound = Some(JobId::of(&invoice.job_id));
            }
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
        group.facts.iter().for_each(|fact| crash::point("commit.before", &fact.fact.r#type));
        let commit = Commit { facts: &group.facts, bodies: &group.bodies, journal: &group.journal };
        self.store.append(commit).await?;
        group.facts.iter().for_each(|fact| crash::point("commit.after", &fact.fact.r#type));
        for fact in &group.facts {
            tracing::info!(sequence = fact.fact.sequence, stream = %fact.fact.stream, "{}", fact.fact.r#type);
        }
        Ok(())
    }

    async fn snapshot(&mut self) -> Result<(), ReadError> {
        let head = *self.engine.head();
        let bytes = self.engine.state().to_snapshot();
        let (projection, digest) = (State::label(), Digest::of_content(&bytes));
        let snapshot = Snapshot { projection, version: SNAPSHOT_VERSION, head, digest, bytes };
        self.store.put_snapshot(&snapshot).await?;
        self.last_snapshot = head.sequence;
        Ok(())
    }

    /// Snapshots, compaction, trimming: after the answers, never before them.
    async fn housekeeping(&mut self) -> Result<(), ReadError> {
        let head = *self.engine.head();
        if head.sequence - self.last_snapshot >= SNAPSHOT_EVERY {
            self.snapshot().await?;
            self.store.trim_journal().await?;
        }
        if self.store.compaction_due() {
            self.store.compact().await?;
        }
        Ok(())
    }
}
