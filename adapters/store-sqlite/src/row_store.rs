//! Rows on disk: what `projections::rows` says a fact changes, applied in the fact's own transaction, with a checkpoint
//! and a digest that is kept up to date row by row.
use std::collections::HashMap;

use autopilot_events::{
    Head, Recorded,
    words::{Digest, EventId, JobId, PaymentHash, PublicKey},
};
use autopilot_projections::rows::{self as views, HistoryPatch};
use sqlx::{Row, SqliteConnection};

use crate::{
    error::{AppendError, ReadError},
    fingerprint::Fingerprint,
    reader::Reader,
    rows::{COLUMNS, HistoryRow, label},
    search,
    sql::{begin, finish, insert_many, select_in},
    step,
};

/// Digests of the row views at the ledger's end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Digests {
    history: Fingerprint,
}

/// Applies what `facts` change and moves the checkpoint behind the last of them.
pub(crate) async fn apply(
    connection: &mut SqliteConnection,
    digests: &Digests,
    facts: &[Recorded],
) -> Result<Digests, AppendError> {
    let mut digests = *digests;
    let patches: Vec<(&Recorded, HistoryPatch)> = facts
        .iter()
        .filter_map(|fact| Some((fact, views::history(fact)?)))
        .collect();
    let changed = change(connection, &mut digests, &patches).await;
    match changed {
        Ok(()) => {}
        Err(ReadError::Sqlite(error)) => return Err(error.into()),
        Err(error) => {
            return Err(AppendError::Failed {
                cause: error.to_string(),
            });
        }
    }
    if let Some(last) = facts.last() {
        put_checkpoint(connection, &last.head(), &digests).await?;
    }
    Ok(digests)
}

async fn change(
    connection: &mut SqliteConnection,
    digests: &mut Digests,
    patches: &[(&Recorded, HistoryPatch)],
) -> Result<(), ReadError> {
    let mut ids: Vec<JobId> = patches.iter().map(|(_, patch)| patch.job_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let before = format!("{COLUMNS} WHERE job_id");
    let mut rows = HashMap::with_capacity(ids.len());
    for row in select_in(connection, &before, &ids, |q, id| q.bind(id.to_vec())).await? {
        let row = HistoryRow::read(&row)?;
        digests.history.remove(&row.canonical());
        rows.insert(row.job_id, row);
    }
    for (fact, patch) in patches {
        rows.entry(patch.job_id)
            .or_insert_with(|| HistoryRow::begun(patch.job_id, fact))
            .apply(patch);
    }
    search::learn(connection, patches, |patch| {
        rows.get(&patch.job_id).map(|row| row.first_sequence)
    })
    .await?;
    let rows: Vec<HistoryRow> = rows.into_values().collect();
    for row in &rows {
        digests.history.add(&row.canonical());
    }
    let statement = [
        "INSERT INTO history",
        "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        // Not the place in the order, which never changes: its index is left alone then.
        "ON CONFLICT(job_id) DO UPDATE SET role = excluded.role, native_id = excluded.native_id, \
         counterparty = excluded.counterparty, kind = excluded.kind, work = excluded.work, money = excluded.money, \
         price_msat = excluded.price_msat, settled_msat = excluded.settled_msat, \
         settled_at_ms = excluded.settled_at_ms, payment_hash = excluded.payment_hash, \
         result_digest = excluded.result_digest, reason = excluded.reason",
    ];
    insert_many(connection, statement, &rows, |q, row| {
        q.bind(row.job_id.to_vec())
            .bind(row.first_sequence as i64)
            .bind(row.received_at_ms)
            .bind(row.role.clone())
            .bind(row.native_id.map(EventId::to_vec))
            .bind(row.counterparty.map(PublicKey::to_vec))
            .bind(row.kind)
            .bind(row.work.clone())
            .bind(row.money.clone())
            .bind(row.price_msat.map(|amount| amount as i64))
            .bind(row.settled_msat.map(|amount| amount as i64))
            .bind(row.settled_at_ms)
            .bind(row.payment_hash.map(PaymentHash::to_vec))
            .bind(row.result_digest.map(Digest::to_vec))
            .bind(row.reason.clone())
    })
    .await?;
    Ok(())
}

async fn put_checkpoint(
    connection: &mut SqliteConnection,
    head: &Head,
    digests: &Digests,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT OR REPLACE INTO row_checkpoint VALUES (?,?,?,?)")
        .bind(label())
        .bind(head.sequence as i64)
        .bind(head.chain.to_vec())
        .bind(digests.history.to_digest().to_vec())
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn checkpoint(
    connection: &mut SqliteConnection,
) -> Result<Option<(u64, Vec<u8>, Digest)>, ReadError> {
    let row = sqlx::query("SELECT sequence, chain, digest FROM row_checkpoint WHERE view = ?")
        .bind(label())
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let digest = Digest::try_from(row.try_get::<&[u8], _>(2)?);
    let digest = digest.map_err(|_| ReadError::Row {
        table: "row_checkpoint",
    })?;
    Ok(Some((row.try_get::<i64, _>(0)? as u64, row.try_get(1)?, digest)))
}

/// Takes the rows as they are when they stand at the ledger's end, and else builds them anew from the facts.
pub(crate) async fn load_or_rebuild(
    connection: &mut SqliteConnection,
    reader: &Reader,
    head: &Head,
) -> Result<(Digests, Vec<String>), ReadError> {
    if let Some((sequence, chain, digest)) = checkpoint(connection).await?
        && sequence == head.sequence
        && chain == head.chain.0
        && !search::lacks(connection).await?
    {
        return Ok((
            Digests {
                history: Fingerprint::of_digest(digest),
            },
            Vec::new(),
        ));
    }
    let mut digests = Digests::default();
    begin(&mut *connection).await?;
    let work = async {
        sqlx::raw_sql("DELETE FROM history; DELETE FROM history_search; DELETE FROM row_checkpoint")
            .execute(&mut *connection)
            .await?;
        let mut source = reader.pool.acquire().await?;
        let mut at = Head::empty();
        loop {
            let mut facts = Vec::new();
            let flow = step::step(&mut source, &mut at, step::STEP_BYTES, &mut |fact| {
                if views::history(fact).is_some() {
                    facts.push(fact.clone());
                }
            })
            .await?;
            let patches: Vec<_> = facts
                .iter()
                .filter_map(|fact| Some((fact, views::history(fact)?)))
                .collect();
            change(&mut *connection, &mut digests, &patches).await?;
            if flow.is_break() {
                break;
            }
        }
        put_checkpoint(&mut *connection, head, &digests).await?;
        Ok::<_, ReadError>(())
    };
    let work = work.await;
    finish(connection, work).await?;
    let rebuilt = if head.sequence == 0 {
        Vec::new()
    } else {
        vec![label()]
    };
    Ok((digests, rebuilt))
}
