//! Forgetting texts: the fact that says so drops the subject's key and deletes its ciphertexts in the same transaction.
//! Afterwards a scrub takes what is left of them in pages and log; until it is done, a counter in the file says so.
use autopilot_events::{Event, Recorded};
use sqlx::{Row, SqliteConnection};

use crate::{block::Broken, error::ReadError, reader::Reader, schema::scalar, sql::select_in, store::Store};

/// Subjects that are looked up at once, at most.
pub const MAX_SUBJECTS: usize = 4_096;

/// The subject that a fact forgets.
pub(crate) fn subject_of(fact: &Recorded) -> Option<&str> {
    match &fact.event {
        Event::TextForgotten(message) => Some(&message.subject),
        _ => None,
    }
}

/// Whether deletions of this connection overwrite what they delete.
pub(crate) async fn overwriting(connection: &mut SqliteConnection, on: bool) -> Result<(), sqlx::Error> {
    if on {
        sqlx::raw_sql("PRAGMA secure_delete = ON")
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// Drops the keys and ciphertexts of what the facts forget. The key stays as NULL: nothing is sealed for it again.
pub(crate) async fn drop_keys(
    connection: &mut SqliteConnection,
    facts: &[Recorded],
) -> Result<(), sqlx::Error> {
    let mut due = false;
    for subject in facts.iter().filter_map(subject_of) {
        sqlx::query(
            "INSERT INTO subject_key VALUES (?, NULL) ON CONFLICT(subject) DO UPDATE SET wrapped_key = NULL",
        )
        .bind(subject)
        .execute(&mut *connection)
        .await?;
        sqlx::query("DELETE FROM body WHERE subject = ?")
            .bind(subject)
            .execute(&mut *connection)
            .await?;
        due = true;
    }
    if due {
        sqlx::raw_sql("INSERT INTO meta VALUES ('scrub_due', 1) ON CONFLICT(key) DO UPDATE SET value = 1")
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// What facts call forgotten must not be there: number of the fact, and the subject.
pub(crate) async fn check(
    connection: &mut SqliteConnection,
    forgotten: &[(u64, String)],
) -> Result<(), ReadError> {
    for (sequence, subject) in forgotten {
        let kept = sqlx::query(
            "SELECT 1 FROM subject_key WHERE subject = ?1 AND wrapped_key IS NOT NULL \
             UNION ALL SELECT 1 FROM body WHERE subject = ?1 LIMIT 1",
        )
        .bind(subject)
        .fetch_optional(&mut *connection)
        .await?;
        if kept.is_some() {
            let why = format!("it says that the texts of {subject} are forgotten, and they are still here");
            return Err(Broken::at(*sequence, why).into());
        }
    }
    Ok(())
}

pub(crate) async fn is_due(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    Ok(scalar(
        connection,
        "SELECT coalesce(max(value), 0) FROM meta WHERE key = 'scrub_due'",
    )
    .await?
        != 0)
}

impl Store {
    /// Whether texts were forgotten whose remains may still lie in free space or in the log.
    pub fn scrub_due(&self) -> bool {
        self.scrub_due
    }

    /// Writes the database anew without the remains of what was deleted (moved copies in the gaps of pages too, which
    /// `secure_delete` alone leaves) and empties the write-ahead log. Costs the time to copy the file, and its size again
    /// on the disk meanwhile. `false`: somebody is reading an older state; it stays due. What a flash disk, a file
    /// system's history or a backup keeps is beyond this.
    ///
    /// # Errors
    /// [`ReadError::Sqlite`], a full disk for example; it stays due.
    pub async fn scrub(&mut self) -> Result<bool, ReadError> {
        if !self.scrub_due {
            return Ok(true);
        }
        sqlx::raw_sql("VACUUM").execute(&mut self.connection).await?;
        if !self.empty_log().await? {
            return Ok(false);
        }
        sqlx::raw_sql("DELETE FROM meta WHERE key = 'scrub_due'")
            .execute(&mut self.connection)
            .await?;
        sqlx::raw_sql("PRAGMA secure_delete = OFF")
            .execute(&mut self.connection)
            .await?;
        self.scrub_due = false;
        Ok(true)
    }

    async fn empty_log(&mut self) -> Result<bool, ReadError> {
        let row = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .fetch_one(&mut self.connection)
            .await?;
        Ok(row.try_get::<i64, _>(0)? == 0)
    }
}

impl Reader {
    /// Which of these subjects have texts that can still be read; at most [`MAX_SUBJECTS`] are looked up.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn readable_subjects(&self, subjects: &[String]) -> Result<Vec<String>, ReadError> {
        let subjects = &subjects[..subjects.len().min(MAX_SUBJECTS)];
        let mut connection = self.pool.acquire().await?;
        let before = "SELECT subject FROM subject_key WHERE wrapped_key IS NOT NULL AND subject";
        let rows = select_in(&mut connection, before, subjects, |q, subject| {
            q.bind(subject.clone())
        })
        .await?;
        let names = rows.iter().map(|row| row.try_get(0).map_err(ReadError::from));
        names.collect()
    }
}
