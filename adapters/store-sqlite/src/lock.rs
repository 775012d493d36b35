//! One writer per ledger: a lock file beside the database, released by the kernel when its holder ends, however.
use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use crate::error::OpenError;

/// Held for as long as this lives.
#[derive(Debug)]
pub(crate) struct WriterLock {
    _file: File,
}

/// `ledger.db` → `ledger.db.lock`.
pub(crate) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

impl WriterLock {
    /// Takes the lock or says who has it. The file stays behind empty-handed: deleting it would let two writers in.
    pub(crate) fn take(database: &Path) -> Result<WriterLock, OpenError> {
        let path = beside(database, ".lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|error| OpenError::of_io(database, &error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let read = (&file).take(32).read_to_string(&mut text);
                let pid = read.ok().and_then(|_| text.trim().parse().ok());
                return Err(OpenError::Locked {
                    path: database.to_owned(),
                    pid,
                });
            }
            Err(TryLockError::Error(error)) => return Err(OpenError::of_io(database, &error)),
        }
        // The number is a courtesy to whoever is refused; the lock itself is the kernel's.
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| write!(file, "{}", std::process::id()))
            .map_err(|error| OpenError::of_io(database, &error))?;
        Ok(WriterLock { _file: file })
    }
}
