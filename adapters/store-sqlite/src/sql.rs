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
