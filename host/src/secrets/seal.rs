//! The identity file: the words in the age format (age-encryption.org/v1) under a passphrase.
use std::{
    fs::File,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use age::{
    DecryptError,
    secrecy::{ExposeSecret, SecretString},
};
use bip39::Mnemonic;

use super::{Protection, SecretsError, keyring, protection, random};
use crate::home::{Home, write_private};

/// log2 of scrypt's work factor for a passphrase that a person chose: about a second.
const PERSON_WORK_FACTOR: u8 = 17;
/// The same for a random passphrase of 128 bits that lies in a file or a keyring: guessing it is hopeless at any factor.
const RANDOM_WORK_FACTOR: u8 = 10;
/// Most that a passphrase file may hold, bytes.
const PASSPHRASE_BYTES_MAX: u64 = 4_096;
/// Fewest letters of a passphrase that a person chooses (NIST SP 800-63B: 8).
const PASSPHRASE_CHARS_MIN: usize = 8;

/// Where the passphrase of an identity comes from.
#[derive(Clone, Debug)]
pub enum Key {
    /// The home folder's own file: whoever reads the folder reads the identity.
    Own,
    /// A file that the owner named.
    File(PathBuf),
    /// Typed on a terminal.
    Typed(SecretString),
    /// The desktop's keyring.
    Keyring,
}

impl Key {
    /// What opens the identity of a home folder without anybody being asked for a passphrase.
    pub fn of(home: &Home) -> Key {
        match protection(home) {
            Protection::Keyring => Key::Keyring,
            Protection::None | Protection::Folder | Protection::Passphrase => Key::Own,
        }
    }

    pub(super) fn passphrase(&self, home: &Home) -> Result<SecretString, SecretsError> {
        match self {
            Key::Typed(passphrase) => Ok(passphrase.clone()),
            Key::File(path) => read_passphrase(path),
            Key::Keyring => keyring::read(home),
            Key::Own if home.passphrase_file().exists() => read_passphrase(&home.passphrase_file()),
            Key::Own => Err(SecretsError::NoPassphrase),
        }
    }
}

/// Whether two secrets are the same.
pub fn same(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret() == other.expose_secret()
}

/// What a secret holds, for whom it was typed for.
pub fn expose(secret: &SecretString) -> String {
    secret.expose_secret().to_owned()
}

/// Reads a passphrase: the file's first line. A file that others can read is refused, a pipe is fine.
fn read_passphrase(path: &Path) -> Result<SecretString, SecretsError> {
    let unreadable = |cause| SecretsError::Unreadable {
        path: path.to_owned(),
        cause,
    };
    let file = File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(SecretsError::NotPrivate {
            path: path.to_owned(),
            mode,
        });
    }
    let mut text = String::new();
    file.take(PASSPHRASE_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    let first = text.lines().next().unwrap_or_default();
    Ok(SecretString::from(first.to_owned()))
}

/// Whether a passphrase may protect something from now on.
///
/// # Errors
/// [`SecretsError::Weak`].
pub fn check_passphrase(passphrase: &SecretString) -> Result<(), SecretsError> {
    match passphrase.expose_secret().chars().count() {
        0..PASSPHRASE_CHARS_MIN => Err(SecretsError::Weak("a passphrase needs at least 8 letters")),
        _ => Ok(()),
    }
}

/// What a new identity file is sealed with. In a folder or a keyring that is a new random passphrase, kept there first.
pub(super) fn new_passphrase(home: &Home, key: &Key) -> Result<(SecretString, u8), SecretsError> {
    match key {
        Key::Own => {
            let (text, passphrase) = random_passphrase()?;
            write_private(&home.passphrase_file(), text.as_bytes())?;
            Ok((passphrase, RANDOM_WORK_FACTOR))
        }
        Key::Keyring => Ok((keyring::make(home)?, RANDOM_WORK_FACTOR)),
        Key::File(_) | Key::Typed(_) => {
            let passphrase = key.passphrase(home)?;
            check_passphrase(&passphrase)?;
            Ok((passphrase, PERSON_WORK_FACTOR))
        }
    }
}

/// 128 random bits, as text for a file and as a secret.
pub(super) fn random_passphrase() -> Result<(String, SecretString), SecretsError> {
    let text = hex::encode(random::<16>()?);
    Ok((text.clone(), SecretString::from(text)))
}

/// Seals the words, and makes sure that what was sealed opens again before anything rests on it.
pub(super) fn seal(
    words: &Mnemonic,
    passphrase: SecretString,
    work_factor: u8,
) -> Result<Vec<u8>, SecretsError> {
    let mut recipient = age::scrypt::Recipient::new(passphrase.clone());
    recipient.set_work_factor(work_factor);
    let sealed = age::encrypt(&recipient, words.to_string().as_bytes())
        .map_err(|e| SecretsError::Failed(e.to_string()))?;
    match unseal(Path::new("the new identity file"), &sealed, passphrase)? == *words {
        true => Ok(sealed),
        false => Err(SecretsError::Failed(
            "it does not open again as it was sealed".to_owned(),
        )),
    }
}

pub(super) fn unseal(file: &Path, sealed: &[u8], passphrase: SecretString) -> Result<Mnemonic, SecretsError> {
    let path = file.to_owned();
    let words = age::decrypt(&age::scrypt::Identity::new(passphrase), sealed);
    let words = words.map_err(|error| match error {
        // A damaged key slot reads like a wrong passphrase: the cipher can't tell them apart.
        DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed | DecryptError::NoMatchingKeys => {
            SecretsError::WrongPassphrase { path }
        }
        _ => SecretsError::Damaged { path },
    })?;
    let words = String::from_utf8(words).map_err(|_| SecretsError::NotWords)?;
    words.parse().map_err(|_| SecretsError::NotWords)
}
