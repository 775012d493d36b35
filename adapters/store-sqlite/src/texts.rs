//! Holding the texts beside the facts against what the facts say of them.
use std::collections::HashMap;

use autopilot_events::{pb::BodyRef, texts::forgotten_key, words::Digest};
use sqlx::{SqliteConnection, sqlite::LockedSqliteHandle};

use crate::{
    error::ReadError,
    scan::{Key, Scan},
    verify::BodyCounts,
};

/// Counts what became of the texts that these references name.
pub(crate) async fn check(
    moment: &mut SqliteConnection,
    references: &[BodyRef],
    counts: &mut BodyCounts,
) -> Result<(), ReadError> {
    count(&mut moment.lock_handle().await?, references, counts)
}

fn count(
    locked: &mut LockedSqliteHandle<'_>,
    references: &[BodyRef],
    counts: &mut BodyCounts,
) -> Result<(), ReadError> {
    let mut absent = Vec::new();
    let mut kept = Scan::prepare(locked, "SELECT ciphertext FROM body WHERE ciphertext_digest = ?")?;
    for reference in references {
        let digest = reference.ciphertext_digest.as_slice();
        let mut same = None;
        kept.run(Key::Bytes(digest), |row| {
            same = Some(Digest::of_content(row.bytes(0).unwrap_or_default()).0 == digest);
            Ok(())
        })?;
        match same {
            Some(true) => counts.valid += 1,
            Some(false) => counts.invalid += 1,
            None => absent.push(reference.subject.as_str()),
        }
    }
    drop(kept);
    let mut subjects: HashMap<&str, u64> = HashMap::new();
    for subject in absent {
        *subjects.entry(subject).or_default() += 1;
    }
    let mut gone = Vec::new();
    let mut dropped = Scan::prepare(
        locked,
        "SELECT 1 FROM subject_key WHERE subject = ? AND wrapped_key IS NULL",
    )?;
    for (subject, times) in subjects {
        match dropped.run(Key::Text(subject.as_bytes()), |_| Ok(()))? {
            0 => counts.missing += times,
            _ => gone.push((subject, times)),
        }
    }
    drop(dropped);
    // That the key is gone is not enough: a fact must say so.
    let mut said = Scan::prepare(locked, "SELECT 1 FROM idempotency WHERE key = ?")?;
    for (subject, times) in gone {
        match said.run(Key::Text(forgotten_key(subject).as_bytes()), |_| Ok(()))? {
            0 => counts.missing += times,
            _ => counts.erased += times,
        }
    }
    Ok(())
}
