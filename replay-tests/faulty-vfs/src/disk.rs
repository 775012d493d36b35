//! The one disk of this process: its files, and what is to go wrong with it.
use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use crate::medium::{Change, Loss, Medium};

/// What an operation answers instead of being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Half of a write is done, and there is no room for the rest.
    Full,
    /// A write fails.
    Write,
    /// A sync fails; what it was for stays as it is.
    Sync,
}

/// What goes wrong. Operations are writes, truncations and syncs, counted from 0 since [`plan`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The power is lost at this operation: it and everything after it fails.
    PowerOff {
        /// Which.
        at: u64,
    },
    /// Operations of a kind are refused from this one on, so many times.
    Refuse {
        /// From which.
        at: u64,
        /// How often.
        times: u64,
        /// How.
        how: Refusal,
    },
}

#[derive(Default)]
pub(crate) struct Disk {
    files: HashMap<PathBuf, Medium>,
    fault: Option<Fault>,
    operations: u64,
    refused: u64,
    down: bool,
}

/// What is to be done with an operation.
pub(crate) enum Verdict {
    Do,
    /// The power goes off in its midst.
    Down,
    Refuse(Refusal),
}

pub(crate) fn disk() -> MutexGuard<'static, Disk> {
    static DISK: OnceLock<Mutex<Disk>> = OnceLock::new();
    let one = DISK.get_or_init(Mutex::default);
    one.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The power is on, operations count from 0, and this goes wrong.
pub fn plan(fault: Option<Fault>) {
    let mut disk = disk();
    (disk.fault, disk.operations, disk.refused, disk.down) = (fault, 0, 0, false);
}

/// Writes, truncations and syncs since [`plan`].
pub fn operations() -> u64 {
    disk().operations
}

/// The power is off, if it was not: files become what the medium holds of them. Every connection has to be closed.
/// `below(n)` draws a number in `0..n`.
///
/// # Errors
/// The files can't be written.
pub fn power_off(loss: Loss, mut below: impl FnMut(u64) -> u64) -> io::Result<()> {
    let mut files: Vec<(PathBuf, Medium)> = disk().files.drain().collect();
    files.sort_by(|(one, _), (other, _)| one.cmp(other));
    for (path, medium) in files {
        match medium.survivor(loss, &mut below) {
            Some(bytes) => std::fs::write(&path, bytes)?,
            None => remove(&path)?,
        }
        // The index of a write-ahead log lies in memory.
        let mut shm = path.into_os_string();
        shm.push("-shm");
        remove(Path::new(&shm))?;
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

impl Disk {
    pub(crate) fn is_down(&self) -> bool {
        self.down
    }

    /// A file is opened. What lies there unknown is on the medium.
    pub(crate) fn opened(&mut self, path: &Path) {
        if !self.files.contains_key(path) {
            let medium = Medium {
                durable: std::fs::read(path).ok(),
                pending: Vec::new(),
            };
            self.files.insert(path.to_owned(), medium);
        }
    }

    pub(crate) fn deleted(&mut self, path: &Path) {
        self.files.remove(path);
    }

    pub(crate) fn judge(&mut self, is_sync: bool) -> Verdict {
        if self.down {
            return Verdict::Refuse(Refusal::Write);
        }
        let operation = self.operations;
        self.operations += 1;
        match self.fault {
            Some(Fault::PowerOff { at }) if operation >= at => {
                self.down = true;
                Verdict::Down
            }
            Some(Fault::Refuse { at, times, how })
                if operation >= at && self.refused < times && (how == Refusal::Sync) == is_sync =>
            {
                self.refused += 1;
                Verdict::Refuse(how)
            }
            _ => Verdict::Do,
        }
    }

    pub(crate) fn change(&mut self, path: &Path, change: Change) {
        if let Some(medium) = self.files.get_mut(path) {
            medium.pending.push(change);
        }
    }

    pub(crate) fn sync(&mut self, path: &Path) {
        if let Some(medium) = self.files.get_mut(path) {
            medium.sync();
        }
    }
}
