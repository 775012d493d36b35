//! Pulling: from an address with resume, or from a file; checked, then renamed.
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{Read, Seek, SeekFrom, Write},
    ops::ControlFlow,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use reqwest::{
    Client, Response, StatusCode, Url,
    header::{CONTENT_RANGE, RANGE},
};
use sha2::{Digest, Sha256};

use super::{ModelStore, StoreError, StoredModel, file_name, manifest};

const CONNECT_BOUND: Duration = Duration::from_secs(15);
/// Longest silence of a server.
const READ_BOUND: Duration = Duration::from_secs(30);
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

/// The file that grows, locked against other pulls, and the hash of what is in it.
struct Part {
    path: PathBuf,
    file: File,
    hash: Sha256,
    have: u64,
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
        let mut response = request(&url, &mut part).await?;
        let Some(total) = total_bytes(&response, &mut part)? else {
            return Ok(part);
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
            _ => Ok(part),
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

impl Part {
    /// Opens what an earlier pull left, or begins; hashes what is there.
    fn open(path: &Path) -> Result<Part, StoreError> {
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

    fn write(&mut self, piece: &[u8]) -> Result<(), StoreError> {
        self.file
            .write_all(piece)
            .map_err(|error| StoreError::file(&self.path, &error))?;
        self.hash.update(piece);
        self.have = self.have.saturating_add(piece.len() as u64);
        Ok(())
    }

    /// Begins again from nothing.
    fn restart(&mut self) -> Result<(), StoreError> {
        let emptied = self
            .file
            .set_len(0)
            .and_then(|()| self.file.seek(SeekFrom::Start(0)));
        emptied.map_err(|error| StoreError::file(&self.path, &error))?;
        (self.hash, self.have) = (Sha256::new(), 0);
        Ok(())
    }
}

fn address(text: &str) -> Result<Url, StoreError> {
    let bad = |reason: String| StoreError::BadAddress { reason };
    let url = Url::parse(text).map_err(|error| bad(error.to_string()))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => Err(bad(format!("{other} is neither http nor https"))),
    }
}

/// Asks for what is missing; begins again when the server cannot go on from there.
async fn request(url: &Url, part: &mut Part) -> Result<Response, StoreError> {
    let cut = |have_bytes, error: &reqwest::Error| StoreError::Cut {
        have_bytes,
        reason: words(error),
    };
    let client = Client::builder()
        .connect_timeout(CONNECT_BOUND)
        .read_timeout(READ_BOUND)
        .user_agent(concat!("autopilot/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| cut(part.have, &error))?;
    loop {
        let mut request = client.get(url.clone());
        if part.have > 0 {
            request = request.header(RANGE, format!("bytes={}-", part.have));
        }
        let response = request.send().await.map_err(|error| cut(part.have, &error))?;
        match response.status() {
            StatusCode::OK => {
                part.restart()?;
                return Ok(response);
            }
            StatusCode::PARTIAL_CONTENT => return Ok(response),
            // Either everything is there already, or the file behind the address has shrunk.
            StatusCode::RANGE_NOT_SATISFIABLE if part.have > 0 => {
                if content_range(&response).is_some_and(|(_, total)| total == Some(part.have)) {
                    return Ok(response);
                }
                part.restart()?;
            }
            status => {
                return Err(StoreError::Refused {
                    status: status.as_u16(),
                });
            }
        }
    }
}

/// Size of the whole file as the server says it; the outer `None`: everything is there already.
fn total_bytes(response: &Response, part: &mut Part) -> Result<Option<Option<u64>>, StoreError> {
    match response.status() {
        StatusCode::RANGE_NOT_SATISFIABLE => Ok(None),
        StatusCode::PARTIAL_CONTENT => match content_range(response) {
            Some((Some(begin), total)) if begin == part.have => Ok(Some(total)),
            _ => Err(StoreError::BadAddress {
                reason: "the server sent another part than was asked for".into(),
            }),
        },
        _ => Ok(Some(response.content_length())),
    }
}

/// `bytes BEGIN-END/TOTAL` or `bytes */TOTAL`.
fn content_range(response: &Response) -> Option<(Option<u64>, Option<u64>)> {
    let text = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let begin = range
        .split_once('-')
        .and_then(|(begin, _)| begin.trim().parse().ok());
    Some((begin, total.trim().parse().ok()))
}

/// An error with its causes, without the address (which may hold a token).
fn words(error: &reqwest::Error) -> String {
    let mut words = if error.is_timeout() {
        "no answer in time".to_owned()
    } else {
        "the connection failed".into()
    };
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        words = format!("{words}: {inner}");
        cause = inner.source();
    }
    words
}
