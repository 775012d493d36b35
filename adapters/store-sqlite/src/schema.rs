//! The tables, how connections are made, and what a file must be to count as a ledger.
use std::{path::Path, time::Duration};

use sqlx::{
    ConnectOptions, Connection, Row, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use crate::{
    error::{Code, OpenError, code},
    lock::beside,
    sql::{begin, finish},
};

/// The newest format that this program reads and the one that it writes.
pub(crate) const FORMAT: u32 = 1;

/// SQLite's `application_id` of a ledger: "AplL".
pub(crate) const APPLICATION_ID: i64 = 0x4170_6c4c;

/// How long a statement waits for another connection's lock. Only a checkpoint can hold one for long.
const BUSY: Duration = Duration::from_secs(10);

/// Distinct statements of the writer that stay prepared: each of those with many rows has nine sizes.
const STATEMENTS: usize = 256;

/// Pages in the write-ahead log before it is folded in: 16 MiB. Keys are random, so that a commit touches many pages of
/// indexes; those that many commits touch are written into the database once.
const CHECKPOINT_PAGES: &str = "4096";

/// Memory for pages of the one connection that writes, in KiB below zero as SQLite wants it: 32 MiB. For the same reason:
/// with SQLite's own 2 MiB most keys of a longer ledger are written to a page that must be read first.
const CACHE: &str = "-32768";

const TABLES: &str = "
CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE block(
    first_sequence INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    prev_chain BLOB NOT NULL,
    chain BLOB NOT NULL,
    bytes BLOB NOT NULL
) STRICT;
CREATE TABLE stream(stream TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE idempotency(
    key TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL,
    payload_digest BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE body(ciphertext_digest BLOB PRIMARY KEY, subject TEXT NOT NULL, ciphertext BLOB NOT NULL) STRICT;
CREATE INDEX body_subject ON body(subject);
CREATE TABLE subject_key(subject TEXT PRIMARY KEY, wrapped_key BLOB) STRICT, WITHOUT ROWID;
CREATE TABLE snapshot(
    projection TEXT NOT NULL,
    version INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    chain BLOB NOT NULL,
    digest BLOB NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY(projection, sequence)
) STRICT;
CREATE TABLE journal(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    text TEXT NOT NULL
) STRICT;
INSERT INTO meta VALUES ('format', 1), ('opened', 0), ('journal_dropped', 0);
";

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY)
        .pragma("trusted_schema", "OFF")
        .disable_statement_logging()
}

/// Options of the one connection that writes.
pub(crate) fn writing(path: &Path) -> SqliteConnectOptions {
    options(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .statement_cache_capacity(STATEMENTS)
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
        .pragma("cache_size", CACHE)
}

/// Options of connections that only read. `immutable` is for media that can't be written at all.
pub(crate) fn reading(path: &Path, immutable: bool) -> SqliteConnectOptions {
    options(path).read_only(true).immutable(immutable)
}

/// What a file turned out to be.
pub(crate) enum Kind {
    /// Nothing in it yet.
    Empty,
    /// A ledger of a format that this program knows.
    Ledger,
}

/// Looks at a file without changing it.
pub(crate) async fn inspect(path: &Path) -> Result<(Kind, SqliteConnectOptions), OpenError> {
    let length = std::fs::metadata(path)
        .map_err(|error| OpenError::of_io(path, &error))?
        .len();
    if length == 0 {
        return Ok((Kind::Empty, reading(path, false)));
    }
    let (mut connection, options) = connect_reading(path).await?;
    let kind = kind_of(&mut connection, path).await;
    // A failed close of a connection that only read loses nothing.
    let _ = connection.close().await;
    Ok((kind?, options))
}

/// Opens for reading, beside a writer or on media that can't be written.
async fn connect_reading(path: &Path) -> Result<(SqliteConnection, SqliteConnectOptions), OpenError> {
    let mut first = None;
    for immutable in [false, true] {
        if immutable && std::fs::metadata(beside(path, "-wal")).is_ok_and(|wal| wal.len() > 0) {
            break; // The newest facts lie in the write-ahead log, which an immutable reader would not see.
        }
        let options = reading(path, immutable);
        let attempt = async {
            let mut connection = options.connect().await?;
            sqlx::query("SELECT count(*) FROM sqlite_master")
                .fetch_one(&mut connection)
                .await?;
            Ok::<_, sqlx::Error>(connection)
        };
        match attempt.await {
            Ok(connection) => return Ok((connection, options)),
            Err(error) if matches!(code(&error), Code::CantOpen | Code::ReadOnly) => {
                first.get_or_insert(error);
            }
            Err(error) => return Err(OpenError::of_sqlite(path, error)),
        }
    }
    Err(match first {
        Some(error) if code(&error) == Code::CantOpen => OpenError::ReadOnly {
            path: path.to_owned(),
        },
        Some(error) => OpenError::of_sqlite(path, error),
        None => OpenError::ReadOnly {
            path: path.to_owned(),
        },
    })
}

async fn kind_of(connection: &mut SqliteConnection, path: &Path) -> Result<Kind, OpenError> {
    let of_sqlite = |error| OpenError::of_sqlite(path, error);
    let application: i64 = scalar(connection, "PRAGMA application_id")
        .await
        .map_err(of_sqlite)?;
    let tables: i64 = scalar(connection, "SELECT count(*) FROM sqlite_master")
        .await
        .map_err(of_sqlite)?;
    if application != APPLICATION_ID {
        return match (application, tables) {
            (0, 0) => Ok(Kind::Empty),
            _ => Err(OpenError::NotALedger {
                path: path.to_owned(),
            }),
        };
    }
    let found: i64 = scalar(connection, "SELECT value FROM meta WHERE key = 'format'")
        .await
        .map_err(of_sqlite)?;
    match u32::try_from(found) {
        Ok(found) if found > FORMAT => Err(OpenError::NewerFormat { found, known: FORMAT }),
        Ok(_) => Ok(Kind::Ledger),
        Err(_) => Err(OpenError::NotALedger {
            path: path.to_owned(),
        }),
    }
}

/// Makes the tables, all or none.
pub(crate) async fn create(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    begin(&mut *connection).await?;
    let work = async {
        sqlx::raw_sql(TABLES).execute(&mut *connection).await?;
        for tables in [crate::rows::TABLES, crate::tiles::TABLES, crate::anchor::TABLES] {
            sqlx::raw_sql(tables).execute(&mut *connection).await?;
        }
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
            "PRAGMA application_id = {APPLICATION_ID}"
        )))
        .execute(&mut *connection)
        .await?;
        Ok::<_, sqlx::Error>(())
    };
    let work = work.await;
    finish(connection, work).await
}

/// The one integer that a statement gives.
pub(crate) async fn scalar(
    connection: &mut SqliteConnection,
    text: &'static str,
) -> Result<i64, sqlx::Error> {
    sqlx::query(text).fetch_one(connection).await?.try_get(0)
}
