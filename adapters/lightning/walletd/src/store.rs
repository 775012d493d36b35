//! The engine's store: its own table in its own file, written at once and in one order.
//!
//! The engine keeps a channel in two places: a monitor, which must be on disk before the peer is told anything, and the
//! manager, which follows as soon as it can. Killed between the two, it finds its manager behind at the next start and
//! closes the channel by force. Nothing outside the engine can join the two writes. What a store can do is to make the
//! time between them short (docs/adr/0006 has the figures):
//!
//! - One write-ahead log takes every write on the thread that asks for it, in the order in which it is asked for.
//! - Monitors, the manager, the chain wallet and whatever is new are flushed to the disk, with all that came before
//!   them. Changes of payment records, of the queue of events and of scores wait for the next flush: a killed process
//!   loses nothing of it, and a power cut leaves a beginning of that one order.
//! - A monitor is flushed first and shown second. Killed while it is flushed, the process had not told the engine yet
//!   that it is there, so nobody was told anything: it is dropped, as if the kill had come a moment earlier.
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
/// One id per start of the machine.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

const PUT: &str = "INSERT INTO ldk_node_data (primary_namespace, secondary_namespace, key, value)
    VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (primary_namespace, secondary_namespace, key) DO UPDATE SET value = excluded.value";
const SHOW: &str = "INSERT INTO ldk_node_data (primary_namespace, secondary_namespace, key, value)
    SELECT primary_namespace, secondary_namespace, key, value FROM flushed_first WHERE true
    ON CONFLICT (primary_namespace, secondary_namespace, key) DO UPDATE SET value = excluded.value";
const FORGET: &str = "DELETE FROM flushed_first";

type Later<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

/// The store. One connection, so that there is one order.
pub(crate) struct Store {
    connection: Mutex<Connection>,
    boot: String,
}

impl Store {
    /// Opens or makes the file in a folder.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        // Where the system does not tell, no start is ever taken for the last one: what was flushed counts.
        let boot = std::fs::read_to_string(BOOT_ID).unwrap_or_default();
        Self::open_in(folder, boot.trim().to_owned())
    }

    fn open_in(folder: &Path, boot: String) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let connection = Connection::open(folder.join(FILE)).map_err(io::Error::other)?;
        prepare(&connection).map_err(io::Error::other)?;
        let version: u16 = connection
            .query_row("SELECT user_version FROM pragma_user_version", [], |row| {
                row.get(0)
            })
            .map_err(io::Error::other)?;
        if version != SCHEMA {
            let known = format!("{FILE} has schema {version}, known is {SCHEMA}");
            return Err(io::Error::other(known));
        }
        recover(&connection, &boot).map_err(io::Error::other)?;
        Ok(Self {
            connection: Mutex::new(connection),
            boot,
        })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // SQLite undoes what a panic cut short: nothing is half-done behind a poisoned lock.
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
        let written = match primary {
            "monitors" | "monitor_updates" => {
                self.put_flushed_first(&connection, primary, secondary, key, value)
            }
            _ => put_at_once(&connection, primary, secondary, key, value),
        };
        written.map_err(failed)
    }

    /// Two commits: one that waits for the disk and that nobody reads, and one that shows it and waits for nothing.
    fn put_flushed_first(
        &self,
        connection: &Connection,
        primary: &str,
        secondary: &str,
        key: &str,
        value: &[u8],
    ) -> rusqlite::Result<()> {
        flush(connection, true)?;
        connection
            .prepare_cached(
                "INSERT INTO flushed_first (boot, primary_namespace, secondary_namespace, key, value)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![self.boot, primary, secondary, key, value])?;
        flush(connection, false)?;
        show(connection)
    }

    fn delete(&self, primary: &str, secondary: &str, key: &str, lazy: bool) -> Result<(), Error> {
        let connection = self.connection();
        let deleted = flush(&connection, !lazy && is_flushed(primary, key)).and_then(|()| {
            connection
                .prepare_cached(
                    "DELETE FROM ldk_node_data
                     WHERE primary_namespace = ?1 AND secondary_namespace = ?2 AND key = ?3",
                )?
                .execute(params![primary, secondary, key])
        });
        deleted.map(drop).map_err(failed)
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

fn put_at_once(
    connection: &Connection,
    primary: &str,
    secondary: &str,
    key: &str,
    value: &[u8],
) -> rusqlite::Result<()> {
    let known: bool = connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM ldk_node_data
             WHERE primary_namespace = ?1 AND secondary_namespace = ?2 AND key = ?3)",
        )?
        .query_row(params![primary, secondary, key], |row| row.get(0))?;
    flush(connection, !known || is_flushed(primary, key))?;
    connection
        .prepare_cached(PUT)?
        .execute(params![primary, secondary, key, value])
        .map(drop)
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    let new: bool = connection.query_row(
        "SELECT count(*) = 0 FROM sqlite_schema WHERE name = 'ldk_node_data'",
        [],
        |row| row.get(0),
    )?;
    if new {
        connection.execute_batch(&format!(
            "BEGIN;
             CREATE TABLE ldk_node_data (
                 primary_namespace TEXT NOT NULL,
                 secondary_namespace TEXT DEFAULT '' NOT NULL,
                 key TEXT NOT NULL CHECK (key <> ''),
                 value BLOB,
                 PRIMARY KEY (primary_namespace, secondary_namespace, key)
             );
             PRAGMA user_version = {SCHEMA};
             COMMIT;"
        ))?;
    }
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS flushed_first (
             boot TEXT NOT NULL, primary_namespace TEXT NOT NULL, secondary_namespace TEXT NOT NULL,
             key TEXT NOT NULL, value BLOB NOT NULL
         )",
    )
}

/// What was flushed and not shown when the last process ended. The machine still runs as it did then: showing it was
/// never begun, the engine never heard of it, and it is dropped. The machine was started anew: it may have been shown,
/// and that may be what the power cut took, so it counts.
fn recover(connection: &Connection, boot: &str) -> rusqlite::Result<()> {
    let of: Option<String> = connection
        .query_row("SELECT boot FROM flushed_first", [], |row| row.get(0))
        .optional()?;
    match of {
        None => Ok(()),
        Some(then) if then == boot && !boot.is_empty() => connection.execute(FORGET, []).map(drop),
        Some(_) => show(connection),
    }
}

fn show(connection: &Connection) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    transaction.prepare_cached(SHOW)?.execute([])?;
    transaction.prepare_cached(FORGET)?.execute([])?;
    transaction.commit()
}

/// What has to survive a power cut in its newest form. The rest may be as old as the last of these.
fn is_flushed(primary: &str, key: &str) -> bool {
    match primary {
        "payments" => false,
        "" => !matches!(key, "events" | "scorer" | "network_graph" | "node_metrics"),
        _ => true,
    }
}

/// Whether the next commit waits for the disk. With a write-ahead log either way leaves a whole file.
fn flush(connection: &Connection, wanted: bool) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", if wanted { "FULL" } else { "NORMAL" })
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
/// behind others.
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]
mod tests {
    use super::*;
    use ldk_node::io::sqlite_store::{KV_TABLE_NAME, SqliteStore};

    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("ap-store-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Folder(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_is_written_is_read_listed_replaced_and_removed() {
        let folder = Folder::new("plain");
        let store = Store::open(&folder.0).unwrap();
        for (primary, key) in [("monitors", "a"), ("payments", "b"), ("", "manager")] {
            store.put(primary, "", key, b"one").unwrap();
            store.put(primary, "", key, b"two").unwrap();
            assert_eq!(store.get(primary, "", key).unwrap(), b"two");
            assert_eq!(store.keys(primary, "").unwrap(), [key]);
            store.delete(primary, "", key, true).unwrap();
            assert_eq!(
                store.get(primary, "", key).unwrap_err().kind(),
                ErrorKind::NotFound
            );
        }
    }

    /// A wallet goes from the engine's own store to this one and back.
    #[test]
    fn the_engines_own_store_reads_the_same_file() {
        let folder = Folder::new("both");
        let engines =
            || SqliteStore::new(folder.0.clone(), Some(FILE.into()), Some(KV_TABLE_NAME.into())).unwrap();
        KVStoreSync::write(&engines(), "monitors", "", "k", b"theirs".to_vec()).unwrap();
        let store = Store::open(&folder.0).unwrap();
        assert_eq!(store.get("monitors", "", "k").unwrap(), b"theirs");
        store.put("monitors", "", "k", b"ours").unwrap();
        drop(store);
        assert_eq!(
            KVStoreSync::read(&engines(), "monitors", "", "k").unwrap(),
            b"ours"
        );
    }

    /// Flushed and not shown: dropped after a kill, kept after a power cut.
    #[test]
    fn a_monitor_that_was_never_shown_is_dropped_only_while_the_machine_runs_on() {
        let folder = Folder::new("kill");
        let open = |boot: &str| Store::open_in(&folder.0, boot.to_owned()).unwrap();
        open("one").put("monitors", "", "k", b"told").unwrap();
        let cut_short = |boot: &str| {
            let store = open(boot);
            store
                .connection()
                .execute(
                    "INSERT INTO flushed_first VALUES (?1, 'monitors', '', 'k', x'00')",
                    [boot],
                )
                .unwrap();
        };
        cut_short("one");
        assert_eq!(open("one").get("monitors", "", "k").unwrap(), b"told");
        cut_short("one");
        assert_eq!(open("two").get("monitors", "", "k").unwrap(), [0]);
        open("two").put("monitors", "", "k", b"told").unwrap();
        cut_short("");
        assert_eq!(
            open("").get("monitors", "", "k").unwrap(),
            [0],
            "unknown counts as started anew"
        );
    }
}
