//! The one mnemonic and its branches: NIP-06 for the market, labelled HKDF branches for wallet, bodies and heads.
mod custody;
mod error;
mod keyring;
mod seal;

use std::path::Path;

use bip39::Mnemonic;
use hkdf::Hkdf;
use rand::{TryRngCore, rngs::OsRng};
use sha2::Sha256;

pub use age::secrecy::SecretString;
pub use custody::{Protection, is_word, protection};
pub use error::SecretsError;
pub use keyring::KeyringError;
pub use seal::{Key, check_passphrase, expose, same};

use crate::home::{Home, HomeError, write_private};
use seal::{new_passphrase, seal, unseal};

/// HKDF labels (RFC 5869 `info`), fixed for ever.
const LIGHTNING: &[u8] = b"autopilot/lightning/1";
const BODIES: &[u8] = b"autopilot/bodies/1";
const HEADS: &[u8] = b"autopilot/heads/1";
const CONTROL: &[u8] = b"autopilot/control/1";

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
    /// Opens the identity of a home folder, making a new one in a new folder. With [`Key::Own`] a new one gets a random
    /// passphrase that is kept in the folder itself: then only the folder's permissions protect it. With [`Key::Keyring`]
    /// that is kept in the desktop's keyring, and nowhere else.
    ///
    /// # Errors
    /// [`SecretsError`]. A locked identity is never taken for a missing one.
    pub fn open_or_create(home: &Home, key: &Key) -> Result<Secrets, SecretsError> {
        if home.identity_file().exists() {
            return Self::open(home, key);
        }
        if home.ledger_file().exists() {
            return Err(SecretsError::Missing(home.identity_file()));
        }
        let words = Mnemonic::from_entropy(&random::<16>()?).map_err(|_| SecretsError::NotWords)?;
        Self::keep(home, words, key)
    }

    /// Opens the identity of a home folder.
    ///
    /// # Errors
    /// [`SecretsError`].
    pub fn open(home: &Home, key: &Key) -> Result<Secrets, SecretsError> {
        let file = home.identity_file();
        let sealed = match std::fs::read(&file) {
            Ok(sealed) => sealed,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(SecretsError::Missing(file)),
            Err(cause) => return Err(SecretsError::Unreadable { path: file, cause }),
        };
        let words = unseal(&file, &sealed, key.passphrase(home)?)?;
        Ok(Secrets { words })
    }

    /// Writes the first identity file of a home folder.
    fn keep(home: &Home, words: Mnemonic, key: &Key) -> Result<Secrets, SecretsError> {
        // What an attempt that was cut short left opens nothing, and would say how the new one is protected.
        keyring::unname(home)?;
        remove(&home.passphrase_file())?;
        let (passphrase, work_factor) = new_passphrase(home, key)?;
        let sealed = seal(&words, passphrase, work_factor)?;
        write_private(&home.identity_file(), &sealed)?;
        Ok(Secrets { words })
    }

    /// Whether both are the same identity.
    pub fn is_same(&self, other: &Secrets) -> bool {
        self.words == other.words
    }

    /// The words, for deriving the market's key, and for a backup on paper.
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

    /// Key that signs heads of the ledger, and nothing else.
    pub fn heads_key(&self) -> [u8; 32] {
        self.branch(HEADS)
    }

    /// Key of the digests of commands' parameters.
    pub fn control_key(&self) -> [u8; 32] {
        self.branch(CONTROL)
    }

    fn branch<const N: usize>(&self, label: &[u8]) -> [u8; N] {
        let mut key = [0; N];
        // HKDF-SHA256 gives up to 8,160 bytes; 64 are asked for at most.
        let _ = Hkdf::<Sha256>::new(None, &self.words.to_seed("")).expand(label, &mut key);
        key
    }
}

/// Removes a file that may be gone already.
fn remove(path: &Path) -> Result<(), SecretsError> {
    match std::fs::remove_file(path) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => Err(HomeError::Io {
            path: path.to_owned(),
            cause,
        }
        .into()),
        _ => Ok(()),
    }
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
mod tests;
