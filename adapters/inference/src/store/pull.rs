//! Pulling: from an address with resume, or from a file; checked, then renamed.
use std::{
    fs::{self, File},
    io::Read,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use reqwest::Url;
use sha2::Digest;

use super::{
    ModelStore, StoreError, StoredModel, file_name,
    http::{address, request, total_bytes, words},
    manifest,
    part::Part,
};

/// Left free beyond the file.
const SPACE_RESERVE_BYTES: u64 = 64 << 20;
const BUFFER_BYTES: usize = 1 << 20;

/// Where a model comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A name in the manifest.
    Pinned(String),
    /// An http or https address, with the file's SHA-256.
    Address {
        /// The address.
        url: String,
        /// The file's SHA-256.
        sha256: Option<[u8; 32]>,
    },
    /// A local file, copied.
    File(PathBuf),
}

/// How to pull.
#[derive(Clone, Debug, Default)]
pub struct PullOptions {
    /// Name in the store; `None`: the last part of the address or path.
    pub name: Option<String>,
    /// Free space to reckon with instead of the file system's own figure, bytes.
    pub free_bytes: Option<u64>,
}

/// How far a pull is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that are there, those of an earlier pull included.
    pub have_bytes: u64,
    /// Bytes of the whole file, when known.
    pub total_bytes: Option<u64>,
}

/// What is to be fetched, with what is known about it beforehand.
struct Wanted {
    name: String,
    bytes: Option<u64>,
    sha256: Option<[u8; 32]>,
}

impl ModelStore {
    /// Pulls a model into the store. `progress` is told after each piece, and may stop the pull; what came is kept
    /// as `NAME.part`, and the next pull goes on from there.
    pub async fn pull(
        &self,
        source: &Source,
        options: &PullOptions,
        mut progress: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<StoredModel, StoreError> {
        let named = |from: &str| file_name(options.name.as_deref().unwrap_or(from));
        let (wanted, part) = match source {
            Source::File(path) => {
                let from = path
                    .file_name()
                    .and_then(|name| name.to_str())
                    .unwrap_or_default();
                let wanted = Wanted {
                    name: named(from)?,
                    bytes: None,
                    sha256: None,
                };
                let mut part = Part::open(&self.part_path(&wanted.name))?;
                self.copy(path, &mut part, options, &mut progress)?;
                (wanted, part)
            }
            Source::Address { url, sha256 } => {
                let url = address(url)?;
                let from = url
                    .path_segments()
                    .and_then(|mut parts| parts.next_back())
                    .unwrap_or_default();
                let sha256 = Some(sha256.ok_or(StoreError::ChecksumNeeded)?);
                let wanted = Wanted {
                    name: named(from)?,
                    bytes: None,
                    sha256,
                };
                (self
                    .fetch(url, &wanted, options, &mut progress)
                    .await
                    .map(|part| (wanted, part)))?
            }
            Source::Pinned(name) => {
                let pinned = manifest::pinned()?.into_iter().find(|model| model.name == *name);
                let pinned = pinned.ok_or_else(|| StoreError::Unknown { name: name.clone() })?;
                let digest = hex::decode(&pinned.sha256)
                    .ok()
                    .and_then(|digest| digest.try_into().ok());
                let wanted = Wanted {
                    name: named(&pinned.name)?,
                    bytes: Some(pinned.bytes),
                    sha256: digest,
                };
                let part = self
                    .fetch(address(&pinned.url)?, &wanted, options, &mut progress)
                    .await?;
                (wanted, part)
            }
        };
        self.admit(&wanted, part)
    }

    async fn fetch(
        &self,
        url: Url,
        wanted: &Wanted,
        options: &PullOptions,
        progress: &mut impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Part, StoreError> {
        let mut part = Part::open(&self.part_path(&wanted.name))?;
        if wanted.bytes == Some(part.have) {
            return Ok(part);
        }
        let outcome = self.fill(&mut part, url, wanted, options, progress).await;
        if part.have == 0 || matches!(outcome, Err(StoreError::SizeMismatch { .. })) {
            // Nothing in it is worth going on from.
            let _ = fs::remove_file(&part.path);
        }
        outcome.map(|()| part)
    }

    async fn fill(
        &self,
        part: &mut Part,
        url: Url,
        wanted: &Wanted,
        options: &PullOptions,
        progress: &mut impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let mut response = request(&url, part).await?;
        let Some(total) = total_bytes(&response, part)? else {
            return Ok(());
        };
        if let (Some(found), Some(expected)) = (total, wanted.bytes)
            && found != expected
        {
            return Err(StoreError::SizeMismatch { found, expected });
        }
        let total = total.or(wanted.bytes);
        self.check_space(total.unwrap_or(part.have).saturating_sub(part.have), options)?;
        loop {
            let cut = |have_bytes, reason: String| StoreError::Cut { have_bytes, reason };
            let piece = match response.chunk().await {
                Ok(Some(piece)) => piece,
                Ok(None) => break,
                Err(error) => return Err(cut(part.have, words(&error))),
            };
            let length = piece.len() as u64;
            if total.is_some_and(|total| part.have.saturating_add(length) > total) {
                return Err(StoreError::SizeMismatch {
                    found: part.have.saturating_add(length),
                    expected: total.unwrap_or(0),
                });
            }
            if total.is_none() {
                self.check_space(length, options)?;
            }
            part.write(&piece)?;
            if progress(Progress {
                have_bytes: part.have,
                total_bytes: total,
            })
            .is_break()
            {
                return Err(StoreError::Stopped);
            }
        }
        match total {
            Some(total) if part.have < total => Err(StoreError::Cut {
                have_bytes: part.have,
                reason: "the connection ended early".into(),
            }),
            _ => Ok(()),
        }
    }

    fn copy(
        &self,
        from: &Path,
        part: &mut Part,
        options: &PullOptions,
        progress: &mut impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let unreadable = |error: std::io::Error| StoreError::file(from, &error);
        part.restart()?;
        let mut source = File::open(from).map_err(unreadable)?;
        let total = source.metadata().map_err(unreadable)?.len();
        self.check_space(total, options)?;
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let count = source.read(&mut buffer).map_err(unreadable)?;
            if count == 0 {
                return Ok(());
            }
            part.write(&buffer[..count])?;
            if progress(Progress {
                have_bytes: part.have,
                total_bytes: Some(total),
            })
            .is_break()
            {
                return Err(StoreError::Stopped);
            }
        }
    }

    fn check_space(&self, more_bytes: u64, options: &PullOptions) -> Result<(), StoreError> {
        let free_bytes = match options.free_bytes {
            Some(bytes) => bytes,
            None => nix::sys::statvfs::statvfs(self.dir())
                .map(|space| space.blocks_available().saturating_mul(space.fragment_size()))
                .map_err(|error| StoreError::file(self.dir(), &error.into()))?,
        };
        let need_bytes = more_bytes.saturating_add(SPACE_RESERVE_BYTES);
        if need_bytes > free_bytes {
            return Err(StoreError::NoSpace {
                need_bytes,
                free_bytes,
            });
        }
        Ok(())
    }

    /// Gives the whole file its name if it is the right one; removes it otherwise.
    fn admit(&self, wanted: &Wanted, part: Part) -> Result<StoredModel, StoreError> {
        let found: [u8; 32] = part.hash.finalize().into();
        if let Some(expected) = wanted.sha256
            && expected != found
        {
            let _ = fs::remove_file(&part.path);
            let (found, expected) = (hex::encode(found), hex::encode(expected));
            return Err(StoreError::ChecksumMismatch { found, expected });
        }
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |error: std::io::Error| StoreError::file(&path, &error)
        };
        part.file.sync_all().map_err(failed(&part.path))?;
        let checksum = self.checksum_path(&wanted.name);
        let line = format!("{}  {}\n", hex::encode(found), wanted.name);
        fs::write(&checksum, line).map_err(failed(&checksum))?;
        let path = self.dir().join(&wanted.name);
        fs::rename(&part.path, &path).map_err(failed(&path))?;
        File::open(self.dir())
            .and_then(|dir| dir.sync_all())
            .map_err(failed(self.dir()))?;
        self.stored(&wanted.name)
    }
}
