//! Reading the history, page by page.
use autopilot_events::words::{Digest, JobId};
use sqlx::{AssertSqlSafe, SqliteConnection};

use crate::{
    error::ReadError,
    fingerprint::Fingerprint,
    reader::Reader,
    row_store::checkpoint,
    rows::{COLUMNS, HistoryQuery, HistoryRow, MAX_ROWS},
};

impl Reader {
    /// One page of the history, newest first, and the ledger's sequence number that it rests on.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn history(&self, query: &HistoryQuery) -> Result<(Vec<HistoryRow>, u64), ReadError> {
        // Towards newer rows the page nearest to the cursor is wanted, so it is read the other way round.
        let upwards = query.after.is_some() && query.before.is_none();
        let order = if upwards { "ASC" } else { "DESC" };
        let text = format!(
            "{COLUMNS} WHERE (?1 IS NULL OR role = ?1) AND (?2 IS NULL OR work = ?2) AND (?3 IS NULL OR money = ?3) \
             AND first_sequence < ?4 AND first_sequence > ?5 ORDER BY first_sequence {order} LIMIT ?6"
        );
        let mut connection = self.pool.acquire().await?;
        let mut snapshot = sqlx::Connection::begin(&mut *connection).await?;
        let bound = |cursor: Option<u64>, none: i64| {
            cursor.map_or(none, |cursor| i64::try_from(cursor).unwrap_or(i64::MAX))
        };
        let rows = sqlx::query(AssertSqlSafe(text))
            .bind(query.role.map(|role| role.name()))
            .bind(query.work.as_deref())
            .bind(query.money.as_deref())
            .bind(bound(query.before, i64::MAX))
            .bind(bound(query.after, 0))
            .bind(query.limit.min(MAX_ROWS))
            .fetch_all(&mut *snapshot)
            .await?;
        let mut rows = rows.iter().map(HistoryRow::read).collect::<Result<Vec<_>, _>>()?;
        if upwards {
            rows.reverse();
        }
        let at = checkpoint(&mut snapshot)
            .await?
            .map_or(0, |(sequence, ..)| sequence);
        Ok((rows, at))
    }

    /// The row of one job or purchase.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn history_one(&self, job_id: &JobId) -> Result<Option<HistoryRow>, ReadError> {
        let row = sqlx::query(AssertSqlSafe(format!("{COLUMNS} WHERE job_id = ?")))
            .bind(job_id.to_vec())
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(HistoryRow::read).transpose()
    }

    /// The digest of the history at the ledger's end, as the checkpoint has it, with its sequence number.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn history_digest(&self) -> Result<Option<(u64, Digest)>, ReadError> {
        let mut connection = self.pool.acquire().await?;
        Ok(checkpoint(&mut connection)
            .await?
            .map(|(sequence, _, digest)| (sequence, digest)))
    }
}

/// The digest of the rows as they lie in the table, read in pages.
pub(crate) async fn digest_of_table(connection: &mut SqliteConnection) -> Result<Digest, ReadError> {
    let mut sum = Fingerprint::default();
    let mut cursor = 0_i64;
    loop {
        let text = format!("{COLUMNS} WHERE first_sequence > ? ORDER BY first_sequence LIMIT {MAX_ROWS}");
        let rows = sqlx::query(AssertSqlSafe(text))
            .bind(cursor)
            .fetch_all(&mut *connection)
            .await?;
        for row in &rows {
            let row = HistoryRow::read(row)?;
            cursor = row.first_sequence as i64;
            sum.add(&row.canonical());
        }
        if rows.len() < MAX_ROWS as usize {
            return Ok(sum.to_digest());
        }
    }
}
