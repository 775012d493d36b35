//! The journal: chatter that no decision rests on (relay acknowledgements, duplicates, connections). Bounded; what
//! falls out is counted.
use sqlx::{Row, SqliteConnection};

use crate::{
    error::ReadError,
    reader::Reader,
    sql::{begin, finish, insert_many},
    store::Store,
};

/// Lines kept at most.
pub const MAX_LINES: u64 = 100_000;

/// Characters of a text that are kept.
pub const MAX_TEXT_BYTES: usize = 512;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalEntry {
    /// Milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// A short name, e.g. `relay.ack`.
    pub kind: String,
    /// What it is about, e.g. a job id or the address of a relay.
    pub subject: String,
    /// Words; cut after [`MAX_TEXT_BYTES`].
    pub text: String,
}

/// Which lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalQuery {
    /// Only those about this.
    pub subject: Option<String>,
    /// Only those of this relay: their words begin with its address, which may end with a slash there.
    pub relay: Option<String>,
    /// Only from this time on, in milliseconds since the Unix epoch.
    pub since_ms: i64,
    /// At most so many.
    pub limit: u32,
}

impl JournalQuery {
    /// The newest lines, about anything.
    pub fn newest(limit: u32) -> JournalQuery {
        JournalQuery {
            subject: None,
            relay: None,
            since_ms: i64::MIN,
            limit,
        }
    }
}

/// How full the journal is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bounds {
    lines: u64,
}

impl Bounds {
    pub(crate) async fn load(connection: &mut SqliteConnection) -> Result<Bounds, sqlx::Error> {
        // Lines are numbered without a gap and dropped from the oldest on; counting them would read all of them.
        let lines = "SELECT coalesce((SELECT max(id) FROM journal) - (SELECT min(id) FROM journal) + 1, 0)";
        let lines = crate::schema::scalar(connection, lines).await?;
        Ok(Bounds { lines: lines as u64 })
    }

    pub(crate) fn grew(&mut self, lines: usize) {
        self.lines += lines as u64;
    }
}

fn cut(text: &str) -> String {
    let end = (0..=text.len().min(MAX_TEXT_BYTES))
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or(0);
    text[..end].to_owned()
}

pub(crate) async fn write(
    connection: &mut SqliteConnection,
    lines: &[JournalEntry],
) -> Result<(), sqlx::Error> {
    let statement = ["INSERT INTO journal(at_ms, kind, subject, text)", "(?,?,?,?)", ""];
    insert_many(connection, statement, lines, |q, line| {
        q.bind(line.at_ms)
            .bind(cut(&line.kind))
            .bind(cut(&line.subject))
            .bind(cut(&line.text))
    })
    .await
}

impl Store {
    /// Drops the oldest tenth once the journal is full, counting what is dropped. For moments when no commit waits.
    ///
    /// # Errors
    /// [`ReadError::Sqlite`].
    pub async fn trim_journal(&mut self) -> Result<u64, ReadError> {
        if self.journal.lines <= MAX_LINES {
            return Ok(0);
        }
        let drop = self.journal.lines - MAX_LINES + MAX_LINES / 10;
        begin(&mut self.connection).await?;
        let work = async {
            sqlx::query("DELETE FROM journal WHERE id IN (SELECT id FROM journal ORDER BY id LIMIT ?)")
                .bind(drop as i64)
                .execute(&mut self.connection)
                .await?;
            sqlx::query("UPDATE meta SET value = value + ? WHERE key = 'journal_dropped'")
                .bind(drop as i64)
                .execute(&mut self.connection)
                .await?;
            Ok::<_, ReadError>(())
        };
        let work = work.await;
        finish(&mut self.connection, work).await?;
        self.journal.lines -= drop;
        Ok(drop)
    }
}

impl Reader {
    /// The newest lines that are asked for, newest first, and how many were ever dropped.
    ///
    /// # Errors
    /// [`ReadError::Sqlite`].
    pub async fn journal(&self, query: &JournalQuery) -> Result<(Vec<JournalEntry>, u64), ReadError> {
        let mut connection = self.pool.acquire().await?;
        let rows = sqlx::query(
            "SELECT at_ms, kind, subject, text FROM journal WHERE (?1 IS NULL OR subject = ?1) \
             AND (?2 IS NULL OR substr(text, 1, length(?2) + 1) = ?2 || ' ' OR substr(text, 1, length(?2) + 2) = ?2 || '/ ') \
             AND at_ms >= ?3 ORDER BY id DESC LIMIT ?4",
        )
        .bind(query.subject.as_deref())
        .bind(query.relay.as_deref())
        .bind(query.since_ms)
        .bind(query.limit)
        .fetch_all(&mut *connection)
        .await?;
        let lines = rows
            .iter()
            .map(|row| {
                Ok(JournalEntry {
                    at_ms: row.try_get(0)?,
                    kind: row.try_get(1)?,
                    subject: row.try_get(2)?,
                    text: row.try_get(3)?,
                })
            })
            .collect::<Result<_, sqlx::Error>>()?;
        let dropped = crate::schema::scalar(
            &mut connection,
            "SELECT value FROM meta WHERE key = 'journal_dropped'",
        )
        .await?;
        Ok((lines, dropped as u64))
    }
}
