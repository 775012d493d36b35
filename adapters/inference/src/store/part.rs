//! The file that grows during a pull.
use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::StoreError;

const BUFFER_BYTES: usize = 1 << 20;

/// The file that grows, locked against other pulls, and the hash of what is in it.
pub struct Part {
    pub path: PathBuf,
    pub file: File,
    pub hash: Sha256,
    pub have: u64,
}

impl Part {
    /// Opens what an earlier pull left, or begins; hashes what is there.
    pub fn open(path: &Path) -> Result<Part, StoreError> {
        let failed = |error: std::io::Error| StoreError::file(path, &error);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(failed)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => StoreError::InProgress,
            TryLockError::Error(error) => StoreError::file(path, &error),
        })?;
        let (mut hash, mut have) = (Sha256::new(), 0_u64);
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let count = file.read(&mut buffer).map_err(failed)?;
            if count == 0 {
                break;
            }
            hash.update(&buffer[..count]);
            have += count as u64;
        }
        Ok(Part {
            path: path.to_owned(),
            file,
            hash,
            have,
        })
    }

    pub fn write(&mut self, piece: &[u8]) -> Result<(), StoreError> {
        self.file
            .write_all(piece)
            .map_err(|error| StoreError::file(&self.path, &error))?;
        self.hash.update(piece);
        self.have = self.have.saturating_add(piece.len() as u64);
        Ok(())
    }

    /// Begins again from nothing.
    pub fn restart(&mut self) -> Result<(), StoreError> {
        let emptied = self
            .file
            .set_len(0)
            .and_then(|()| self.file.seek(SeekFrom::Start(0)));
        emptied.map_err(|error| StoreError::file(&self.path, &error))?;
        (self.hash, self.have) = (Sha256::new(), 0);
        Ok(())
    }
}
