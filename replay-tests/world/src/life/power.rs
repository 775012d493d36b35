//! Power loss: what a process wrote to its ledger and did not sync is lost, cut in the middle, or there in part and in
//! any order. The library of `replay-tests/power-loss` noted it; its documentation has the form of a note.
use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::draw::Draw;
use crate::stage::program;

/// What a disk writes at once.
const SECTOR: u64 = 512;
/// Bytes of a note before what it replaced.
const HEAD: usize = 33;

/// What was taken away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// Writes and cuts since the last sync.
    pub unsynced: u64,
    /// Those that never happened.
    pub lost: u64,
    /// Those of which only the first sectors happened.
    pub torn: u64,
}

/// The environment of a host whose unsynced writes can be taken away.
///
/// # Errors
/// The library is not built.
pub fn environment() -> Result<Vec<(&'static str, String)>> {
    let library = program("libautopilot_power_loss.so")?;
    Ok(vec![
        ("LD_PRELOAD", library.display().to_string()),
        ("AUTOPILOT_UNSYNCED", "/ledger/ledger.sqlite".to_owned()),
    ])
}

/// Takes the power away: in `folder`, whose process is dead, each file loses a draw of what it had not synced.
///
/// # Errors
/// Notes that can't be read.
pub fn lose(folder: &Path, draw: &mut Draw) -> Result<Loss> {
    let mut loss = Loss::default();
    let mut noted: Vec<PathBuf> = fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "unsynced"))
        .collect();
    noted.sort();
    for notes in noted {
        let file = notes.with_extension("");
        if file.exists() {
            let text = fs::read(&notes)?;
            let changes = read(&text).with_context(|| notes.display().to_string())?;
            let file = File::options().read(true).write(true).open(&file)?;
            take_away(&file, &changes, draw, &mut loss)?;
            file.sync_all()?;
        }
        fs::remove_file(&notes)?;
    }
    Ok(loss)
}

struct Change<'a> {
    is_cut: bool,
    offset: u64,
    length_before: u64,
    old: &'a [u8],
    new: &'a [u8],
}

fn read(mut notes: &[u8]) -> Result<Vec<Change<'_>>> {
    let mut changes = Vec::new();
    while !notes.is_empty() {
        ensure!(notes.len() >= HEAD, "a note is cut short");
        let number = |at: usize| -> Result<u64> {
            let bytes = notes.get(1 + 8 * at..9 + 8 * at).context("a note is cut short")?;
            Ok(u64::from_le_bytes(bytes.try_into()?))
        };
        let (old, new) = (usize::try_from(number(2)?)?, usize::try_from(number(3)?)?);
        let rest = &notes[HEAD..];
        // The process may have died over its last note: that change never happened.
        if rest.len() < old + new {
            break;
        }
        changes.push(Change {
            is_cut: notes[0] == 1,
            offset: number(0)?,
            length_before: number(1)?,
            old: &rest[..old],
            new: &rest[old..old + new],
        });
        notes = &rest[old + new..];
    }
    Ok(changes)
}

/// Back to the last sync, and then a draw of what came after: everything, a beginning, or any part in any order.
fn take_away(file: &File, changes: &[Change<'_>], draw: &mut Draw, loss: &mut Loss) -> Result<()> {
    for change in changes.iter().rev() {
        file.write_all_at(change.old, change.offset)?;
        file.set_len(change.length_before)?;
    }
    let kept = draw.below(changes.len() as u64 + 1);
    let in_order = draw.below(2) == 0;
    for (number, change) in changes.iter().enumerate() {
        loss.unsynced += 1;
        let happens = if in_order {
            (number as u64) < kept
        } else {
            draw.below(2) == 0
        };
        match (happens, change.is_cut) {
            (false, _) => loss.lost += 1,
            (true, true) => file.set_len(change.offset)?,
            (true, false) => {
                let sectors = (change.new.len() as u64).div_ceil(SECTOR);
                let whole = draw.below(4) != 0;
                let upto = if whole { sectors } else { draw.below(sectors) };
                loss.torn += u64::from(!whole);
                let bytes = usize::try_from(upto * SECTOR)?.min(change.new.len());
                file.write_all_at(&change.new[..bytes], change.offset)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(kind: u8, offset: u64, before: u64, old: &[u8], new: &[u8]) -> Vec<u8> {
        let numbers = [offset, before, old.len() as u64, new.len() as u64];
        let mut note = vec![kind];
        note.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        [note, old.to_vec(), new.to_vec()].concat()
    }

    #[test]
    fn whatever_is_lost_each_byte_is_an_old_or_a_new_one_and_nothing_synced_is_touched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.sqlite");
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..200 {
            fs::write(&path, b"synced NEW").unwrap();
            let notes = [note(0, 7, 10, b"old", b"new"), note(0, 7, 10, b"new", b"NEW")].concat();
            fs::write(folder.path().join("ledger.sqlite.unsynced"), notes).unwrap();
            lose(folder.path(), &mut Draw::of(seed, 1)).unwrap();
            seen.insert(fs::read_to_string(&path).unwrap());
            assert!(!folder.path().join("ledger.sqlite.unsynced").exists());
        }
        let all: Vec<&str> = seen.iter().map(String::as_str).collect();
        assert_eq!(all, ["synced NEW", "synced new", "synced old"]);
    }
}
