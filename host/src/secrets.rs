//! The one mnemonic and its branches: NIP-06 for the market, labelled HKDF branches for wallet and bodies.
use std::path::{Path, PathBuf};

use age::secrecy::SecretString;
use bip39::Mnemonic;
use hkdf::Hkdf;
use rand::{TryRngCore, rngs::OsRng};
use sha2::Sha256;

use crate::home::{Home, HomeError, write_private};

/// HKDF labels (RFC 5869 `info`), fixed for ever.
const LIGHTNING: &[u8] = b"autopilot/lightning/1";
const BODIES: &[u8] = b"autopilot/bodies/1";

/// log2 of scrypt's work factor for a passphrase that a person chose: about a second.
const PERSON_WORK_FACTOR: u8 = 17;
/// The same for a random passphrase of 128 bits that lies in a file: guessing it is hopeless at any factor.
const RANDOM_WORK_FACTOR: u8 = 10;

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
    /// Wrong passphrase, or a damaged file.
    #[error("{path} can't be decrypted: the passphrase is wrong or the file is damaged. Nothing was changed")]
    Locked {
        /// Which.
        path: PathBuf,
    },
    /// No passphrase where one is needed.
    #[error(
        "the identity is protected by a passphrase: name its file with --passphrase-file or AUTOPILOT_PASSPHRASE_FILE"
    )]
    NoPassphrase,
    /// No identity, but data of one.
    #[error(
        "{0} is missing although this home folder holds a ledger: restore it from the backup; a new one would not fit"
    )]
    Missing(PathBuf),
    /// What was decrypted is no mnemonic.
    #[error("the identity file holds no BIP39 mnemonic")]
    NotWords,
    /// The operating system or the cipher failed.
    #[error("the identity can't be written: {0}")]
    Failed(String),
}

/// An opened identity.
pub struct Secrets {
    words: Mnemonic,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

impl Secrets {
    /// Opens the identity of a home folder, making a new one in a new folder. Without `passphrase_file` a random
    /// passphrase is kept in the folder itself: then only the folder's permissions protect it.
    ///
    /// # Errors
    /// [`SecretsError`]. A locked identity is never taken for a missing one.
    pub fn open_or_create(home: &Home, passphrase_file: Option<&Path>) -> Result<Secrets, SecretsError> {
        let file = home.identity_file();
        let own = home.passphrase_file();
        if file.exists() {
            let passphrase_file = passphrase_file.unwrap_or(&own);
            if !passphrase_file.exists() {
                return Err(SecretsError::NoPassphrase);
            }
            return Self::open(&file, read_passphrase(passphrase_file)?);
        }
        if home.ledger_file().exists() {
            return Err(SecretsError::Missing(file));
        }
        let (passphrase, work_factor) = match passphrase_file {
            Some(path) => (read_passphrase(path)?, PERSON_WORK_FACTOR),
            None => {
                let passphrase = hex::encode(random::<16>()?);
                write_private(&own, passphrase.as_bytes())?;
                (SecretString::from(passphrase), RANDOM_WORK_FACTOR)
            }
        };
        let words = Mnemonic::from_entropy(&random::<16>()?).map_err(|_| SecretsError::NotWords)?;
        let mut recipient = age::scrypt::Recipient::new(passphrase);
        recipient.set_work_factor(work_factor);
        let sealed = age::encrypt(&recipient, words.to_string().as_bytes())
            .map_err(|e| SecretsError::Failed(e.to_string()))?;
        write_private(&file, &sealed)?;
        Ok(Secrets { words })
    }

    fn open(file: &Path, passphrase: SecretString) -> Result<Secrets, SecretsError> {
        let sealed = std::fs::read(file).map_err(|cause| SecretsError::Unreadable {
            path: file.to_owned(),
            cause,
        })?;
        let words = age::decrypt(&age::scrypt::Identity::new(passphrase), &sealed).map_err(|_| {
            SecretsError::Locked {
                path: file.to_owned(),
            }
        })?;
        let words = String::from_utf8(words).map_err(|_| SecretsError::NotWords)?;
        Ok(Secrets {
            words: words.parse().map_err(|_| SecretsError::NotWords)?,
        })
    }

    /// The words, for deriving the market's key.
    pub fn words(&self) -> String {
        self.words.to_string()
    }

    /// Seed of the Lightning wallet.
    pub fn lightning_seed(&self) -> [u8; 64] {
        self.branch(LIGHTNING)
    }

    /// Key that wraps the keys of bodies.
    pub fn body_key(&self) -> [u8; 32] {
        self.branch(BODIES)
    }

    fn branch<const N: usize>(&self, label: &[u8]) -> [u8; N] {
        let mut key = [0; N];
        // HKDF-SHA256 gives up to 8,160 bytes; 64 are asked for at most.
        let _ = Hkdf::<Sha256>::new(None, &self.words.to_seed("")).expand(label, &mut key);
        key
    }
}

fn read_passphrase(path: &Path) -> Result<SecretString, SecretsError> {
    let text = std::fs::read_to_string(path).map_err(|cause| SecretsError::Unreadable {
        path: path.to_owned(),
        cause,
    })?;
    Ok(SecretString::from(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Random bytes of the operating system.
///
/// # Errors
/// [`SecretsError::Failed`] when there are none.
pub fn random<const N: usize>() -> Result<[u8; N], SecretsError> {
    let mut bytes = [0; N];
    OsRng
        .try_fill_bytes(&mut bytes)
        .map_err(|e| SecretsError::Failed(e.to_string()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(&folder.path().join("h")).unwrap();
        (folder, home)
    }

    #[test]
    fn a_second_start_opens_the_same_identity() {
        let (_folder, home) = home();
        let first = Secrets::open_or_create(&home, None).unwrap();
        let again = Secrets::open_or_create(&home, None).unwrap();
        assert_eq!(first.words(), again.words());
        assert_eq!(first.lightning_seed(), again.lightning_seed());
        assert_ne!(first.lightning_seed()[..32], first.body_key());
    }

    #[test]
    fn a_locked_identity_is_not_a_missing_one() {
        let (_folder, home) = home();
        let first = Secrets::open_or_create(&home, None).unwrap();
        std::fs::write(home.passphrase_file(), "wrong").unwrap();
        let before = std::fs::read(home.identity_file()).unwrap();
        assert!(matches!(
            Secrets::open_or_create(&home, None),
            Err(SecretsError::Locked { .. })
        ));
        std::fs::remove_file(home.passphrase_file()).unwrap();
        assert!(matches!(
            Secrets::open_or_create(&home, None),
            Err(SecretsError::NoPassphrase)
        ));
        assert_eq!(std::fs::read(home.identity_file()).unwrap(), before);
        assert!(!format!("{first:?}").contains(' '));
    }

    #[test]
    fn no_new_identity_over_an_old_ledger() {
        let (_folder, home) = home();
        std::fs::write(home.ledger_file(), "").unwrap();
        assert!(matches!(
            Secrets::open_or_create(&home, None),
            Err(SecretsError::Missing(_))
        ));
    }
}
