//! The driver: one task that owns engine and store. Inputs are decided, recorded and folded one by one, committed in
//! groups, and answered only once they are durable. A failed commit stops the process: nothing speculative was ever
//! shown or sent.
mod driver;
mod pace;
pub mod recheck;

use std::{path::Path, sync::Arc, time::Duration};

pub use autopilot_core::group::Done;
use autopilot_core::{Effect, Engine, Input, Refusal, group::Declined};
use autopilot_events::{Head, pb::BodyRef, texts::forgotten_key};
use autopilot_store_sqlite::{
    JournalEntry, MasterKey, OpenError, Opened, ReadError, Reader, SealError, SealedBody, Store, Unsealed,
    Vault,
};
use tokio::sync::{mpsc, oneshot, watch};

use driver::{Driver, restore};
pub use pace::{Latency, Pace};
pub use recheck::Check;

/// Inputs that wait, at most: beyond it whoever observes has to wait too.
const QUEUE: usize = 1_024;

/// Why an input was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The decider says no.
    #[error(transparent)]
    Refused(Refusal),
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

impl From<Declined> for SubmitError {
    fn from(declined: Declined) -> SubmitError {
        match declined {
            Declined::Refused(refusal) => SubmitError::Refused(refusal),
            Declined::Conflict { key, sequence } => SubmitError::Conflict { key, sequence },
        }
    }
}

type Reply = oneshot::Sender<Result<Done, SubmitError>>;
type Look = Box<dyn FnOnce(&Engine) + Send>;

enum Request {
    Submit(Box<Input>, Vec<SealedBody>, Reply),
    Look(Look),
    Journal(Vec<JournalEntry>),
    /// Answered with whether no remains of forgotten texts are left.
    Scrub(oneshot::Sender<bool>),
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
    check: Arc<watch::Sender<Check>>,
    /// How often somebody wanted everything read again at once.
    check_wanted: Arc<watch::Sender<u64>>,
    pace: Arc<Pace>,
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
            .map(|s| {
                format!(
                    "snapshot {} at fact {} was dropped and is rebuilt: {}",
                    s.projection, s.sequence, s.why
                )
            })
            .collect();
        notes.extend(opened.dropped_anchors.iter().map(|anchor| {
            format!(
                "an anchor at fact {} was dropped, more of the ledger was read instead: {}",
                anchor.sequence, anchor.why
            )
        }));
        notes.extend(
            opened
                .rebuilt_rows
                .iter()
                .map(|view| format!("the view {view} was rebuilt from the facts")),
        );
        let engine = restore(&mut store, &reader, &mut notes)
            .await
            .map_err(|e| OpenError::of_read(path, e))?;
        let (requests, queue) = mpsc::channel(QUEUE);
        let (head_tell, head) = watch::channel(*engine.head());
        let (outstanding_tell, outstanding) = watch::channel(Arc::new(engine.outstanding()));
        let pace = Arc::<Pace>::default();
        let driver = Driver {
            pace: pace.clone(),
            last_snapshot: engine.head().sequence,
            engine,
            store,
            reader: reader.clone(),
            head: head_tell,
            outstanding: outstanding_tell,
        };
        tokio::spawn(driver.run(queue, fatal));
        Ok((
            Ledger {
                requests,
                outstanding,
                head,
                reader,
                vault,
                check: Arc::default(),
                check_wanted: Arc::default(),
                pace,
            },
            Start { opened, notes },
        ))
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
        self.requests
            .send(request)
            .await
            .map_err(|_| SubmitError::Stopped)?;
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
        self.requests
            .send(Request::Look(look))
            .await
            .map_err(|_| SubmitError::Stopped)?;
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

    /// How far reading the ledger again is, and what it found.
    pub fn check(&self) -> Check {
        self.check.borrow().clone()
    }

    /// Has everything read again from now on, without rests, and waits for the end of that or for `patience`. Whether it
    /// was reached, with how far it is.
    pub async fn check_now(&self, patience: Duration) -> (bool, Check) {
        let mut check = self.check.subscribe();
        // A round that is under way has read what it read before it was asked for.
        let round = check.borrow().begun + 1;
        self.check_wanted.send_modify(|wanted| *wanted += 1);
        let reached = check.wait_for(|check| check.defect.is_some() || check.ended >= round);
        let over = matches!(tokio::time::timeout(patience, reached).await, Ok(Ok(_)));
        (over, self.check())
    }

    /// How long commits took.
    pub fn pace(&self) -> &Pace {
        &self.pace
    }

    /// For pages of facts and rows.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Opens a text that a fact refers to.
    ///
    /// # Errors
    /// [`ReadError`]; a text that was forgotten or is damaged is `None`.
    pub async fn text(&self, reference: &BodyRef) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(match self.vault.unseal(reference).await? {
            Unsealed::Plaintext(text) => Some(text),
            Unsealed::Erased | Unsealed::Missing | Unsealed::Corrupt => None,
        })
    }

    /// When the texts of a subject were forgotten (milliseconds since the Unix epoch), if they were.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn forgotten_at_ms(&self, subject: &str) -> Result<Option<i64>, ReadError> {
        let fact = self.reader.fact_by_key(&forgotten_key(subject)).await?;
        Ok(fact.map(|fact| fact.fact.recorded_at_ms))
    }

    /// Takes the remains of forgotten texts out of free pages and log, where there are any. `false`: not now, and it is
    /// tried again at the next start.
    pub async fn scrub(&self) -> bool {
        let (reply, done) = oneshot::channel();
        self.requests.send(Request::Scrub(reply)).await.is_ok() && done.await.unwrap_or(false)
    }

    /// Ends the task once everything handed in before is durable.
    pub async fn stop(&self) {
        let (reply, done) = oneshot::channel();
        if self.requests.send(Request::Stop(reply)).await.is_ok() {
            let _ = done.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A relay can make us write lines without a single fact: the journal is bounded by itself.
    #[tokio::test]
    async fn chatter_without_facts_stays_bounded_and_what_falls_out_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let (fatal, _stopped) = mpsc::unbounded_channel();
        let path = folder.path().join("ledger.sqlite");
        let (ledger, _) = Ledger::open(&path, MasterKey([7; 32]), fatal).await.unwrap();
        let line = JournalEntry {
            at_ms: 1,
            kind: "relay.forged".to_owned(),
            subject: String::new(),
            text: "id or signature is wrong".to_owned(),
        };
        let most = autopilot_store_sqlite::journal::MAX_LINES;
        let batches = most.div_ceil(1_000) + 1;
        for _ in 0..batches {
            ledger.journal(vec![line.clone(); 1_000]).await;
        }
        ledger.look(|_| ()).await.unwrap();
        // A look is answered with its group; the trimming of that group is done before the next.
        ledger.look(|_| ()).await.unwrap();
        let (lines, dropped) = ledger
            .reader()
            .journal(&autopilot_store_sqlite::JournalQuery::newest(u32::MAX))
            .await
            .unwrap();
        assert!(lines.len() as u64 <= most, "{} lines", lines.len());
        assert_eq!(
            lines.len() as u64 + dropped,
            batches * 1_000,
            "nothing is dropped uncounted"
        );
        ledger.stop().await;
    }
}
