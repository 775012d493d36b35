//! Reading again what an opening did not read: beside the writer, a piece at a time, without a transaction that lasts.
use autopilot_events::{Head, Recorded, words::Digest};
use sqlx::{Row, SqliteConnection};

use crate::{
    append::payload_digest,
    block::Broken,
    error::ReadError,
    reader::{Progress, Reader},
    sql::select_in,
    step, tiles,
};

/// Bytes of facts after which the pause is made: some thousand facts, a few milliseconds of work.
const PIECE_BYTES: usize = 512 << 10;

/// A reading of all facts up to a head, going on a piece at a time: whoever drives it sets the pace.
pub struct Recheck {
    reader: Reader,
    until: Head,
    at: Head,
    tree: tiles::Check,
}

impl Reader {
    /// Begins to read every fact up to `until` again: chain, numbers, times and payloads, the tree's tiles, and that
    /// each idempotency key names its fact. [`Reader::verify`] checks more, in one transaction that keeps the
    /// write-ahead log from being folded in.
    ///
    /// # Errors
    /// [`ReadError`] when the database can't be read.
    pub async fn recheck(&self, until: Head) -> Result<Recheck, ReadError> {
        let mut connection = self.pool.acquire().await?;
        Ok(Recheck {
            tree: tiles::Check::begin(&mut connection).await?,
            reader: self.clone(),
            until,
            at: Head::empty(),
        })
    }
}

impl Recheck {
    /// Reads the next piece, handing its facts over; `None` once everything was read and holds.
    ///
    /// # Errors
    /// [`ReadError::Broken`] for what does not hold; any other [`ReadError`] when the database can't be read.
    pub async fn step(
        &mut self,
        mut each: impl FnMut(&Recorded) + Send,
    ) -> Result<Option<Progress>, ReadError> {
        let (until, tree) = (self.until, &mut self.tree);
        if self.at.sequence >= until.sequence {
            return Ok(None);
        }
        let mut connection = self.reader.pool.acquire().await?;
        let mut claims = Vec::new();
        let mut there = None;
        let flow = step::step(&mut connection, &mut self.at, PIECE_BYTES, &mut |fact| {
            if fact.fact.sequence > until.sequence {
                return;
            }
            tree.take(&fact.bytes);
            claims.extend(Claim::of(fact));
            each(fact);
            if fact.fact.sequence == until.sequence {
                there = Some(fact.head());
            }
        })
        .await?;
        tree.against_table(&mut connection).await?;
        check_claims(&mut connection, &claims).await?;
        let sequence = until.sequence;
        if there.is_some_and(|there| there != until) {
            let why = "the facts before it give another chain value than the one that it was opened with";
            return Err(Broken::at(sequence, why).into());
        }
        if flow.is_break() && self.at.sequence < sequence {
            return Err(ReadError::BeyondEnd { sequence });
        }
        Ok(Some(Progress {
            facts: self.at.sequence.min(sequence),
            of: sequence,
        }))
    }
}

/// A fact's idempotency key, as the index must have it.
pub(crate) struct Claim {
    key: String,
    sequence: u64,
    digest: Digest,
}

impl Claim {
    pub(crate) fn of(fact: &Recorded) -> Option<Claim> {
        let fact = &fact.fact;
        (!fact.idempotency_key.is_empty()).then(|| Claim {
            key: fact.idempotency_key.clone(),
            sequence: fact.sequence,
            digest: payload_digest(fact),
        })
    }
}

/// Holds the keys of facts against the index.
pub(crate) async fn check_claims(
    connection: &mut SqliteConnection,
    claims: &[Claim],
) -> Result<(), ReadError> {
    let before = "SELECT key, sequence, payload_digest FROM idempotency WHERE key";
    let mut stored = std::collections::HashMap::with_capacity(claims.len());
    for row in select_in(connection, before, claims, |q, claim| q.bind(claim.key.clone())).await? {
        let found = (row.try_get::<i64, _>(1)? as u64, row.try_get::<Vec<u8>, _>(2)?);
        stored.insert(row.try_get::<String, _>(0)?, found);
    }
    for claim in claims {
        let found = stored.get(&claim.key);
        if !found.is_some_and(|(sequence, digest)| {
            *sequence == claim.sequence && digest.as_slice() == claim.digest.0
        }) {
            let why = format!(
                "the idempotency index does not have its key {} as the fact has it",
                claim.key
            );
            return Err(Broken::at(claim.sequence, why).into());
        }
    }
    Ok(())
}
