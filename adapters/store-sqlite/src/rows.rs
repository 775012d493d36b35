//! The history of jobs and purchases as rows: what one is, what is asked of them, and what their digest is over.
use std::collections::HashMap;

use autopilot_events::{
    Recorded,
    words::{Digest, EventId, JobId, PaymentHash, PublicKey},
};
use autopilot_projections::rows::{self as views, HistoryPatch, Role};
use serde::Serialize;
use sqlx::{Row, sqlite::SqliteRow};

use crate::{error::ReadError, fingerprint::Fingerprint, scan, search::Search};

pub(crate) const TABLES: &str = "
CREATE TABLE history(
    job_id BLOB PRIMARY KEY,
    first_sequence INTEGER NOT NULL,
    received_at_ms INTEGER NOT NULL,
    role TEXT,
    native_id BLOB,
    counterparty BLOB,
    kind INTEGER,
    work TEXT,
    money TEXT,
    price_msat INTEGER,
    settled_msat INTEGER,
    settled_at_ms INTEGER,
    payment_hash BLOB,
    result_digest BLOB,
    reason TEXT
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX history_order ON history(first_sequence);
CREATE TABLE row_checkpoint(
    view TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL,
    chain BLOB NOT NULL,
    digest BLOB NOT NULL
) STRICT, WITHOUT ROWID;
";

/// A row's role, work and money as one text, by which [`INDEX`] sorts rows: every filter is a few ranges of it.
pub(crate) const STATE: &str =
    "coalesce(role, '') || '/' || coalesce(work, '') || '/' || coalesce(money, '')";

/// The rows of each state in their order. Ledgers of earlier programs lack it.
pub(crate) const INDEX: &str = "
CREATE INDEX IF NOT EXISTS history_state
ON history(coalesce(role, '') || '/' || coalesce(work, '') || '/' || coalesce(money, ''), first_sequence);
";

pub(crate) const COLUMNS: &str = "SELECT job_id, first_sequence, received_at_ms, role, native_id, counterparty, kind, work, \
    money, price_msat, settled_msat, settled_at_ms, payment_hash, result_digest, reason FROM history";

/// Rows of one page at most.
pub const MAX_ROWS: u32 = 1_000;

/// One job or purchase.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HistoryRow {
    /// Key.
    pub job_id: JobId,
    /// The fact that made the row: rows are ordered by it, and it is the cursor of a page.
    pub first_sequence: u64,
    /// Recorded time of that fact.
    pub received_at_ms: i64,
    /// `provider` or `buyer`.
    pub role: Option<String>,
    /// Id at the market.
    pub native_id: Option<EventId>,
    /// The other side.
    pub counterparty: Option<PublicKey>,
    /// Request kind.
    pub kind: Option<u32>,
    /// Where the work stands.
    pub work: Option<String>,
    /// Where the money stands.
    pub money: Option<String>,
    /// Agreed or paid.
    pub price_msat: Option<u64>,
    /// What arrived, or was paid.
    pub settled_msat: Option<u64>,
    /// When the wallet had it.
    pub settled_at_ms: Option<i64>,
    /// Binds the payment.
    pub payment_hash: Option<PaymentHash>,
    /// blake3 of the output's ciphertext.
    pub result_digest: Option<Digest>,
    /// Why refused, failed or unpaid.
    pub reason: Option<String>,
}

/// Which rows, and from where. Newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Only this side of the market.
    pub role: Option<Role>,
    /// Only this state of work.
    pub work: Option<String>,
    /// Only this state of money.
    pub money: Option<String>,
    /// Only rows older than the one with this `first_sequence`.
    pub before: Option<u64>,
    /// Only rows newer than the one with this `first_sequence`.
    pub after: Option<u64>,
    /// Only rows that this is known of.
    pub search: Option<Search>,
    /// Rows wanted, at most [`MAX_ROWS`].
    pub limit: u32,
}

impl HistoryQuery {
    /// Whether a row is of the side and of the states that are asked for.
    pub(crate) fn lets_through(&self, row: &HistoryRow) -> bool {
        let fits =
            |wanted: Option<&str>, found: &Option<String>| wanted.is_none_or(|w| found.as_deref() == Some(w));
        fits(self.role.map(|role| role.name()), &row.role)
            && fits(self.work.as_deref(), &row.work)
            && fits(self.money.as_deref(), &row.money)
    }
}

/// A column of what is digested.
fn put(bytes: &mut Vec<u8>, column: Option<&[u8]>) {
    let length = column.map_or(u32::MAX, |column| column.len() as u32);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(column.unwrap_or_default());
}

pub(crate) fn label() -> String {
    format!("{}/{}", views::HISTORY.0, views::HISTORY.1)
}

impl HistoryRow {
    /// Takes a patch in. Pure.
    pub fn apply(&mut self, patch: &HistoryPatch) {
        fn set<T: Clone>(place: &mut Option<T>, value: &Option<T>) {
            if let Some(value) = value {
                *place = Some(value.clone());
            }
        }
        set(&mut self.role, &patch.role.map(|role| role.name().to_owned()));
        set(&mut self.native_id, &patch.native_id);
        set(&mut self.counterparty, &patch.counterparty);
        set(&mut self.kind, &patch.kind);
        set(&mut self.work, &patch.work.map(str::to_owned));
        set(&mut self.money, &patch.money.map(str::to_owned));
        set(&mut self.price_msat, &patch.price_msat);
        set(&mut self.settled_msat, &patch.settled_msat);
        set(&mut self.settled_at_ms, &patch.settled_at_ms);
        set(&mut self.payment_hash, &patch.payment_hash);
        set(&mut self.result_digest, &patch.result_digest.map(Digest));
        set(&mut self.reason, &patch.reason);
    }

    /// The row that `fact` makes.
    pub(crate) fn begun(job_id: JobId, fact: &Recorded) -> HistoryRow {
        HistoryRow {
            job_id,
            first_sequence: fact.fact.sequence,
            received_at_ms: fact.fact.recorded_at_ms,
            ..HistoryRow::default()
        }
    }

    /// What is digested: the columns in their order, each behind its length; an absent one is length `u32::MAX`.
    pub(crate) fn canonical(&self) -> Vec<u8> {
        let mut bytes = label().into_bytes();
        let mut put = |column: Option<&[u8]>| put(&mut bytes, column);
        put(Some(&self.job_id.0));
        put(Some(&self.first_sequence.to_le_bytes()));
        put(Some(&self.received_at_ms.to_le_bytes()));
        put(self.role.as_deref().map(str::as_bytes));
        put(self.native_id.as_ref().map(|id| id.0.as_slice()));
        put(self.counterparty.as_ref().map(|key| key.0.as_slice()));
        put(self.kind.map(u32::to_le_bytes).as_ref().map(<[u8; 4]>::as_slice));
        put(self.work.as_deref().map(str::as_bytes));
        put(self.money.as_deref().map(str::as_bytes));
        put(self
            .price_msat
            .map(u64::to_le_bytes)
            .as_ref()
            .map(<[u8; 8]>::as_slice));
        put(self
            .settled_msat
            .map(u64::to_le_bytes)
            .as_ref()
            .map(<[u8; 8]>::as_slice));
        put(self
            .settled_at_ms
            .map(i64::to_le_bytes)
            .as_ref()
            .map(<[u8; 8]>::as_slice));
        put(self.payment_hash.as_ref().map(|hash| hash.0.as_slice()));
        put(self.result_digest.as_ref().map(|digest| digest.0.as_slice()));
        put(self.reason.as_deref().map(str::as_bytes));
        bytes
    }

    /// The same of a row as it lies in the table, its columns as [`COLUMNS`] has them.
    ///
    /// # Errors
    /// [`ReadError::Row`] for a hash or a kind that is none.
    pub(crate) fn canonical_of(row: &scan::Row<'_>) -> Result<Vec<u8>, ReadError> {
        const HASHES: [i32; 5] = [0, 4, 5, 12, 13];
        const KIND: i32 = 6;
        let malformed = || ReadError::Row { table: "history" };
        let mut bytes = label().into_bytes();
        for column in 0..15 {
            match row.number(column) {
                Some(kind) if column == KIND => {
                    let kind = u32::try_from(kind).map_err(|_| malformed())?;
                    put(&mut bytes, Some(&kind.to_le_bytes()));
                }
                Some(number) => put(&mut bytes, Some(&number.to_le_bytes())),
                None => match row.bytes(column) {
                    Some(hash) if HASHES.contains(&column) && hash.len() != 32 => return Err(malformed()),
                    other => put(&mut bytes, other),
                },
            }
        }
        Ok(bytes)
    }

    pub(crate) fn read(row: &SqliteRow) -> Result<HistoryRow, ReadError> {
        let malformed = || ReadError::Row { table: "history" };
        let hash = |index: usize| -> Result<Option<[u8; 32]>, ReadError> {
            let bytes: Option<&[u8]> = row.try_get(index)?;
            bytes
                .map(|bytes| bytes.try_into().map_err(|_| malformed()))
                .transpose()
        };
        let amount = |index: usize| -> Result<Option<u64>, ReadError> {
            Ok(row.try_get::<Option<i64>, _>(index)?.map(|value| value as u64))
        };
        let kind: Option<i64> = row.try_get(6)?;
        Ok(HistoryRow {
            job_id: JobId(hash(0)?.ok_or_else(malformed)?),
            first_sequence: amount(1)?.ok_or_else(malformed)?,
            received_at_ms: row.try_get(2)?,
            role: row.try_get(3)?,
            native_id: hash(4)?.map(EventId),
            counterparty: hash(5)?.map(PublicKey),
            kind: kind
                .map(|kind| u32::try_from(kind).map_err(|_| malformed()))
                .transpose()?,
            work: row.try_get(7)?,
            money: row.try_get(8)?,
            price_msat: amount(9)?,
            settled_msat: amount(10)?,
            settled_at_ms: row.try_get(11)?,
            payment_hash: hash(12)?.map(PaymentHash),
            result_digest: hash(13)?.map(Digest),
            reason: row.try_get(14)?,
        })
    }
}

/// The history of a whole ledger folded in memory, and its digest: what the table must agree with.
#[derive(Clone, Debug, Default)]
pub struct HistoryFold(HashMap<JobId, HistoryRow>);

impl HistoryFold {
    /// Takes the next fact in.
    pub fn apply(&mut self, fact: &Recorded) {
        if let Some(patch) = views::history(fact) {
            self.0
                .entry(patch.job_id)
                .or_insert_with(|| HistoryRow::begun(patch.job_id, fact))
                .apply(&patch);
        }
    }

    /// The digest that the checkpoint must show.
    pub fn digest(&self) -> Digest {
        let mut sum = Fingerprint::default();
        for row in self.0.values() {
            sum.add(&row.canonical());
        }
        sum.to_digest()
    }
}
