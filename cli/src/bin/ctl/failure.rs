//! Failures by kind: an exit code, a closed code for programs, a sentence for people, and the next step.
use std::fmt;

use autopilot_host::{
    audit::AuditError,
    books::BooksError,
    control::{CODE_KEY, NEXT_KEY, next_of},
    identity::NoteError,
    models::StoreError,
    secrets::SecretsError,
    statement::StatementError,
};
use autopilot_statement::ComposeError;
use tonic::{Code, Status};

/// The kinds, each with its own exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Anything that has no kind of its own.
    Other = 1,
    /// The command line makes no sense, or a confirmation is missing.
    Usage = 2,
    /// No host, or its wallet, answers.
    Unreachable = 3,
    /// Understood, and refused or failed for a stated reason.
    Refused = 4,
    /// No such thing.
    NotFound = 5,
    /// The time ran out.
    Timeout = 6,
    /// Not enough that can be spent.
    InsufficientFunds = 7,
    /// The ledger does not hold together.
    LedgerBroken = 8,
    /// The ledger can't be read: locked, missing, foreign, newer.
    LedgerUnreadable = 9,
    /// The same key with another payload.
    Conflict = 10,
    /// The identity is there, and the passphrase is missing or wrong.
    Locked = 11,
    /// Whoever read our output went away. No failure of ours.
    PipeClosed = 0,
}

/// What `--help` says about exit codes; docs/CLI.md says the same.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  done                                  6  the time ran out
  1  anything else                         7  insufficient funds
  2  usage, or a confirmation is missing   8  the ledger is broken
  3  the host can't be reached             9  the ledger can't be read
  4  refused, or failed for a reason      10  conflict
  5  not found                            11  the identity is locked

Errors go to stderr; with --json as {\"error\":{\"code\",\"message\",\"next\"}}.";

/// A failed command.
#[derive(Debug)]
pub struct Failure {
    pub kind: Kind,
    pub code: String,
    pub message: String,
    /// The command or action that helps, if there is one.
    pub next: Option<String>,
}

pub type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    pub fn new(kind: Kind, code: &str, message: impl Into<String>) -> Failure {
        Failure {
            kind,
            code: code.to_owned(),
            message: message.into(),
            next: None,
        }
    }

    pub fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Kind::Usage, "usage", message)
    }

    pub fn next(mut self, next: impl Into<String>) -> Failure {
        self.next = Some(next.into());
        self
    }

    pub fn exit_code(&self) -> u8 {
        self.kind as u8
    }

    pub fn to_json(&self) -> String {
        let next = self.next.as_deref().unwrap_or_default();
        serde_json::json!({ "error": { "code": self.code, "message": self.message, "next": next } })
            .to_string()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Kind of a closed code. Codes that are not listed are refusals with a reason of their own.
fn kind_of(code: &str) -> Kind {
    match code {
        "invalid-argument" | "destination-unreadable" => Kind::Usage,
        "unavailable" | "wallet-unavailable" => Kind::Unreachable,
        "not-found" | "name-not-found" => Kind::NotFound,
        "timeout" => Kind::Timeout,
        "insufficient-funds" => Kind::InsufficientFunds,
        "conflict" => Kind::Conflict,
        "internal" | "wallet-fault" => Kind::Other,
        _ => Kind::Refused,
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Failure {
        let named = status
            .metadata()
            .get(CODE_KEY)
            .and_then(|value| value.to_str().ok());
        // The host names a code always; a status with a source of its own is the connection that broke.
        let broken = std::error::Error::source(&status).is_some();
        let code = named.unwrap_or(match status.code() {
            _ if broken => "unavailable",
            Code::InvalidArgument => "invalid-argument",
            Code::NotFound => "not-found",
            Code::DeadlineExceeded => "timeout",
            Code::Unavailable | Code::Cancelled => "unavailable",
            Code::AlreadyExists | Code::Aborted => "conflict",
            Code::FailedPrecondition => "not-ready",
            Code::Unimplemented => "unimplemented",
            _ => "internal",
        });
        let message = match status.message() {
            "" => format!("the host answered {}", status.code()),
            message => message.to_owned(),
        };
        let failure = Failure::new(kind_of(code), code, message);
        let next = status
            .metadata()
            .get(NEXT_KEY)
            .and_then(|value| value.to_str().ok())
            .or(next_of(code));
        match next {
            Some(next) => failure.next(next),
            None => failure,
        }
    }
}

impl From<AuditError> for Failure {
    fn from(error: AuditError) -> Failure {
        let kind = match error.code() {
            "ledger-broken" => Kind::LedgerBroken,
            "beyond-end" => Kind::NotFound,
            _ => Kind::LedgerUnreadable,
        };
        let failure = Failure::new(kind, error.code(), error.to_string());
        match error.code() {
            "ledger-missing" => failure.next("name the home folder with --home or AUTOPILOT_HOME"),
            "ledger-broken" => failure.next("autopilotctl ledger verify"),
            "beyond-end" => failure.next("autopilotctl ledger head"),
            _ => failure,
        }
    }
}

impl From<BooksError> for Failure {
    fn from(error: BooksError) -> Failure {
        match error {
            BooksError::Ledger(error) => error.into(),
            BooksError::Write(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                Failure::new(Kind::PipeClosed, "pipe-closed", "")
            }
            error @ BooksError::Write(_) => Failure::new(Kind::Other, "output", error.to_string()),
        }
    }
}

impl From<StatementError> for Failure {
    fn from(error: StatementError) -> Failure {
        let (kind, code) = match error {
            StatementError::Ledger(error) => return error.into(),
            StatementError::Compose(ComposeError::Write(error)) => return BooksError::Write(error).into(),
            StatementError::NotFound => (Kind::NotFound, "not-found"),
            StatementError::Ambiguous => (Kind::Usage, "invalid-argument"),
            StatementError::Head(_) => (Kind::Refused, "head-invalid"),
            StatementError::Compose(_) | StatementError::Text(_) | StatementError::Nameless => {
                (Kind::LedgerBroken, "ledger-broken")
            }
            _ => (Kind::Other, "internal"),
        };
        let failure = Failure::new(kind, code, error.to_string());
        match kind {
            Kind::NotFound => failure.next("autopilotctl history --money settled"),
            Kind::LedgerBroken => failure.next("autopilotctl ledger verify"),
            _ => failure,
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        let (kind, code) = match &error {
            StoreError::Unknown { .. } => (Kind::NotFound, "not-found"),
            StoreError::BadName { .. } | StoreError::ChecksumNeeded | StoreError::BadAddress { .. } => {
                (Kind::Usage, "invalid-argument")
            }
            StoreError::ChecksumMismatch { .. } => (Kind::Refused, "checksum-mismatch"),
            StoreError::SizeMismatch { .. } => (Kind::Refused, "size-mismatch"),
            StoreError::NoSpace { .. } => (Kind::Refused, "no-space"),
            StoreError::Cut { .. } => (Kind::Other, "cut"),
            StoreError::Refused { .. } => (Kind::Refused, "server-refused"),
            StoreError::InProgress => (Kind::Refused, "in-progress"),
            StoreError::Stopped => (Kind::Other, "stopped"),
            StoreError::File { .. } => (Kind::Other, "file"),
        };
        let failure = Failure::new(kind, code, error.to_string());
        match code {
            "not-found" => failure.next("autopilotctl model list"),
            "cut" | "stopped" => failure.next("the same command again goes on from there"),
            _ => failure,
        }
    }
}

impl From<SecretsError> for Failure {
    fn from(error: SecretsError) -> Failure {
        let kind = match &error {
            error if error.is_locked() => Kind::Locked,
            SecretsError::Missing(_) => Kind::NotFound,
            SecretsError::Weak(_) | SecretsError::NotWords | SecretsError::NotPrivate { .. } => Kind::Usage,
            SecretsError::Occupied(_)
            | SecretsError::AlreadySo(_)
            | SecretsError::NotKept(_)
            | SecretsError::Damaged { .. } => Kind::Refused,
            _ => Kind::Other,
        };
        let failure = Failure::new(kind, error.code(), error.to_string());
        match kind {
            // The keyring's own words say what to do.
            Kind::Locked if matches!(error, SecretsError::Keyring(_)) => failure,
            Kind::Locked => failure.next("name the file with the passphrase: --passphrase-file FILE"),
            _ => failure,
        }
    }
}

impl From<NoteError> for Failure {
    fn from(error: NoteError) -> Failure {
        Failure::new(Kind::LedgerUnreadable, "ledger-unreadable", error.to_string())
            .next("autopilotctl doctor")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_code_decides_the_exit_code() {
        for (code, exit) in [
            ("insufficient-funds", 7),
            ("not-found", 5),
            ("already-paid", 4),
            ("conflict", 10),
            ("wallet-unavailable", 3),
            ("internal", 1),
            ("invalid-argument", 2),
        ] {
            let mut status = Status::internal("a sentence");
            status.metadata_mut().insert(CODE_KEY, code.parse().unwrap());
            let failure = Failure::from(status);
            assert_eq!((failure.exit_code(), failure.code.as_str()), (exit, code));
        }
    }

    #[test]
    fn without_one_the_transport_decides() {
        assert_eq!(Failure::from(Status::unavailable("")).exit_code(), 3);
        assert_eq!(Failure::from(Status::deadline_exceeded("")).exit_code(), 6);
    }
}
