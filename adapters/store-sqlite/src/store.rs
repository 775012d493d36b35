//! The one writer of a ledger.
use std::{
    fs::{File, OpenOptions},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use autopilot_events::{Head, tree::Edge};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use crate::{
    anchor::{self, DroppedAnchor},
    block::Broken,
    compact::Tail,
    error::{OpenError, ReadError},
    lock::{WriterLock, beside},
    reader::{Progress, Reader},
    row_store,
    schema::{self, Kind},
    snapshot::{self, DroppedSnapshot},
    tiles,
};

/// What opening found, beyond the ledger itself.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Where the ledger ends.
    pub head: Head,
    /// The first fact that was read, its chain recomputed, at this opening: 1 when all of them were. The facts before it
    /// were read earlier, up to an anchor; [`Reader::recheck`] reads them again.
    pub read_from: u64,
    /// Anchors that did not hold. An older one took their place, or everything was read. Worth a line on screen.
    pub dropped_anchors: Vec<DroppedAnchor>,
    /// Whether the ledger was made just now.
    pub created: bool,
    /// Snapshots that stand on another chain, or can't be read: dropped, to be built anew. Worth a line on screen.
    pub dropped_snapshots: Vec<DroppedSnapshot>,
    /// Row views that were rebuilt from the facts because they did not stand at the ledger's end.
    pub rebuilt_rows: Vec<String>,
    /// Number and type of the first critical fact that this program does not know: the store refuses to append.
    pub unknown_critical: Option<(u64, String)>,
}

/// The one writer. Owned by one task; readers have connections of their own ([`Store::reader`]).
pub struct Store {
    pub(crate) connection: SqliteConnection,
    pub(crate) head: Head,
    pub(crate) tail: Tail,
    pub(crate) rows: row_store::Digests,
    pub(crate) edge: Edge,
    pub(crate) journal: crate::journal::Bounds,
    pub(crate) unknown_critical: Option<(u64, String)>,
    pub(crate) failed: bool,
    pub(crate) scrub_due: bool,
    path: PathBuf,
    reader: Reader,
    _lock: WriterLock,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("path", &self.path)
            .field("head", &self.head)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the ledger at `path` for writing, making it if there is none; its folder must exist.
    ///
    /// Reads and checks the facts after the newest anchor, and the last 1,024 in any case; without an anchor that holds
    /// all of them (about a second per million), telling `progress` now and then. Proves with a durable write that the
    /// disk takes one.
    ///
    /// # Errors
    /// [`OpenError`], each with what is safe to do.
    pub async fn open(
        path: &Path,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<(Store, Opened), OpenError> {
        let lock = WriterLock::take(path)?;
        let created = match std::fs::metadata(path) {
            Ok(_) => false,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => make_file(path)?,
            Err(error) => return Err(OpenError::of_io(path, &error)),
        };
        let of_sqlite = |error| OpenError::of_sqlite(path, error);
        let (kind, _) = schema::inspect(path).await?;
        let mut connection = schema::writing(path).connect().await.map_err(of_sqlite)?;
        if let Kind::Empty = kind {
            schema::create(&mut connection).await.map_err(of_sqlite)?;
        }
        for tables in [
            tiles::TABLES,
            anchor::TABLES,
            crate::rows::INDEX,
            crate::search::TABLES,
        ] {
            // Ledgers of earlier programs lack them.
            sqlx::raw_sql(tables)
                .execute(&mut connection)
                .await
                .map_err(of_sqlite)?;
        }
        sqlx::query("UPDATE meta SET value = value + 1 WHERE key = 'opened'")
            .execute(&mut connection)
            .await
            .map_err(of_sqlite)?;

        let reader = Reader::open(path).await?;
        let of_read = |error| OpenError::of_read(path, error);
        let dropped_snapshots = snapshot::check_all(&mut connection, &reader)
            .await
            .map_err(of_read)?;
        let mut dropped_anchors = Vec::new();
        let start = anchor::start(&mut connection, &reader, &mut dropped_anchors)
            .await
            .map_err(of_read)?;
        let (head, unknown_critical) = read_on(&reader, &start, progress).await.map_err(of_read)?;
        let (digests, rebuilt_rows) = row_store::load_or_rebuild(&mut connection, &reader, &head)
            .await
            .map_err(of_read)?;
        let vouched = start.anchor.is_some() && dropped_anchors.is_empty();
        let edge = tiles::load_or_rebuild(&mut connection, &reader, &head, vouched, progress)
            .await
            .map_err(of_read)?;
        if start.anchor.is_none() && head.sequence > 0 && unknown_critical.is_none() {
            anchor::set(&mut connection, head).await.map_err(of_read)?;
        }
        let tail = Tail::load(&mut connection).await.map_err(of_sqlite)?;
        let journal = crate::journal::Bounds::load(&mut connection)
            .await
            .map_err(of_sqlite)?;

        let scrub_due = crate::erase::is_due(&mut connection).await.map_err(of_sqlite)?;

        let opened = Opened {
            head,
            created: created || matches!(kind, Kind::Empty),
            read_from: start.from.sequence + 1,
            dropped_anchors,
            dropped_snapshots,
            rebuilt_rows,
            unknown_critical: unknown_critical.clone(),
        };
        let store = Store {
            connection,
            head,
            tail,
            rows: digests,
            edge,
            journal,
            unknown_critical,
            failed: false,
            scrub_due,
            path: path.to_owned(),
            reader,
            _lock: lock,
        };
        Ok((store, opened))
    }

    /// Where the ledger ends, durably.
    pub fn head(&self) -> Head {
        self.head
    }

    /// A handle for reading, on connections of its own. Cheap to clone.
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Closes in good order: the write-ahead log is folded into the database. Dropping the store loses nothing either.
    pub async fn close(self) {
        self.reader.close().await;
        // Every acknowledged fact is durable already; a failure here only leaves a longer log for the next start.
        let _ = self.connection.close().await;
    }

    /// Bounds the database to `pages` pages of 4 KiB, as a full disk would: for tests of that case.
    #[doc(hidden)]
    pub async fn limit_pages(&mut self, pages: u32) -> Result<(), ReadError> {
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}")))
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }
}

/// Reads from the start to the end of the ledger. The anchor on the way must be met as it is.
async fn read_on(
    reader: &Reader,
    start: &anchor::Start,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<(Head, Option<(u64, String)>), ReadError> {
    let (mut unknown_critical, mut other) = (None, None);
    let head = reader
        .replay(&start.from, progress, |fact| {
            if fact.blocks_writing() && unknown_critical.is_none() {
                unknown_critical = Some((fact.fact.sequence, fact.fact.r#type.clone()));
            }
            let anchor = start
                .anchor
                .filter(|anchor| anchor.sequence == fact.fact.sequence);
            other = other.or(anchor.filter(|anchor| *anchor != fact.head()));
        })
        .await?;
    match other {
        None => Ok((head, unknown_critical)),
        Some(anchor) => {
            Err(Broken::at(anchor.sequence, "its block does not continue the ones before").into())
        }
    }
}

/// Makes an empty file that only its owner can read, and makes its name durable.
fn make_file(path: &Path) -> Result<bool, OpenError> {
    let of_io = |error: std::io::Error| OpenError::of_io(path, &error);
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(of_io)?;
    // A log of a database that is gone would be played into the new one.
    for suffix in ["-wal", "-shm"] {
        match std::fs::remove_file(beside(path, suffix)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(of_io(error)),
            _ => {}
        }
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(of_io)?;
    Ok(true)
}
