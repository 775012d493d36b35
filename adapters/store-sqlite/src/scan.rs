//! Many small rows, read through SQLite's C interface in the thread that wants them: on the way through sqlx each row is
//! copied column by column and handed from thread to thread, which costs more than checking it (docs/adr/0010). Only for
//! reading; sqlx's own thread leaves the connection alone as long as its handle is locked.
#![allow(unsafe_code)]
use std::{ffi::CString, marker::PhantomData, ptr::null_mut};

use libsqlite3_sys as sqlite;
use sqlx::{SqliteConnection, sqlite::LockedSqliteHandle};

use crate::error::ReadError;

/// Rows after which the thread is given back for a moment.
const PAGE_ROWS: usize = 8_192;

/// What is bound to a statement's one parameter. SQLite sorts all texts before all blobs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Key<'a> {
    /// It has none.
    None,
    Text(&'a [u8]),
    Bytes(&'a [u8]),
}

/// Hands over every row of a table. `text` asks for those behind a key, in its order, and for the key first; `key` says
/// what the keys are, by the one before the first.
///
/// # Errors
/// [`ReadError`], or what `each` returns.
pub(crate) async fn pages(
    connection: &mut SqliteConnection,
    text: &str,
    key: Key<'static>,
    mut each: impl FnMut(&Row<'_>) -> Result<(), ReadError> + Send,
) -> Result<(), ReadError> {
    let text = format!("{text} LIMIT {PAGE_ROWS}");
    let mut last: Option<Vec<u8>> = None;
    loop {
        let mut locked = connection.lock_handle().await?;
        let from = match (key, &last) {
            (first, None) | (first @ Key::None, _) => first,
            (Key::Text(_), Some(last)) => Key::Text(last),
            (Key::Bytes(_), Some(last)) => Key::Bytes(last),
        };
        let (mut rows, mut end) = (0, Vec::new());
        Scan::prepare(&mut locked, &text)?.run(from, |row| {
            rows += 1;
            if rows == PAGE_ROWS {
                end.extend_from_slice(row.bytes(0).unwrap_or_default());
            }
            each(row)
        })?;
        if rows < PAGE_ROWS {
            return Ok(());
        }
        last = Some(end);
    }
}

/// A statement that reads, prepared on a locked connection.
pub(crate) struct Scan<'a> {
    database: *mut sqlite::sqlite3,
    statement: *mut sqlite::sqlite3_stmt,
    locked: PhantomData<&'a mut SqliteConnection>,
}

/// The row that a [`Scan`] stands at. Its columns are lent until the next one.
pub(crate) struct Row<'a> {
    statement: *mut sqlite::sqlite3_stmt,
    scan: PhantomData<&'a ()>,
}

impl<'a> Scan<'a> {
    /// Prepares `text`.
    ///
    /// # Errors
    /// [`ReadError::Scan`] with SQLite's words.
    pub(crate) fn prepare(locked: &'a mut LockedSqliteHandle<'_>, text: &str) -> Result<Scan<'a>, ReadError> {
        let database = locked.as_raw_handle().as_ptr();
        let text = CString::new(text).map_err(|_| ReadError::Row { table: "statement" })?;
        let mut scan = Scan {
            database,
            statement: null_mut(),
            locked: PhantomData,
        };
        // The handle is valid and ours while it is locked; the text ends in zero and outlives the call.
        let code = unsafe {
            sqlite::sqlite3_prepare_v2(database, text.as_ptr(), -1, &raw mut scan.statement, null_mut())
        };
        match code {
            sqlite::SQLITE_OK => Ok(scan),
            _ => Err(scan.error()),
        }
    }

    /// Runs it for `key`, handing over each row, and returns how many there were.
    ///
    /// # Errors
    /// [`ReadError::Scan`], or what `each` returns.
    pub(crate) fn run(
        &mut self,
        key: Key<'_>,
        mut each: impl FnMut(&Row<'_>) -> Result<(), ReadError>,
    ) -> Result<usize, ReadError> {
        let length = |bytes: &[u8]| i32::try_from(bytes.len()).unwrap_or(i32::MAX);
        // What is bound is borrowed until the statement is reset below, so that SQLite needs no copy of it (`None`).
        let bound = unsafe {
            match key {
                Key::None => sqlite::SQLITE_OK,
                Key::Text(text) => {
                    sqlite::sqlite3_bind_text(self.statement, 1, text.as_ptr().cast(), length(text), None)
                }
                Key::Bytes(bytes) => {
                    // An empty slice's address is not null, which would bind NULL.
                    let start = bytes.as_ptr().cast();
                    sqlite::sqlite3_bind_blob(self.statement, 1, start, length(bytes), None)
                }
            }
        };
        let mut rows = 0;
        let mut done = match bound {
            sqlite::SQLITE_OK => Ok(()),
            _ => Err(self.error()),
        };
        while done.is_ok() {
            // A statement of the locked connection.
            match unsafe { sqlite::sqlite3_step(self.statement) } {
                sqlite::SQLITE_ROW => {
                    rows += 1;
                    done = each(&Row {
                        statement: self.statement,
                        scan: PhantomData,
                    });
                }
                sqlite::SQLITE_DONE => break,
                _ => done = Err(self.error()),
            }
        }
        // Also lets go of what was bound; a failure was told by the step already.
        unsafe {
            sqlite::sqlite3_reset(self.statement);
            sqlite::sqlite3_clear_bindings(self.statement);
        }
        done.map(|()| rows)
    }

    fn error(&self) -> ReadError {
        // The handle is locked. SQLite's own text, valid until its next call, ends in zero.
        let words = unsafe { std::ffi::CStr::from_ptr(sqlite::sqlite3_errmsg(self.database)) };
        let code = unsafe { sqlite::sqlite3_extended_errcode(self.database) };
        ReadError::Scan {
            code: code.unsigned_abs(),
            cause: words.to_string_lossy().into_owned(),
        }
    }
}

impl Drop for Scan<'_> {
    fn drop(&mut self) {
        // Null is harmless, and the connection is still locked.
        unsafe { sqlite::sqlite3_finalize(self.statement) };
    }
}

impl Row<'_> {
    /// An integer; `None` for NULL or anything else.
    pub(crate) fn number(&self, column: i32) -> Option<i64> {
        // Columns beyond the last are NULL.
        unsafe {
            match sqlite::sqlite3_column_type(self.statement, column) {
                sqlite::SQLITE_INTEGER => Some(sqlite::sqlite3_column_int64(self.statement, column)),
                _ => None,
            }
        }
    }

    /// The bytes of a blob or of a text; `None` for NULL or anything else.
    pub(crate) fn bytes(&self, column: i32) -> Option<&[u8]> {
        // Valid until the statement steps on, which `self` outlives nowhere. An empty blob has no address.
        unsafe {
            let kind = sqlite::sqlite3_column_type(self.statement, column);
            if kind != sqlite::SQLITE_BLOB && kind != sqlite::SQLITE_TEXT {
                return None;
            }
            let start = sqlite::sqlite3_column_blob(self.statement, column);
            let length = usize::try_from(sqlite::sqlite3_column_bytes(self.statement, column)).unwrap_or(0);
            match start.is_null() {
                true => Some(&[]),
                false => Some(std::slice::from_raw_parts(start.cast(), length)),
            }
        }
    }
}
