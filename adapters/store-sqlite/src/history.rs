//! Reading the history, page by page.
use autopilot_events::words::{Digest, JobId};
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use crate::{
    error::ReadError,
    fingerprint::Fingerprint,
    reader::Reader,
    row_store::checkpoint,
    rows::{COLUMNS, HistoryQuery, HistoryRow, MAX_ROWS, STATE},
    scan::{self, Key},
    search::{self, Search},
    sql::select_in,
};

impl Reader {
    /// One page of the history, newest first, and the ledger's sequence number that it rests on.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn history(&self, query: &HistoryQuery) -> Result<(Vec<HistoryRow>, u64), ReadError> {
        let mut connection = self.pool.acquire().await?;
        let mut snapshot = sqlx::Connection::begin(&mut *connection).await?;
        let rows = match &query.search {
            Some(search) => found(&mut snapshot, query, search).await?,
            None => {
                let places = places(&mut snapshot, query).await?;
                at(&mut snapshot, &places).await?
            }
        };
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

/// The rows at these places, newest first.
async fn at(connection: &mut SqliteConnection, places: &[i64]) -> Result<Vec<HistoryRow>, ReadError> {
    let before = format!("{COLUMNS} WHERE first_sequence");
    let rows = select_in(connection, &before, places, |q, place| q.bind(*place)).await?;
    let mut rows = rows.iter().map(HistoryRow::read).collect::<Result<Vec<_>, _>>()?;
    rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.first_sequence));
    Ok(rows)
}

/// The newest rows that are looked for and that the filter lets through.
async fn found(
    connection: &mut SqliteConnection,
    query: &HistoryQuery,
    search: &Search,
) -> Result<Vec<HistoryRow>, ReadError> {
    let bound = |cursor: Option<u64>, none: i64| {
        cursor.map_or(none, |cursor| i64::try_from(cursor).unwrap_or(i64::MAX))
    };
    let (mut before, after) = (bound(query.before, i64::MAX), bound(query.after, 0));
    let limit = query.limit.min(MAX_ROWS);
    let mut rows = Vec::new();
    loop {
        let places = search::places(connection, search, (before, after), limit).await?;
        rows.extend(
            at(connection, &places)
                .await?
                .into_iter()
                .filter(|row| query.lets_through(row)),
        );
        match places.last() {
            Some(last) if places.len() == limit as usize && rows.len() < limit as usize => before = *last,
            _ => break,
        }
    }
    rows.truncate(limit as usize);
    Ok(rows)
}

/// Places (`first_sequence`) of the rows of a page. What it costs depends on the page and on the number of states that
/// occur, not on the length of the history.
async fn places(connection: &mut SqliteConnection, query: &HistoryQuery) -> Result<Vec<i64>, ReadError> {
    // Towards newer rows the page nearest to the cursor is wanted, so it is read the other way round.
    let upwards = query.after.is_some() && query.before.is_none();
    let order = if upwards { "ASC" } else { "DESC" };
    let bound = |cursor: Option<u64>, none: i64| {
        cursor.map_or(none, |cursor| i64::try_from(cursor).unwrap_or(i64::MAX))
    };
    let (before, after) = (bound(query.before, i64::MAX), bound(query.after, 0));
    let limit = query.limit.min(MAX_ROWS);
    let range = format!("first_sequence < ? AND first_sequence > ? ORDER BY first_sequence {order} LIMIT ?");
    let mut places = Vec::new();
    if query.role.is_none() && query.work.is_none() && query.money.is_none() {
        let text = format!("SELECT first_sequence FROM history WHERE {range}");
        let rows = sqlx::query(AssertSqlSafe(text))
            .bind(before)
            .bind(after)
            .bind(limit);
        for row in rows.fetch_all(&mut *connection).await? {
            places.push(row.try_get::<i64, _>(0)?);
        }
        return Ok(places);
    }
    for state in states(connection, query).await? {
        let text = format!("SELECT first_sequence FROM history WHERE {STATE} = ? AND {range}");
        let rows = sqlx::query(AssertSqlSafe(text))
            .bind(state)
            .bind(before)
            .bind(after)
            .bind(limit);
        for row in rows.fetch_all(&mut *connection).await? {
            places.push(row.try_get::<i64, _>(0)?);
        }
    }
    places.sort_unstable();
    if !upwards {
        places.reverse();
    }
    places.truncate(limit as usize);
    Ok(places)
}

/// The states that occur and that the filter lets through. There are a few dozen at most: each is one step in the index.
async fn states(connection: &mut SqliteConnection, query: &HistoryQuery) -> Result<Vec<String>, ReadError> {
    let next = |after: &str| {
        format!("(SELECT {STATE} FROM history WHERE {STATE} > {after} ORDER BY {STATE} LIMIT 1)")
    };
    let (first, following) = (next("''"), next("state.name"));
    let text = format!(
        "WITH RECURSIVE state(name) AS (SELECT {first} UNION ALL SELECT {following} FROM state \
         WHERE state.name IS NOT NULL) SELECT name FROM state WHERE name IS NOT NULL"
    );
    let rows = sqlx::query(AssertSqlSafe(text)).fetch_all(connection).await?;
    let wanted = [
        query.role.map(|role| role.name()),
        query.work.as_deref(),
        query.money.as_deref(),
    ];
    let mut states = Vec::new();
    for row in rows {
        let name: String = row.try_get(0)?;
        let fits = name
            .split('/')
            .zip(wanted)
            .all(|(found, wanted)| wanted.is_none_or(|wanted| wanted == found));
        if fits {
            states.push(name);
        }
    }
    Ok(states)
}

/// The digest of the rows as they lie in the table. It is a sum: their order there is as good as any, and the cheapest.
pub(crate) async fn digest_of_table(connection: &mut SqliteConnection) -> Result<Digest, ReadError> {
    let mut sum = Fingerprint::default();
    let all = format!("{COLUMNS} WHERE job_id > ? ORDER BY job_id");
    scan::pages(connection, &all, Key::Bytes(b""), |row| {
        sum.add(&HistoryRow::canonical_of(row)?);
        Ok(())
    })
    .await?;
    Ok(sum.to_digest())
}
