//! Many rows in one statement, with few distinct statements, so that the cache of prepared ones stays small.
use sqlx::{AssertSqlSafe, SqliteConnection, sqlite::SqliteRow};

pub(crate) type SqliteQuery<'q> = sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

/// Rows in one statement at most; fifteen columns stay far below SQLite's 32,766 parameters.
const ROWS_MAX: usize = 256;

/// Cuts `items` into pieces, and says how many rows the statement of each has: the next power of two, so that only nine
/// texts of a statement exist and one statement does for most pieces. Each is a way to SQLite's thread and back. What is not
/// bound is NULL.
fn pieces<T>(items: &[T]) -> impl Iterator<Item = (usize, &[T])> {
    let pieces = items.chunks(ROWS_MAX);
    pieces.map(|piece| (piece.len().next_power_of_two(), piece))
}

fn repeated(tuple: &str, count: usize) -> String {
    vec![tuple; count].join(",")
}

/// Runs `{into} … (?,…),(?,…) … {after}` over all items; `bind` binds the columns of one, of which the first is never NULL.
pub(crate) async fn insert_many<T>(
    connection: &mut SqliteConnection,
    [into, tuple, after]: [&str; 3],
    items: &[T],
    bind: impl for<'q> Fn(SqliteQuery<'q>, &T) -> SqliteQuery<'q>,
) -> Result<(), sqlx::Error> {
    for (rows, piece) in pieces(items) {
        let values = repeated(tuple, rows);
        let text = format!("{into} SELECT * FROM (VALUES {values}) WHERE column1 IS NOT NULL {after}");
        let mut query = sqlx::query(AssertSqlSafe(text));
        for item in piece {
            query = bind(query, item);
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// Runs `{before} IN (?,…)` over all keys and gathers the rows.
pub(crate) async fn select_in<T>(
    connection: &mut SqliteConnection,
    before: &str,
    keys: &[T],
    bind: impl for<'q> Fn(SqliteQuery<'q>, &T) -> SqliteQuery<'q>,
) -> Result<Vec<SqliteRow>, sqlx::Error> {
    let mut found = Vec::new();
    for (rows, piece) in pieces(keys) {
        let text = format!("{before} IN ({})", repeated("?", rows));
        let mut query = sqlx::query(AssertSqlSafe(text));
        for key in piece {
            query = bind(query, key);
        }
        found.extend(query.fetch_all(&mut *connection).await?);
    }
    Ok(found)
}

/// Begins a transaction that writes.
///
/// Not sqlx's own: SQLite itself rolls back when the disk is full, which sqlx's count of transactions never learns.
pub(crate) async fn begin(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    if sqlx::raw_sql("BEGIN IMMEDIATE")
        .execute(&mut *connection)
        .await
        .is_ok()
    {
        return Ok(());
    }
    // A commit that was abandoned half-way (its future dropped) leaves its transaction open: it never happened.
    rollback(connection).await;
    sqlx::raw_sql("BEGIN IMMEDIATE")
        .execute(connection)
        .await
        .map(|_| ())
}

/// Commits what [`begin`] began if all went well, and takes it back if anything did not.
pub(crate) async fn finish<T, E: From<sqlx::Error>>(
    connection: &mut SqliteConnection,
    work: Result<T, E>,
) -> Result<T, E> {
    let error = match work {
        Ok(value) => match sqlx::raw_sql("COMMIT").execute(&mut *connection).await {
            Ok(_) => return Ok(value),
            Err(error) => error.into(),
        },
        Err(error) => error,
    };
    rollback(connection).await;
    Err(error)
}

/// There may be nothing to take back any more, which SQLite calls an error and is none.
async fn rollback(connection: &mut SqliteConnection) {
    let _ = sqlx::raw_sql("ROLLBACK").execute(connection).await;
}
