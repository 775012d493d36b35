//! What can go wrong, each with a sentence that says what is safe to do. Nothing is ever repaired silently.
use std::path::{Path, PathBuf};

use crate::block::Broken;

/// Why a ledger was not opened. Opening never changes a ledger that it refuses.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process writes to it.
    #[error("{path} is held by another process{}: stop that one first; reading beside it is safe", holder(*.pid))]
    Locked {
        /// The database file.
        path: PathBuf,
        /// Who holds it, where the lock file tells.
        pid: Option<u32>,
    },
    /// Written by a newer program.
    #[error(
        "the ledger has format {found}, this program knows {known}: use the newer program; nothing was changed"
    )]
    NewerFormat {
        /// Format of the file.
        found: u32,
        /// The newest format that this program knows.
        known: u32,
    },
    /// The stored facts do not hold together.
    #[error(
        "{0}. Nothing was changed: keep the folder as it is, copy it aside, and restore the ledger from a copy whose head you know"
    )]
    ChainBroken(Broken),
    /// The disk or the permissions forbid writing.
    #[error(
        "{path} can't be written: the disk or its permissions are read-only; reading and verifying are safe"
    )]
    ReadOnly {
        /// The database file.
        path: PathBuf,
    },
    /// No space left.
    #[error(
        "the disk that holds {path} is full: free some space and start again; every acknowledged fact is safe"
    )]
    DiskFull {
        /// The database file.
        path: PathBuf,
    },
    /// A file that is no ledger of ours.
    #[error("{path} is not a ledger of this program and was left alone: choose another home folder")]
    NotALedger {
        /// The file.
        path: PathBuf,
    },
    /// There is nothing to read.
    #[error("there is no ledger at {path}: check the home folder")]
    Missing {
        /// The database file.
        path: PathBuf,
    },
    /// SQLite finds its own pages broken.
    #[error(
        "the database is damaged ({cause}): nothing was changed; copy the folder aside before anything else"
    )]
    Corrupt {
        /// SQLite's words.
        cause: String,
    },
    /// Anything else of the file system or of SQLite.
    #[error("the ledger at {path} can't be opened: {cause}")]
    Other {
        /// The database file.
        path: PathBuf,
        /// The words of the layer below.
        cause: String,
    },
}

fn holder(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
}

/// Why facts or rows could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The stored facts do not hold together.
    #[error("{0}")]
    Broken(#[from] Broken),
    /// A position that is not one of this ledger's.
    #[error("fact {sequence} of this ledger has another chain value than the one asked for")]
    OtherChain {
        /// Where.
        sequence: u64,
    },
    /// A position beyond the end.
    #[error("the ledger ends before fact {sequence}")]
    BeyondEnd {
        /// What was asked for.
        sequence: u64,
    },
    /// A stored row can't be read as what it is.
    #[error("a row of {table} is malformed")]
    Row {
        /// Name of the table.
        table: &'static str,
    },
    /// The file was last written by a program that kept no Merkle tree.
    #[error("this ledger has no Merkle tree yet: a host that opens it builds one")]
    NoTree,
    /// What was to be proven does not lie in the tree.
    #[error(transparent)]
    Proof(#[from] autopilot_events::tree::ProofError),
    /// SQLite failed.
    #[error("reading the ledger failed: {0}")]
    Sqlite(#[from] sqlx::Error),
    /// SQLite failed while many rows were read.
    #[error("reading the ledger failed: (code: {code}) {cause}")]
    Scan {
        /// SQLite's result code, extended (sqlite.org/rescode.html).
        code: u32,
        /// SQLite's words.
        cause: String,
    },
}

/// Why a commit was not made. Except for [`AppendError::Failed`], the store can go on.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The commit does not start where the ledger ends.
    #[error("expected the ledger to end at fact {expected}, it ends at {found}")]
    Head {
        /// Sequence number that the commit builds on.
        expected: u64,
        /// Where the ledger ends, or where its chain value differs.
        found: u64,
    },
    /// A fact that is no consistent continuation: number, chain, time or encoding.
    #[error("fact {sequence} is not the continuation of the ledger: {why}")]
    Inconsistent {
        /// Which fact.
        sequence: u64,
        /// In what respect.
        why: &'static str,
    },
    /// A stream is not at the version that the decision rested on.
    #[error("stream {stream} is at version {found}, the decision rested on {expected}")]
    Version {
        /// Which stream.
        stream: String,
        /// Version that the first fact of the commit follows.
        expected: u64,
        /// Version of the ledger.
        found: u64,
    },
    /// The key is taken. Only with the same payload is that a repetition.
    #[error("idempotency key {key} was recorded as fact {sequence} with {} payload", if *.same_payload { "the same" } else { "ANOTHER" })]
    Conflict {
        /// The key.
        key: String,
        /// The fact that took it.
        sequence: u64,
        /// Whether type and payload are the same.
        same_payload: bool,
    },
    /// Beyond the bounds of one commit.
    #[error("a commit of {facts} facts and {bytes} bytes is beyond the bounds")]
    TooLarge {
        /// Facts in it.
        facts: usize,
        /// Bytes in it, bodies included.
        bytes: usize,
    },
    /// The ledger holds a critical fact that this program does not know.
    #[error(
        "fact {sequence} ({kind}) is critical and unknown to this program: the ledger is read-only until a newer program runs"
    )]
    UnknownCritical {
        /// Which fact.
        sequence: u64,
        /// Its catalogue name.
        kind: String,
    },
    /// No space left; nothing of the commit was kept.
    #[error("the disk is full: nothing of this commit was kept; free some space and start again")]
    DiskFull,
    /// The commit failed below; whether it is durable is known only after opening again.
    #[error("the commit failed ({cause}): stop, and open the ledger again")]
    Failed {
        /// The words of the layer below.
        cause: String,
    },
}

/// Why a body could not be sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The subject's key was dropped on purpose.
    #[error("the key of {subject} was erased: nothing more is kept under it")]
    Erased {
        /// Whose key.
        subject: String,
    },
    /// Beyond [`crate::bodies::MAX_BODY_BYTES`].
    #[error("a body of {bytes} bytes is too large")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The master key does not open the subject's key.
    #[error(
        "the key of {subject} can't be unwrapped: this is not the key of this ledger, or the row is damaged"
    )]
    WrongKey {
        /// Whose key.
        subject: String,
    },
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    NoRandomness,
    /// The ledger could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// SQLite's primary result codes that have a meaning of their own here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    Busy,
    ReadOnly,
    Corrupt,
    Full,
    CantOpen,
    NotADatabase,
    Unique,
    Other,
}

const SQLITE_IOERR_SHMSIZE: u32 = 4874;

pub(crate) fn code(error: &sqlx::Error) -> Code {
    let Some(database) = error.as_database_error() else {
        return Code::Other;
    };
    if database.is_unique_violation() {
        return Code::Unique;
    }
    let extended: u32 = database.code().and_then(|code| code.parse().ok()).unwrap_or(0);
    if extended == SQLITE_IOERR_SHMSIZE {
        return Code::Full; // The index of the log could not grow: what that fails for is space.
    }
    primary(extended)
}

/// The meaning of a result code: extended ones keep the primary one in their low byte (sqlite.org/rescode.html).
fn primary(code: u32) -> Code {
    match code & 0xff {
        5 | 6 => Code::Busy,
        8 => Code::ReadOnly,
        11 => Code::Corrupt,
        13 => Code::Full,
        14 => Code::CantOpen,
        26 => Code::NotADatabase,
        _ => Code::Other,
    }
}

impl OpenError {
    pub(crate) fn of_sqlite(path: &Path, error: sqlx::Error) -> OpenError {
        OpenError::of_code(path, code(&error), error.to_string())
    }

    fn of_code(path: &Path, code: Code, cause: String) -> OpenError {
        let path = path.to_owned();
        match code {
            Code::ReadOnly => OpenError::ReadOnly { path },
            Code::Full => OpenError::DiskFull { path },
            Code::NotADatabase => OpenError::NotALedger { path },
            Code::Corrupt => OpenError::Corrupt { cause },
            _ => OpenError::Other { path, cause },
        }
    }

    pub(crate) fn of_io(path: &Path, error: &std::io::Error) -> OpenError {
        let path = path.to_owned();
        match error.kind() {
            std::io::ErrorKind::NotFound => OpenError::Missing { path },
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                OpenError::ReadOnly { path }
            }
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                OpenError::DiskFull { path }
            }
            _ => OpenError::Other {
                path,
                cause: error.to_string(),
            },
        }
    }

    /// What a failed reading means for an opening.
    pub fn of_read(path: &Path, error: ReadError) -> OpenError {
        match error {
            ReadError::Broken(broken) => OpenError::ChainBroken(broken),
            ReadError::Sqlite(error) => OpenError::of_sqlite(path, error),
            ReadError::Scan { code, cause } => OpenError::of_code(path, primary(code), cause),
            other => OpenError::Other {
                path: path.to_owned(),
                cause: other.to_string(),
            },
        }
    }
}

impl From<sqlx::Error> for AppendError {
    fn from(error: sqlx::Error) -> AppendError {
        match code(&error) {
            Code::Full => AppendError::DiskFull,
            _ => AppendError::Failed {
                cause: error.to_string(),
            },
        }
    }
}
