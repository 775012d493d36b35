//! Why an identity can't be opened or kept.
use std::path::PathBuf;

use super::KeyringError;
use crate::home::HomeError;

/// Why the identity can't be opened. No secret is ever part of an error.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// The folder.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// A file can't be read.
    #[error("{path} can't be read: {cause}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// The passphrase does not open the file.
    #[error("the passphrase does not open {path}. Nothing was changed")]
    WrongPassphrase {
        /// Which.
        path: PathBuf,
    },
    /// The file is not what was written.
    #[error(
        "{path} is damaged: put it back from a backup, or restore the identity from its words in a new home folder"
    )]
    Damaged {
        /// Which.
        path: PathBuf,
    },
    /// No passphrase where one is needed.
    #[error(
        "the identity is protected by a passphrase: type it on a terminal, or name its file with --passphrase-file or AUTOPILOT_PASSPHRASE_FILE"
    )]
    NoPassphrase,
    /// The passphrase is in the desktop's keyring, which does not give it. Nothing was changed.
    #[error("{0}")]
    Keyring(KeyringError),
    /// The keyring did not take a new passphrase. Nothing was changed.
    #[error("{0}; or protect the identity by a passphrase instead")]
    NotKept(KeyringError),
    /// A passphrase file that others can read.
    #[error("{path} can be read by others (mode {mode:o}): chmod 600 {path}")]
    NotPrivate {
        /// Which.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// No passphrase to protect anything with.
    #[error("{0}")]
    Weak(&'static str),
    /// No identity, but data of one.
    #[error(
        "{0} is missing although it should be there: put it back from a backup, or restore the identity from its words; a new one would not fit"
    )]
    Missing(PathBuf),
    /// Restoring over something.
    #[error(
        "{0} is there already: an identity is restored into an empty home folder only; name another one with --home"
    )]
    Occupied(PathBuf),
    /// It is so already.
    #[error("{0}")]
    AlreadySo(&'static str),
    /// What was decrypted or given is no mnemonic.
    #[error("these are not the words of a BIP39 mnemonic (12 or 24 English words with a checksum)")]
    NotWords,
    /// The operating system or the cipher failed.
    #[error("the identity can't be written: {0}")]
    Failed(String),
}

impl SecretsError {
    /// A short, stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            SecretsError::WrongPassphrase { .. } => "passphrase-wrong",
            SecretsError::NoPassphrase => "passphrase-needed",
            SecretsError::Keyring(error) | SecretsError::NotKept(error) => error.code(),
            SecretsError::NotPrivate { .. } => "not-private",
            SecretsError::Weak(_) => "passphrase-weak",
            SecretsError::Damaged { .. } => "identity-damaged",
            SecretsError::Missing(_) => "identity-missing",
            SecretsError::Occupied(_) => "home-occupied",
            SecretsError::AlreadySo(_) => "already-so",
            SecretsError::NotWords => "not-words",
            SecretsError::Home(_) | SecretsError::Unreadable { .. } | SecretsError::Failed(_) => "file",
        }
    }

    /// Whether the identity is there, and only the right passphrase is missing.
    pub fn is_locked(&self) -> bool {
        matches!(
            self,
            SecretsError::WrongPassphrase { .. } | SecretsError::NoPassphrase | SecretsError::Keyring(_)
        )
    }
}
