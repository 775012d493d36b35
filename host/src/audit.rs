//! Reading a home's ledger without its host, or beside it: read-only, with progress, in bounded memory.
use std::path::{Path, PathBuf};

use autopilot_events::{Head, Recorded, words::Digest};
use autopilot_projections::State;
use autopilot_store_sqlite::{BodyCounts, JournalEntry, OpenError, ReadError, Reader, rows::HistoryFold};

pub use autopilot_store_sqlite::{JournalQuery, Progress};

mod line;
mod receipt;

pub use line::{FactDocument, fact_line};
pub use receipt::Receipt;

/// Version under which snapshots of [`State`] are kept; their name ([`State::label`]) carries the folds' versions.
pub const STATE_SNAPSHOT_VERSION: u32 = 1;

/// Rows of history that a replay folds in memory; beyond them the view is not compared, and that is said.
pub const HISTORY_ROWS_MAX: u64 = 250_000;

/// `<home>/ledger/ledger.sqlite`.
pub fn ledger_path(home: &Path) -> PathBuf {
    home.join("ledger").join("ledger.sqlite")
}

/// Why a ledger could not be read.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// It was not opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It was opened, and reading failed.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl AuditError {
    /// A short, stable name: `ledger-missing`, `ledger-locked`, `ledger-broken`, `ledger-newer`, `not-a-ledger`,
    /// `beyond-end` or `ledger-unreadable`.
    pub fn code(&self) -> &'static str {
        match self {
            AuditError::Open(OpenError::Missing { .. }) => "ledger-missing",
            AuditError::Open(OpenError::Locked { .. }) => "ledger-locked",
            AuditError::Open(OpenError::ChainBroken(_) | OpenError::Corrupt { .. }) => "ledger-broken",
            AuditError::Open(OpenError::NewerFormat { .. }) => "ledger-newer",
            AuditError::Open(OpenError::NotALedger { .. }) => "not-a-ledger",
            AuditError::Read(ReadError::Broken(_) | ReadError::Row { .. }) => "ledger-broken",
            AuditError::Read(ReadError::BeyondEnd { .. }) => "beyond-end",
            AuditError::Open(_) | AuditError::Read(_) => "ledger-unreadable",
        }
    }
}

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Everything is as it was written; bodies erased on purpose count as such.
    pub ok: bool,
    /// Facts that hold, from the first on.
    pub facts: u64,
    /// Chain value after the last of them.
    pub head: Head,
    /// The first fact that does not hold, and why. Number 0: the facts are whole, an index disagrees with them.
    pub broken: Option<(u64, String)>,
    /// Texts beside the facts.
    pub bodies: BodyCounts,
    /// Facts of types that this program does not know.
    pub unknown: u64,
}

/// One comparison of a replay with what is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// What was compared, e.g. `snapshot` or `history`.
    pub what: &'static str,
    /// The fact after which both stand; 0: nothing stored to compare with.
    pub sequence: u64,
    /// `Some(true)`: equal. `None`: not compared, `detail` says why.
    pub equal: Option<bool>,
    /// A sentence.
    pub detail: String,
}

/// A ledger folded from its first fact.
#[derive(Clone, Debug)]
pub struct Replay {
    /// Where the folding ended.
    pub head: Head,
    /// Label and digest of each fold.
    pub digests: Vec<(String, Digest)>,
    /// The folds themselves.
    pub state: State,
    /// How they compare with the newest snapshot and the stored rows.
    pub comparisons: Vec<Comparison>,
}

impl Replay {
    /// Whether nothing stored differs from what the facts give.
    pub fn agrees(&self) -> bool {
        self.comparisons
            .iter()
            .all(|comparison| comparison.equal != Some(false))
    }
}

/// A ledger open for reading.
#[derive(Clone, Debug)]
pub struct Audit {
    path: PathBuf,
    reader: Reader,
}

impl Audit {
    /// Opens the ledger of a home folder. Works beside a running host, and changes nothing.
    ///
    /// # Errors
    /// [`AuditError::Open`].
    pub async fn open(home: &Path) -> Result<Audit, AuditError> {
        let path = ledger_path(home);
        let reader = Reader::open(&path).await?;
        Ok(Audit { path, reader })
    }

    /// The newest lines of the journal that are asked for, newest first, and how many were ever dropped.
    ///
    /// # Errors
    /// [`AuditError::Read`].
    pub async fn journal(&self, query: &JournalQuery) -> Result<(Vec<JournalEntry>, u64), AuditError> {
        Ok(self.reader.journal(query).await?)
    }

    /// For rows beside the facts.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the ledger ends; only its last block is read.
    ///
    /// # Errors
    /// [`AuditError::Read`].
    pub async fn head(&self) -> Result<Head, AuditError> {
        Ok(self.reader.head().await?)
    }

    /// Up to `limit` facts (at most 4,096) after number `after`.
    ///
    /// # Errors
    /// [`AuditError::Read`], `beyond-end` when the ledger ends before `after`.
    pub async fn facts(&self, after: u64, limit: u32) -> Result<Vec<Recorded>, AuditError> {
        Ok(self.reader.facts(after, limit).await?)
    }

    /// Recomputes the chain over every stored byte, and checks the indexes and bodies against the facts.
    ///
    /// # Errors
    /// [`AuditError::Read`] where the file can't be read; what is wrong with the ledger is in the verdict.
    pub async fn verify(&self, progress: &mut (dyn FnMut(Progress) + Send)) -> Result<Verdict, AuditError> {
        let report = self.reader.verify(progress).await?;
        Ok(Verdict {
            ok: report.ok(),
            facts: report.facts,
            head: report.head,
            broken: report.broken.map(|broken| (broken.sequence, broken.why)),
            bodies: report.bodies,
            unknown: report.unknown,
        })
    }

    /// Folds the facts from the first one to `at` (`None`: the end), and compares on the way.
    ///
    /// # Errors
    /// [`AuditError::Read`], `beyond-end` when the ledger ends before `at`.
    pub async fn replay(
        &self,
        at: Option<u64>,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Replay, AuditError> {
        let end = match at {
            Some(sequence) => self.reader.head_at(sequence).await?.sequence,
            None => self.reader.head().await?.sequence,
        };
        let snapshot = self
            .reader
            .snapshot(&State::label(), STATE_SNAPSHOT_VERSION)
            .await?;
        let rows = self.reader.history_digest().await?;
        let (mut state, mut head) = (State::default(), Head::empty());
        let mut history = History {
            fold: HistoryFold::default(),
            first_facts: 0,
            found: None,
        };
        let mut at_snapshot = None;
        let of_rows = rows.map(|(sequence, _)| sequence);
        let of_snapshot = snapshot.as_ref().map(|snapshot| snapshot.head.sequence);
        self.reader
            .replay(&head.clone(), progress, |fact| {
                let sequence = fact.fact.sequence;
                if sequence > end {
                    return; // The host goes on writing; what is compared is one moment.
                }
                state.apply(fact);
                head = fact.head();
                if of_rows.is_some_and(|rows| sequence <= rows) {
                    history.apply(fact, of_rows == Some(sequence));
                }
                if of_snapshot == Some(sequence) {
                    at_snapshot = Some(state.digests());
                }
            })
            .await?;
        let stored = snapshot.map(|snapshot| (snapshot.head.sequence, State::from_snapshot(&snapshot.bytes)));
        let comparisons = vec![
            compare_snapshot(stored, at_snapshot),
            compare_history(rows, &history),
        ];
        Ok(Replay {
            head,
            digests: state.digests(),
            state,
            comparisons,
        })
    }
}

/// The history folded up to the fact that the stored rows stand on.
struct History {
    fold: HistoryFold,
    first_facts: u64,
    found: Option<Digest>,
}

impl History {
    fn apply(&mut self, fact: &Recorded, last: bool) {
        let begins = matches!(fact.fact.r#type.as_str(), "job.received" | "purchase.requested");
        self.first_facts += u64::from(begins);
        if self.first_facts > HISTORY_ROWS_MAX {
            self.fold = HistoryFold::default();
            return;
        }
        self.fold.apply(fact);
        if last {
            self.found = Some(self.fold.digest());
        }
    }
}

fn compare_snapshot(
    stored: Option<(u64, Option<State>)>,
    replayed: Option<Vec<(String, Digest)>>,
) -> Comparison {
    let of = |sequence, equal, detail: &str| Comparison {
        what: "snapshot",
        sequence,
        equal,
        detail: detail.to_owned(),
    };
    match (stored, replayed) {
        (None, _) => of(
            0,
            None,
            "no snapshot of these folds is kept; the next start folds from the first fact",
        ),
        (Some((at, None)), _) => of(
            at,
            Some(false),
            "the newest snapshot can't be read; the host drops and rebuilds it",
        ),
        (Some((at, Some(_))), None) => of(
            at,
            None,
            "the newest snapshot stands on a later fact than was asked for",
        ),
        (Some((at, Some(state))), Some(digests)) if state.digests() == digests => of(
            at,
            Some(true),
            "the newest snapshot gives the same digests as the facts up to it",
        ),
        (Some((at, Some(_))), Some(_)) => of(
            at,
            Some(false),
            "the newest snapshot gives OTHER digests than the facts up to it",
        ),
    }
}

fn compare_history(stored: Option<(u64, Digest)>, history: &History) -> Comparison {
    let of = |sequence, equal, detail: String| Comparison {
        what: "history",
        sequence,
        equal,
        detail,
    };
    let Some((at, digest)) = stored else {
        return of(0, None, "no rows of the history are kept yet".to_owned());
    };
    if history.first_facts > HISTORY_ROWS_MAX {
        return of(
            at,
            None,
            format!("not compared: more than {HISTORY_ROWS_MAX} rows; verify checks them too"),
        );
    }
    match history.found {
        None => of(
            at,
            None,
            "the stored rows stand on a later fact than was asked for".to_owned(),
        ),
        Some(found) if found == digest => of(
            at,
            Some(true),
            "the stored rows are those that the facts give".to_owned(),
        ),
        Some(_) => of(
            at,
            Some(false),
            "the stored rows are NOT those that the facts give".to_owned(),
        ),
    }
}
