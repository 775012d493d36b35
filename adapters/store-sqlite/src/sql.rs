//! Many rows in one statement, with few distinct statements, so that the cache of prepared ones stays small.
use sqlx::{AssertSqlSafe, SqliteConnection, sqlite::SqliteRow};

pub(crate) type SqliteQuery<'q> = sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

/// Rows in one statement at most; four columns stay far below SQLite's 32,766 parameters.
const ROWS_MAX: usize = 256;

/// Cuts `items` into pieces of 256, 64, 16, 4 or 1, so that only five texts of a statement exist.
fn pieces<T>(mut items: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = [ROWS_MAX, 64, 16, 4, 1]
            .into_iter()
            .find(|size| *size <= items.len())?;
        let (piece, rest) = items.split_at(size);
        items = rest;
        Some(piece)
    })
}

fn repeated(tuple: &str, count: usize) -> String {
    vec![tuple; count].join(",")
}

/// Runs `{before} (?,…),(?,…) {after}` over all items; `bind` binds the columns of one.
pub(crate) async fn insert_many<T>(
    connection: &mut SqliteConnection,
    [before, tuple, after]: [&str; 3],
    items: &[T],
    bind: impl for<'q> Fn(SqliteQuery<'q>, &T) -> SqliteQuery<'q>,
) -> Result<(), sqlx::Error> {
    for piece in pieces(items) {
        let text = format!("{before} {} {after}", repeated(tuple, piece.len()));
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
    for piece in pieces(keys) {
        let text = format!("{before} IN ({})", repeated("?", piece.len()));
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
