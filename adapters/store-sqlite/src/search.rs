//! Looking for rows of history by what people know of them: the beginning of an id, a kind, a model. One entry for each
//! thing that becomes known of a row, written once; found by ranges, so that a page costs the same however long the
//! history is.
use autopilot_events::{Event, Recorded};
use autopilot_projections::rows::HistoryPatch;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use crate::{error::ReadError, sql::insert_many};

pub(crate) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS history_search(
    key BLOB NOT NULL,
    first_sequence INTEGER NOT NULL,
    PRIMARY KEY(key, first_sequence)
) STRICT, WITHOUT ROWID;
";

/// Bytes of a model's name that count.
const MODEL_BYTES: usize = 64;

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Search {
    /// Job, native id, counterparty or payment hash that begins with these hexadecimal digits.
    Id(String),
    /// This kind of request.
    Kind(u32),
    /// A model whose name begins so, whatever the case.
    Model(String),
}

impl Search {
    /// First and last key that fit.
    fn range(&self) -> (Vec<u8>, Vec<u8>) {
        match self {
            Search::Id(digits) => {
                let filled = |with: &str| {
                    let text: String = digits.chars().chain(with.repeat(64).chars()).take(64).collect();
                    let mut key = vec![b'i'];
                    // What is no hexadecimal text is found nowhere: nobody has such an id.
                    key.extend(hex(&text).unwrap_or_default());
                    key
                };
                (filled("0"), filled("f"))
            }
            Search::Kind(kind) => (kind_key(*kind), kind_key(*kind)),
            Search::Model(name) => {
                let first = model_key(name);
                // No text has this byte.
                let last = first.iter().copied().chain([0xFF]).collect();
                (first, last)
            }
        }
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok()))
        .collect();
    Some(
        digits?
            .chunks(2)
            .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
            .collect(),
    )
}

fn id_key(id: &[u8]) -> Vec<u8> {
    [b"i", id].concat()
}

fn kind_key(kind: u32) -> Vec<u8> {
    [&b"k"[..], &kind.to_be_bytes()].concat()
}

fn model_key(name: &str) -> Vec<u8> {
    let name = name.to_lowercase();
    [&b"m"[..], &name.as_bytes()[..name.len().min(MODEL_BYTES)]].concat()
}

/// What a fact makes known of its row.
fn keys(fact: &Recorded, patch: &HistoryPatch) -> Vec<Vec<u8>> {
    let ids = [
        patch.received.map(|_| patch.job_id.0),
        patch.native_id.map(|id| id.0),
        patch.counterparty.map(|key| key.0),
        patch.payment_hash.map(|hash| hash.0),
    ];
    let mut keys: Vec<Vec<u8>> = ids.iter().flatten().map(|id| id_key(id)).collect();
    keys.extend(patch.kind.map(kind_key));
    if let Event::JobExecuted(m) = &fact.event
        && let Some(receipt) = m.receipt.as_ref().filter(|receipt| !receipt.model.is_empty())
    {
        keys.push(model_key(&receipt.model));
    }
    keys
}

/// Writes what these facts make known; `row` answers the place of a patch's row.
pub(crate) async fn learn(
    connection: &mut SqliteConnection,
    patches: &[(&Recorded, HistoryPatch)],
    row: impl Fn(&HistoryPatch) -> Option<u64>,
) -> Result<(), sqlx::Error> {
    let mut entries: Vec<(Vec<u8>, i64)> = Vec::new();
    for (fact, patch) in patches {
        let Some(place) = row(patch) else { continue };
        let place = i64::try_from(place).unwrap_or(i64::MAX);
        entries.extend(keys(fact, patch).into_iter().map(|key| (key, place)));
    }
    let statement = ["INSERT OR IGNORE INTO history_search", "(?,?)", ""];
    insert_many(connection, statement, &entries, |q, (key, place)| {
        q.bind(key.clone()).bind(*place)
    })
    .await
}

/// Whether rows are there and nothing is known of them: they were written by an earlier program.
pub(crate) async fn lacks(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let text = "SELECT EXISTS(SELECT 1 FROM history) AND NOT EXISTS(SELECT 1 FROM history_search)";
    sqlx::query(text).fetch_one(connection).await?.try_get(0)
}

/// Places of the newest rows before `before` that fit, newest first.
pub(crate) async fn places(
    connection: &mut SqliteConnection,
    search: &Search,
    (before, after): (i64, i64),
    limit: u32,
) -> Result<Vec<i64>, ReadError> {
    let (first, last) = search.range();
    // Each key that occurs is one step in the index, and the newest rows of each are a range of it.
    let next = "SELECT min(key) FROM history_search WHERE key >";
    let text = format!(
        "WITH RECURSIVE found(key) AS (SELECT min(key) FROM history_search WHERE key >= ?1 UNION ALL \
         SELECT ({next} found.key) FROM found WHERE found.key <= ?2) \
         SELECT key FROM found WHERE key <= ?2"
    );
    let found = sqlx::query(AssertSqlSafe(text)).bind(first).bind(last);
    let mut places = Vec::new();
    for row in found.fetch_all(&mut *connection).await? {
        let key: Vec<u8> = row.try_get(0)?;
        let rows = sqlx::query(
            "SELECT first_sequence FROM history_search WHERE key = ? AND first_sequence < ? AND first_sequence > ? \
             ORDER BY first_sequence DESC LIMIT ?",
        )
        .bind(key)
        .bind(before)
        .bind(after)
        .bind(limit);
        for row in rows.fetch_all(&mut *connection).await? {
            places.push(row.try_get::<i64, _>(0)?);
        }
    }
    places.sort_unstable_by(|a, b| b.cmp(a));
    places.dedup();
    places.truncate(limit as usize);
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_of_any_length_is_a_range_of_ids() {
        let (first, last) = Search::Id("abc".to_owned()).range();
        assert_eq!((first[0], first[1], first[2], first[32]), (b'i', 0xab, 0xc0, 0));
        assert_eq!((last[1], last[2], last[32], last.len()), (0xab, 0xcf, 0xff, 33));
        let whole = Search::Id("11".repeat(32)).range();
        assert_eq!(whole.0, whole.1);
        let (first, last) = Search::Model("Qwen".to_owned()).range();
        assert!(first <= model_key("qwen2-0.5b") && model_key("qwen2-0.5b") <= last);
        assert!(model_key("qwfn") > last);
    }
}
