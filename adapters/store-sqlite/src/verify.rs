//! Verification: every stored byte of the facts, and everything that must agree with them. Read-only, in bounded
//! memory, beside a writing host or without one.
use std::collections::HashMap;

use autopilot_events::{Event, Head, Recorded, pb::BodyRef, texts::body_ref, words::Digest};
use sqlx::{Connection, Row, SqliteConnection};

use crate::{
    append::payload_digest,
    block::Broken,
    erase,
    error::ReadError,
    fingerprint::Fingerprint,
    history,
    reader::{self, Progress, Reader},
    recheck::{Claim, check_claims},
    row_store, tiles,
};

/// Streams held in memory in one pass; a ledger of more takes more passes.
const STREAMS_PER_PASS: u64 = 1 << 20;

/// What became of the texts beside the facts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BodyCounts {
    /// Ciphertexts whose digest is the one that a fact names.
    pub valid: u64,
    /// Ciphertexts whose bytes are others.
    pub invalid: u64,
    /// Referred to, and forgotten on purpose, which a fact says.
    pub erased: u64,
    /// Referred to, not forgotten by any fact, and not there.
    pub missing: u64,
}

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyReport {
    /// Facts that hold, from the first on.
    pub facts: u64,
    /// Where the sound part ends: the ledger's head if nothing is broken.
    pub head: Head,
    /// The first fact that does not hold, and why.
    pub broken: Option<Broken>,
    /// Bodies; an invalid or missing one breaks no hash, but it is not as it was.
    pub bodies: BodyCounts,
    /// Facts of types that this program does not know: kept, hashed and skipped.
    pub unknown: u64,
}

impl VerifyReport {
    /// Whether everything is as it was written. Erased bodies are.
    pub fn ok(&self) -> bool {
        self.broken.is_none() && self.bodies.invalid == 0 && self.bodies.missing == 0
    }
}

impl Reader {
    /// Recomputes the chain over all stored bytes and checks blocks, sequence, payloads, stream versions, the
    /// idempotency index, the Merkle tree's tiles, the history's rows and the bodies against it.
    ///
    /// # Errors
    /// [`ReadError`] when the database can't be read; what is wrong with the ledger is in the report.
    pub async fn verify(
        &self,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<VerifyReport, ReadError> {
        let mut connection = self.pool.acquire().await?;
        // One transaction, so that facts and indexes are of the same moment while a host goes on writing.
        let mut moment = connection.begin().await?;
        let mut report = VerifyReport {
            facts: 0,
            head: Head::empty(),
            broken: None,
            bodies: BodyCounts::default(),
            unknown: 0,
        };
        match check_all(&mut moment, &mut report, progress).await {
            Ok(()) => {}
            Err(ReadError::Broken(broken)) => report.broken = Some(broken),
            Err(error) => return Err(error),
        }
        Ok(report)
    }
}

async fn check_all(
    moment: &mut SqliteConnection,
    report: &mut VerifyReport,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<(), ReadError> {
    let of = reader::end(moment).await?;
    let streams = crate::schema::scalar(moment, "SELECT count(*) FROM stream").await? as u64;
    let passes = streams.div_ceil(STREAMS_PER_PASS).max(1);
    let mut keys = Keys::default();
    let mut tree = tiles::Check::begin(moment).await?;
    for pass in 0..passes {
        let mut versions = Versions {
            pass,
            passes,
            seen: HashMap::new(),
            broken: None,
        };
        let mut at = Head::empty();
        loop {
            let mut bodies: Vec<BodyRef> = Vec::new();
            let mut forgotten: Vec<(u64, String)> = Vec::new();
            let flow = reader::step(moment, &mut at, reader::STEP_BYTES, &mut |fact| {
                versions.take(fact);
                if pass == 0 {
                    keys.take(fact);
                    tree.take(&fact.bytes);
                    report.unknown += u64::from(matches!(fact.event, Event::Unknown { .. }));
                    bodies.extend(body_ref(&fact.event).cloned());
                    forgotten.extend(
                        erase::subject_of(fact).map(|subject| (fact.fact.sequence, subject.to_owned())),
                    );
                }
            })
            .await;
            if pass == 0 {
                report.head = at;
                report.facts = at.sequence;
            }
            let flow = flow?;
            versions.broken.take().map_or(Ok(()), Err)?;
            tree.against_table(moment).await?;
            check_bodies(moment, &bodies, &mut report.bodies).await?;
            erase::check(moment, &forgotten).await?;
            progress(Progress {
                facts: at.sequence,
                of: of.max(at.sequence),
            });
            if flow.is_break() {
                break;
            }
        }
        versions.against_table(moment).await?;
    }
    keys.against_table(moment).await?;
    tree.finish(moment).await?;
    let table = history::digest_of_table(moment).await?;
    // A checkpoint elsewhere means that the rows are rebuilt when a host opens the ledger.
    if let Some((sequence, chain, digest)) = row_store::checkpoint(moment).await?
        && sequence == report.head.sequence
        && (chain != report.head.chain.0 || digest != table)
    {
        let why = "the rows of the history are not those of its checkpoint (the facts are whole)";
        return Err(Broken {
            sequence,
            why: why.to_owned(),
        }
        .into());
    }
    Ok(())
}

/// Stream versions, for one part of the streams.
struct Versions {
    pass: u64,
    passes: u64,
    seen: HashMap<u128, u64>,
    broken: Option<Broken>,
}

fn stream_hash(stream: &str) -> u128 {
    let digest = blake3::hash(stream.as_bytes());
    digest
        .as_bytes()
        .first_chunk()
        .map_or(0, |bytes| u128::from_le_bytes(*bytes))
}

impl Versions {
    fn mine(&self, hash: u128) -> bool {
        hash % u128::from(self.passes) == u128::from(self.pass)
    }

    fn take(&mut self, fact: &Recorded) {
        let hash = stream_hash(&fact.fact.stream);
        if self.broken.is_some() || !self.mine(hash) {
            return;
        }
        let version = self.seen.entry(hash).or_insert(0);
        *version += 1;
        if *version != fact.fact.stream_version {
            let why = format!(
                "it says version {} of stream {}, {version} was due",
                fact.fact.stream_version, fact.fact.stream
            );
            self.broken = Some(Broken {
                sequence: fact.fact.sequence,
                why,
            });
        }
    }

    async fn against_table(mut self, moment: &mut SqliteConnection) -> Result<(), ReadError> {
        let mut cursor = String::new();
        loop {
            let rows =
                sqlx::query("SELECT stream, version FROM stream WHERE stream > ? ORDER BY stream LIMIT 4096")
                    .bind(&cursor)
                    .fetch_all(&mut *moment)
                    .await?;
            for row in &rows {
                cursor = row.try_get(0)?;
                let version = row.try_get::<i64, _>(1)? as u64;
                let hash = stream_hash(&cursor);
                let found = if self.mine(hash) {
                    self.seen.remove(&hash).unwrap_or(0)
                } else {
                    version
                };
                if found != version {
                    return Err(index(format!(
                        "stream {cursor} has {found} facts, the index of streams says {version}"
                    )));
                }
            }
            if rows.len() < 4_096 {
                break;
            }
        }
        match self.seen.len() {
            0 => Ok(()),
            missing => Err(index(format!(
                "the index of streams lacks {missing} streams that facts name"
            ))),
        }
    }
}

/// An index that disagrees while the facts hold together: told as broken at no fact.
fn index(why: String) -> ReadError {
    Broken {
        sequence: 0,
        why: format!("{why} (the facts are whole)"),
    }
    .into()
}

/// The idempotency index, as a sum over facts that must equal the sum over rows.
#[derive(Default)]
struct Keys {
    count: u64,
    sum: Fingerprint,
}

fn key_row(key: &str, sequence: u64, digest: &[u8]) -> Vec<u8> {
    [&sequence.to_le_bytes(), digest, key.as_bytes()].concat()
}

impl Keys {
    fn take(&mut self, fact: &Recorded) {
        let fact = &fact.fact;
        if !fact.idempotency_key.is_empty() {
            self.count += 1;
            self.sum.add(&key_row(
                &fact.idempotency_key,
                fact.sequence,
                &payload_digest(fact).0,
            ));
        }
    }

    async fn against_table(self, moment: &mut SqliteConnection) -> Result<(), ReadError> {
        let (mut count, mut sum, mut cursor) = (0, Fingerprint::default(), String::new());
        loop {
            let rows = sqlx::query(
                "SELECT key, sequence, payload_digest FROM idempotency WHERE key > ? ORDER BY key LIMIT 4096",
            )
            .bind(&cursor)
            .fetch_all(&mut *moment)
            .await?;
            for row in &rows {
                cursor = row.try_get(0)?;
                sum.add(&key_row(
                    &cursor,
                    row.try_get::<i64, _>(1)? as u64,
                    row.try_get(2)?,
                ));
            }
            count += rows.len() as u64;
            if rows.len() < 4_096 {
                break;
            }
        }
        if count == self.count && sum == self.sum {
            return Ok(());
        }
        Err(first_unindexed(moment).await?)
    }
}

/// Which fact the idempotency index has not, or has otherwise.
async fn first_unindexed(moment: &mut SqliteConnection) -> Result<ReadError, ReadError> {
    let mut at = Head::empty();
    loop {
        let mut claims = Vec::new();
        let flow = reader::step(moment, &mut at, reader::STEP_BYTES, &mut |fact| {
            claims.extend(Claim::of(fact));
        })
        .await?;
        if let Err(error) = check_claims(moment, &claims).await {
            return Ok(error);
        }
        if flow.is_break() {
            return Ok(index(
                "the idempotency index holds keys that no fact has".to_owned(),
            ));
        }
    }
}

async fn check_bodies(
    moment: &mut SqliteConnection,
    references: &[BodyRef],
    counts: &mut BodyCounts,
) -> Result<(), ReadError> {
    for reference in references {
        let row = sqlx::query("SELECT ciphertext FROM body WHERE ciphertext_digest = ?")
            .bind(&reference.ciphertext_digest)
            .fetch_optional(&mut *moment)
            .await?;
        if let Some(row) = row {
            let digest = Digest::of_content(row.try_get(0)?);
            match digest.0.as_slice() == reference.ciphertext_digest {
                true => counts.valid += 1,
                false => counts.invalid += 1,
            }
            continue;
        }
        match erase::is_forgotten(moment, &reference.subject).await? {
            true => counts.erased += 1,
            false => counts.missing += 1,
        }
    }
    Ok(())
}
