//! What can go wrong with the store, each with what to do about it.
use std::path::Path;

/// Why a model could not be listed, found or pulled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// No such model.
    #[error("no model named {name} is in the store or in the manifest")]
    Unknown {
        /// The name.
        name: String,
    },
    /// The name is no plain file name.
    #[error("{name:?} cannot be a model's name: letters, digits and . _ - + are possible")]
    BadName {
        /// Its beginning.
        name: String,
    },
    /// A download without a checksum proves nothing.
    #[error("an address needs the file's SHA-256 beside it")]
    ChecksumNeeded,
    /// The address is neither http nor https, or is not well formed.
    #[error("the address cannot be used: {reason}")]
    BadAddress {
        /// Why.
        reason: String,
    },
    /// The whole file came and is another one; what came was removed.
    #[error("the file's SHA-256 is {found}, expected was {expected}; what came was removed")]
    ChecksumMismatch {
        /// Found, hexadecimal.
        found: String,
        /// Expected, hexadecimal.
        expected: String,
    },
    /// The file is not as long as it should be; what came was removed.
    #[error("the file has {found} bytes, expected were {expected}; what came was removed")]
    SizeMismatch {
        /// Bytes that came or were announced.
        found: u64,
        /// Bytes expected.
        expected: u64,
    },
    /// Not enough free space; nothing was written beyond what is there already.
    #[error("{need_bytes} bytes of free space are needed, {free_bytes} are there")]
    NoSpace {
        /// Needed for the rest of the file, with a reserve.
        need_bytes: u64,
        /// Free now.
        free_bytes: u64,
    },
    /// The connection failed; what came is kept, and the next pull goes on from there.
    #[error("the transfer was cut after {have_bytes} bytes; pull again to go on from there: {reason}")]
    Cut {
        /// Bytes that are kept.
        have_bytes: u64,
        /// What the connection said.
        reason: String,
    },
    /// The server refused.
    #[error("the server answered {status}")]
    Refused {
        /// HTTP status.
        status: u16,
    },
    /// Another pull of the same model runs.
    #[error("another pull of this model is running")]
    InProgress,
    /// The progress callback asked to stop; what came is kept.
    #[error("the pull was stopped; pull again to go on")]
    Stopped,
    /// A file of the store can't be used.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// What the file system said.
        reason: String,
    },
}

impl StoreError {
    pub(super) fn file(path: &Path, error: &std::io::Error) -> StoreError {
        StoreError::File {
            path: path.display().to_string(),
            reason: error.to_string(),
        }
    }
}
