//! The engine's store: its own table in its own file, written in one order and at once.
//!
//! The engine keeps a channel in two places: a monitor, which must be on disk before the peer is told anything, and the
//! manager, which follows as soon as it can. Killed between the two, it finds its manager behind at the next start and
//! closes the channel by force. Nothing outside the engine can join the two writes; what a store can do is to be quick
//! between them. So one write-ahead log takes every write in the order in which it was asked for, on the thread that
//! asks; monitors, the manager and the chain wallet are flushed to the disk with all that came before them, and the
//! rest (payment records, the queue of events, scores) waits for the next flush. A killed process loses nothing of it; a
//! power cut leaves a beginning of that one order. docs/adr/0008 has the figures.
use std::{
    future::Future,
    io,
    path::Path,
    pin::Pin,
    sync::{Mutex, MutexGuard},
};

use ldk_node::lightning::{
    io::{Error, ErrorKind},
    util::persist::{KVStore, KVStoreSync},
};
use rusqlite::{Connection, OptionalExtension, params};

/// The file and the table that the engine's own SQLite store uses: a wallet can go from one to the other.
const FILE: &str = "ldk_node_data.sqlite";
/// The engine's schema version of that table.
const SCHEMA: u16 = 2;
/// Pages of the log before it is copied into the file: 4 MiB.
const CHECKPOINT_PAGES: u32 = 1_024;

type Later<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

/// The store. One connection, so that there is one order.
pub(crate) struct Store {
    connection: Mutex<Connection>,
}

impl Store {
    /// Opens or makes the file in a folder.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let connection = Connection::open(folder.join(FILE)).map_err(io::Error::other)?;
        prepare(&connection).map_err(io::Error::other)?;
        let version: u16 = connection
            .query_row("SELECT user_version FROM pragma_user_version", [], |row| {
                row.get(0)
            })
            .map_err(io::Error::other)?;
        if version != SCHEMA {
            return Err(io::Error::other(format!(
                "{FILE} has schema {version}, known is {SCHEMA}"
            )));
        }
        Ok(Self {
            connection: Mutex::new(connection),
        })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // SQLite undoes a statement that a panic cut short: nothing is half-done behind a poisoned lock.
        self.connection
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn get(&self, primary: &str, secondary: &str, key: &str) -> Result<Vec<u8>, Error> {
        let connection = self.connection();
        let mut statement = connection
            .prepare_cached(
                "SELECT value FROM ldk_node_data
                 WHERE primary_namespace = ?1 AND secondary_namespace = ?2 AND key = ?3",
            )
            .map_err(failed)?;
        let value = statement
            .query_row(params![primary, secondary, key], |row| row.get(0))
            .optional();
        value.map_err(failed)?.ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                format!("there is no {primary}/{secondary}/{key}"),
            )
        })
    }

    fn put(&self, primary: &str, secondary: &str, key: &str, value: &[u8]) -> Result<(), Error> {
        let connection = self.connection();
        flush(&connection, is_flushed(primary, key))?;
        let mut statement = connection
            .prepare_cached(
                "INSERT INTO ldk_node_data (primary_namespace, secondary_namespace, key, value)
                 VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (primary_namespace, secondary_namespace, key) DO UPDATE SET value = excluded.value",
            )
            .map_err(failed)?;
        statement
            .execute(params![primary, secondary, key, value])
            .map_err(failed)?;
        Ok(())
    }

    fn delete(&self, primary: &str, secondary: &str, key: &str, lazy: bool) -> Result<(), Error> {
        let connection = self.connection();
        flush(&connection, !lazy && is_flushed(primary, key))?;
        let mut statement = connection
            .prepare_cached(
                "DELETE FROM ldk_node_data WHERE primary_namespace = ?1 AND secondary_namespace = ?2 AND key = ?3",
            )
            .map_err(failed)?;
        statement
            .execute(params![primary, secondary, key])
            .map_err(failed)?;
        Ok(())
    }

    fn keys(&self, primary: &str, secondary: &str) -> Result<Vec<String>, Error> {
        let connection = self.connection();
        let mut statement = connection
            .prepare_cached(
                "SELECT key FROM ldk_node_data WHERE primary_namespace = ?1 AND secondary_namespace = ?2",
            )
            .map_err(failed)?;
        let keys = statement
            .query_map(params![primary, secondary], |row| row.get(0))
            .map_err(failed)?;
        keys.collect::<Result<_, _>>().map_err(failed)
    }
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    let new: bool = connection.query_row(
        "SELECT count(*) = 0 FROM sqlite_schema WHERE name = 'ldk_node_data'",
        [],
        |row| row.get(0),
    )?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    if new {
        connection.execute(
            "CREATE TABLE ldk_node_data (
                primary_namespace TEXT NOT NULL,
                secondary_namespace TEXT DEFAULT '' NOT NULL,
                key TEXT NOT NULL CHECK (key <> ''),
                value BLOB,
                PRIMARY KEY (primary_namespace, secondary_namespace, key)
            )",
            [],
        )?;
        connection.pragma_update(None, "user_version", SCHEMA)?;
    }
    Ok(())
}

/// What has to survive a power cut by itself. The rest may be as old as the last of these.
fn is_flushed(primary: &str, key: &str) -> bool {
    match primary {
        "payments" => false,
        "" => !matches!(key, "events" | "scorer" | "network_graph" | "node_metrics"),
        _ => true,
    }
}

/// Whether the next commit waits for the disk. With a write-ahead log either way leaves a whole file.
fn flush(connection: &Connection, wanted: bool) -> Result<(), Error> {
    let mode = if wanted { "FULL" } else { "NORMAL" };
    connection
        .pragma_update(None, "synchronous", mode)
        .map_err(failed)
}

fn failed(error: rusqlite::Error) -> Error {
    Error::new(ErrorKind::Other, format!("the wallet's store: {error}"))
}

impl KVStoreSync for Store {
    fn read(&self, primary: &str, secondary: &str, key: &str) -> Result<Vec<u8>, Error> {
        self.get(primary, secondary, key)
    }

    fn write(&self, primary: &str, secondary: &str, key: &str, value: Vec<u8>) -> Result<(), Error> {
        self.put(primary, secondary, key, &value)
    }

    fn remove(&self, primary: &str, secondary: &str, key: &str, lazy: bool) -> Result<(), Error> {
        self.delete(primary, secondary, key, lazy)
    }

    fn list(&self, primary: &str, secondary: &str) -> Result<Vec<String>, Error> {
        self.keys(primary, secondary)
    }
}

/// Done when it is asked for, not when the answer is awaited: a queue of blocking tasks would put the manager's write
/// behind others, and that is the time in which a kill costs the channel.
impl KVStore for Store {
    fn read(&self, primary: &str, secondary: &str, key: &str) -> Later<Vec<u8>> {
        ready(self.get(primary, secondary, key))
    }

    fn write(&self, primary: &str, secondary: &str, key: &str, value: Vec<u8>) -> Later<()> {
        ready(self.put(primary, secondary, key, &value))
    }

    fn remove(&self, primary: &str, secondary: &str, key: &str, lazy: bool) -> Later<()> {
        ready(self.delete(primary, secondary, key, lazy))
    }

    fn list(&self, primary: &str, secondary: &str) -> Later<Vec<String>> {
        ready(self.keys(primary, secondary))
    }
}

fn ready<T: Send + 'static>(done: Result<T, Error>) -> Later<T> {
    Box::pin(std::future::ready(done))
}
