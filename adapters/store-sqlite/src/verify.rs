//! Verification: every stored byte of the facts, and everything that must agree with them. Read-only, in bounded
//! memory, beside a writing host or without one.
use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
};

use autopilot_events::{Event, Head, Recorded, pb::BodyRef, texts::body_ref};
use sqlx::{Connection, SqliteConnection};

use crate::{
    append::payload_digest,
    block::Broken,
    erase,
    error::ReadError,
    history,
    reader::{self, Progress, Reader},
    recheck::{Claim, check_claims},
    row_store,
    scan::{self, Key},
    step, texts, tiles,
};

/// Streams held in memory in one pass, some 70 MB of them; a ledger of more takes more passes.
const STREAMS_PER_PASS: u64 = 7 << 18;

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
    let (mut keys, key) = (Keys::default(), RandomState::new());
    let mut tree = tiles::Check::begin(moment).await?;
    for pass in 0..passes {
        let mut versions = Versions::of_pass(pass, passes, streams, &key);
        let mut at = Head::empty();
        loop {
            let mut bodies: Vec<BodyRef> = Vec::new();
            let mut forgotten: Vec<(u64, String)> = Vec::new();
            let flow = step::step(moment, &mut at, step::STEP_BYTES, &mut |fact| {
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
            texts::check(moment, &bodies, &mut report.bodies).await?;
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
    /// By a hash of the name under a key of this check alone, which nobody can choose names against. That two of a million
    /// streams share one by chance happens once in thirty million checks.
    seen: HashMap<u64, u64>,
    key: RandomState,
    broken: Option<Broken>,
}

impl Versions {
    fn of_pass(pass: u64, passes: u64, streams: u64, key: &RandomState) -> Versions {
        Versions {
            pass,
            passes,
            seen: HashMap::with_capacity(streams.div_ceil(passes) as usize),
            key: key.clone(),
            broken: None,
        }
    }

    fn hash(&self, stream: &[u8]) -> u64 {
        self.key.hash_one(stream)
    }

    fn mine(&self, hash: u64) -> bool {
        hash % self.passes == self.pass
    }

    fn take(&mut self, fact: &Recorded) {
        let hash = self.hash(fact.fact.stream.as_bytes());
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
        let all = "SELECT stream, version FROM stream WHERE stream > ? ORDER BY stream";
        scan::pages(moment, all, Key::Text(b""), |row| {
            let (stream, version) = (row.bytes(0).unwrap_or_default(), row.number(1));
            let hash = self.hash(stream);
            if !self.mine(hash) {
                return Ok(());
            }
            let found = self.seen.remove(&hash).unwrap_or(0);
            match version {
                Some(version) if version as u64 == found => Ok(()),
                _ => Err(index(format!(
                    "stream {} has {found} facts, the index of streams says {}",
                    String::from_utf8_lossy(stream),
                    version.unwrap_or_default()
                ))),
            }
        })
        .await?;
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

/// The idempotency index, as a sum over facts that must equal the sum over rows. The summands are hashes under a key of
/// this check alone, so that nobody can choose rows whose sum is that of others.
#[derive(Default)]
struct Keys {
    count: u64,
    sum: u64,
    hash: RandomState,
}

impl Keys {
    fn add(&mut self, key: &[u8], sequence: u64, digest: &[u8]) {
        let summand = self.hash.hash_one((key, sequence, digest));
        (self.count, self.sum) = (self.count + 1, self.sum.wrapping_add(summand));
    }

    fn take(&mut self, fact: &Recorded) {
        let fact = &fact.fact;
        if !fact.idempotency_key.is_empty() {
            let digest = payload_digest(fact);
            self.add(fact.idempotency_key.as_bytes(), fact.sequence, &digest.0);
        }
    }

    async fn against_table(self, moment: &mut SqliteConnection) -> Result<(), ReadError> {
        let mut stored = Keys {
            hash: self.hash.clone(),
            ..Keys::default()
        };
        let all = "SELECT key, sequence, payload_digest FROM idempotency WHERE key > ? ORDER BY key";
        scan::pages(moment, all, Key::Text(b""), |row| {
            let (key, digest) = (row.bytes(0), row.bytes(2));
            let sequence = row.number(1).unwrap_or_default() as u64;
            stored.add(key.unwrap_or_default(), sequence, digest.unwrap_or_default());
            Ok(())
        })
        .await?;
        if (stored.count, stored.sum) == (self.count, self.sum) {
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
        let flow = step::step(moment, &mut at, step::STEP_BYTES, &mut |fact| {
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
