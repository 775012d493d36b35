//! One commit: facts, bodies, rows and journal in one transaction, durable when it returns.
use std::collections::HashMap;

use autopilot_events::{
    Head, Recorded,
    chain::link,
    pb,
    tree::{Tile, leaf},
    words::Digest,
};
use sqlx::{Row, SqliteConnection};

use crate::{
    block::Block,
    erase,
    error::{AppendError, Code, code},
    journal::{self, JournalEntry},
    row_store,
    sql::{begin, finish, insert_many, select_in},
    store::Store,
    tiles,
    vault::SealedBody,
};

/// Facts in one commit at most.
pub const MAX_COMMIT_FACTS: usize = 16_384;

/// Bytes of facts in one commit at most; sixteen facts of the largest size fit.
pub const MAX_COMMIT_BYTES: usize = 16 << 20;

/// Bytes of ciphertexts in one commit at most.
pub const MAX_COMMIT_BODY_BYTES: usize = 256 << 20;

/// What becomes durable together, or not at all. Several decisions may share a commit (group commit).
#[derive(Clone, Copy, Debug, Default)]
pub struct Commit<'a> {
    /// Facts right after the ledger's head, as the engine sealed them.
    pub facts: &'a [Recorded],
    /// Texts that the facts refer to.
    pub bodies: &'a [SealedBody],
    /// Lines for the journal, which is bounded and no part of the ledger.
    pub journal: &'a [JournalEntry],
}

/// What an idempotency key is bound to: `blake3(type ‖ 0 ‖ payload)`.
pub fn payload_digest(fact: &pb::Fact) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher
        .update(fact.r#type.as_bytes())
        .update(b"\0")
        .update(&fact.payload);
    Digest(*hasher.finalize().as_bytes())
}

/// First and last version of a stream in a commit.
type Streams<'a> = HashMap<&'a str, (u64, u64)>;

impl Store {
    /// Appends one commit. Durable when it returns; on an error nothing of it was kept.
    ///
    /// # Errors
    /// [`AppendError`]. After [`AppendError::Failed`] every further append is refused: open the ledger again.
    pub async fn append(&mut self, commit: Commit<'_>) -> Result<Head, AppendError> {
        self.check_open()?;
        let Some(first) = commit.facts.first() else {
            return self.append_beside(commit).await;
        };
        let expected = first.fact.sequence.saturating_sub(1);
        if expected != self.head.sequence {
            return Err(AppendError::Head {
                expected,
                found: self.head.sequence,
            });
        }
        let streams = check(&self.head, commit)?;
        let block = Block::of(&self.head, commit.facts);
        let (mut edge, mut tiles) = (self.edge.clone(), Vec::new());
        for fact in commit.facts {
            edge.push(leaf(&fact.bytes), &mut |tile| tiles.push(tile));
        }
        let forgets = commit.facts.iter().any(|fact| erase::subject_of(fact).is_some());
        erase::overwriting(&mut self.connection, forgets)
            .await
            .map_err(|error| self.note(error.into()))?;
        begin(&mut self.connection)
            .await
            .map_err(|error| self.note(error.into()))?;
        let work = write(
            &mut self.connection,
            &self.head,
            &self.rows,
            (&block, &tiles),
            &streams,
            commit,
        )
        .await;
        match finish(&mut self.connection, work).await {
            Ok(digests) => {
                self.rows = digests;
                self.edge = edge;
                self.tail.grew(&block);
                self.head = commit.facts.last().map_or(self.head, Recorded::head);
                self.journal.grew(commit.journal.len());
                self.scrub_due |= forgets;
                Ok(self.head)
            }
            Err(error) => Err(self.note(error)),
        }
    }

    fn check_open(&self) -> Result<(), AppendError> {
        if let Some((sequence, kind)) = self.unknown_critical.clone() {
            return Err(AppendError::UnknownCritical { sequence, kind });
        }
        if self.failed {
            return Err(AppendError::Failed {
                cause: "an earlier commit failed".to_owned(),
            });
        }
        Ok(())
    }

    fn note(&mut self, error: AppendError) -> AppendError {
        self.failed |= matches!(error, AppendError::Failed { .. });
        error
    }

    async fn append_beside(&mut self, commit: Commit<'_>) -> Result<Head, AppendError> {
        check_size(commit)?;
        let attempt = async {
            begin(&mut self.connection).await?;
            let work = async {
                write_bodies(&mut self.connection, commit.bodies).await?;
                journal::write(&mut self.connection, commit.journal).await
            };
            let work = work.await;
            finish(&mut self.connection, work).await
        };
        match attempt.await {
            Ok(()) => {
                self.journal.grew(commit.journal.len());
                Ok(self.head)
            }
            Err(error) => Err(self.note(error.into())),
        }
    }
}

fn check_size(commit: Commit<'_>) -> Result<(), AppendError> {
    let facts = commit.facts.len();
    let bytes = commit
        .facts
        .iter()
        .map(|fact| fact.bytes.len() + 4)
        .sum::<usize>();
    let body_bytes = commit
        .bodies
        .iter()
        .map(|body| body.ciphertext.len())
        .sum::<usize>();
    if facts > MAX_COMMIT_FACTS || bytes > MAX_COMMIT_BYTES || body_bytes > MAX_COMMIT_BODY_BYTES {
        return Err(AppendError::TooLarge {
            facts,
            bytes: bytes + body_bytes,
        });
    }
    Ok(())
}

/// Number, time, chain and stream versions of a commit, against its head and against itself.
fn check<'a>(head: &Head, commit: Commit<'a>) -> Result<Streams<'a>, AppendError> {
    check_size(commit)?;
    let mut at = *head;
    let mut streams = Streams::new();
    for fact in commit.facts {
        let sequence = at.sequence + 1;
        let refuse = |why| Err(AppendError::Inconsistent { sequence, why });
        if fact.fact.sequence != sequence {
            return refuse("it has another number");
        }
        if fact.bytes.is_empty() || fact.bytes.len() > autopilot_events::envelope::MAX_FACT_BYTES {
            return refuse("its size is out of bounds");
        }
        if fact.fact.recorded_at_ms < at.recorded_at_ms {
            return refuse("it is recorded before its predecessor");
        }
        if link(&at.chain, &fact.bytes) != fact.chain {
            return refuse("its chain value does not follow");
        }
        let version = fact.fact.stream_version;
        match streams.get_mut(fact.fact.stream.as_str()) {
            None if version == 0 => return refuse("stream versions start at 1"),
            None => {
                streams.insert(&fact.fact.stream, (version, version));
            }
            Some((_, last)) if *last + 1 == version => *last = version,
            Some(_) => return refuse("its stream version leaves a gap"),
        }
        at = fact.head();
    }
    Ok(streams)
}

async fn write(
    connection: &mut SqliteConnection,
    head: &Head,
    digests: &row_store::Digests,
    (block, tiles): (&Block, &[Tile]),
    streams: &Streams<'_>,
    commit: Commit<'_>,
) -> Result<row_store::Digests, AppendError> {
    check_head(connection, head).await?;
    advance_streams(connection, streams).await?;
    claim_keys(connection, commit.facts).await?;
    insert_block(connection, block).await?;
    tiles::write(connection, tiles).await?;
    write_bodies(connection, commit.bodies).await?;
    erase::drop_keys(connection, commit.facts).await?;
    let digests = row_store::apply(connection, digests, commit.facts).await?;
    journal::write(connection, commit.journal).await?;
    Ok(digests)
}

/// The head in memory is the one on disk: another writer would be found here even if it ignored the lock.
async fn check_head(connection: &mut SqliteConnection, head: &Head) -> Result<(), AppendError> {
    let last = sqlx::query(
        "SELECT first_sequence + count - 1, chain FROM block ORDER BY first_sequence DESC LIMIT 1",
    )
    .fetch_optional(connection)
    .await?;
    let (found, chain) = match last {
        None => (0, Head::empty().chain.to_vec()),
        Some(row) => (row.try_get::<i64, _>(0)? as u64, row.try_get(1)?),
    };
    if found != head.sequence || chain != head.chain.0 {
        return Err(AppendError::Head {
            expected: head.sequence,
            found,
        });
    }
    Ok(())
}

async fn advance_streams(
    connection: &mut SqliteConnection,
    streams: &Streams<'_>,
) -> Result<(), AppendError> {
    let names: Vec<&str> = streams.keys().copied().collect();
    let stored = select_in(
        connection,
        "SELECT stream, version FROM stream WHERE stream",
        &names,
        |q, name| q.bind((*name).to_owned()),
    )
    .await?;
    let mut versions = HashMap::with_capacity(stored.len());
    for row in stored {
        versions.insert(row.try_get::<String, _>(0)?, row.try_get::<i64, _>(1)? as u64);
    }
    let mut advanced = Vec::with_capacity(streams.len());
    for (stream, (first, last)) in streams {
        let found = versions.get(*stream).copied().unwrap_or(0);
        if found + 1 != *first {
            return Err(AppendError::Version {
                stream: (*stream).to_owned(),
                expected: first - 1,
                found,
            });
        }
        advanced.push((*stream, *last));
    }
    let statement = [
        "INSERT INTO stream",
        "(?,?)",
        "ON CONFLICT(stream) DO UPDATE SET version = excluded.version",
    ];
    insert_many(connection, statement, &advanced, |q, (stream, version)| {
        q.bind((*stream).to_owned()).bind(*version as i64)
    })
    .await?;
    Ok(())
}

async fn claim_keys(connection: &mut SqliteConnection, facts: &[Recorded]) -> Result<(), AppendError> {
    let claims: Vec<(&str, u64, Digest)> = facts
        .iter()
        .filter(|fact| !fact.fact.idempotency_key.is_empty())
        .map(|fact| {
            (
                fact.fact.idempotency_key.as_str(),
                fact.fact.sequence,
                payload_digest(&fact.fact),
            )
        })
        .collect();
    let mut own: HashMap<&str, (u64, Digest)> = HashMap::with_capacity(claims.len());
    for (key, sequence, digest) in &claims {
        if let Some((sequence, first)) = own.insert(key, (*sequence, *digest)) {
            return Err(AppendError::Conflict {
                key: (*key).to_owned(),
                sequence,
                same_payload: first == *digest,
            });
        }
    }
    let statement = ["INSERT INTO idempotency", "(?,?,?)", ""];
    let inserted = insert_many(connection, statement, &claims, |q, (key, sequence, digest)| {
        q.bind((*key).to_owned())
            .bind(*sequence as i64)
            .bind(digest.to_vec())
    })
    .await;
    match inserted {
        Ok(()) => Ok(()),
        Err(error) if code(&error) == Code::Unique => Err(conflict(connection, &own, error).await),
        Err(error) => Err(error.into()),
    }
}

/// Names the first taken key. Rows of this commit may be there too, above its own first fact.
async fn conflict(
    connection: &mut SqliteConnection,
    own: &HashMap<&str, (u64, Digest)>,
    cause: sqlx::Error,
) -> AppendError {
    let keys: Vec<&str> = own.keys().copied().collect();
    let first_own = own.values().map(|(sequence, _)| *sequence).min().unwrap_or(0);
    let before = "SELECT key, sequence, payload_digest FROM idempotency WHERE key";
    let stored = match select_in(connection, before, &keys, |q, key| q.bind((*key).to_owned())).await {
        Ok(stored) => stored,
        Err(error) => return error.into(),
    };
    let taken = stored.iter().filter_map(|row| {
        let (key, sequence) = (
            row.try_get::<String, _>(0).ok()?,
            row.try_get::<i64, _>(1).ok()? as u64,
        );
        let digest = row.try_get::<Vec<u8>, _>(2).ok()?;
        (sequence < first_own).then_some((sequence, key, digest))
    });
    match taken.min() {
        Some((sequence, key, digest)) => {
            let same_payload = own
                .get(key.as_str())
                .is_some_and(|(_, own)| own.0.as_slice() == digest);
            AppendError::Conflict {
                key,
                sequence,
                same_payload,
            }
        }
        None => cause.into(),
    }
}

pub(crate) async fn insert_block(
    connection: &mut SqliteConnection,
    block: &Block,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO block VALUES (?,?,?,?,?)")
        .bind(block.first_sequence as i64)
        .bind(block.count as i64)
        .bind(block.prev_chain.to_vec())
        .bind(block.chain.to_vec())
        .bind(block.bytes.as_slice())
        .execute(connection)
        .await?;
    Ok(())
}

/// A body is addressed by the digest of its ciphertext, so the same one twice is the same row.
async fn write_bodies(connection: &mut SqliteConnection, bodies: &[SealedBody]) -> Result<(), sqlx::Error> {
    for body in bodies {
        sqlx::query("INSERT INTO subject_key VALUES (?,?) ON CONFLICT(subject) DO NOTHING")
            .bind(body.subject())
            .bind(body.wrapped_key())
            .execute(&mut *connection)
            .await?;
        // A text that was sealed just before its subject was forgotten is forgotten too.
        sqlx::query(
            "INSERT INTO body SELECT ?, subject, ? FROM subject_key WHERE subject = ? AND wrapped_key IS NOT NULL \
             ON CONFLICT(ciphertext_digest) DO NOTHING",
        )
            .bind(body.ciphertext_digest.to_vec())
            .bind(body.ciphertext.as_slice())
            .bind(body.subject())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
