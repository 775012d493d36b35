//! The desktop's keyring (Secret Service): it holds a random passphrase, and the identity file is sealed with that. The
//! entry is of the service `autopilot`; its user is a random name that the home folder keeps in the file `keyring`, so
//! that a folder can be moved, and two folders never share an entry.
use std::{sync::mpsc, thread, time::Duration};

use keyring::{Entry, Error};

use super::{SecretString, SecretsError, random, remove, seal::random_passphrase};
use crate::home::{Home, write_private};

const SERVICE: &str = "autopilot";
/// A person may be asked to unlock the keyring; a prompt that nobody sees must not hold a start up for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why the keyring does not do what it is asked. The identity is there all the same.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// There is none, or it can't be reached.
    #[error(
        "the desktop's keyring can't be reached ({0}): start this from your desktop's session, or a keyring (gnome-keyring, KWallet) there"
    )]
    Away(String),
    /// It is locked, or access was refused.
    #[error("the desktop's keyring is locked, or it refused access ({0}): unlock it and try again")]
    Locked(String),
    /// It answers, and has no such entry.
    #[error(
        "the desktop's keyring has no entry for this identity (service autopilot, user {0}): it may be another user's or another machine's keyring; else restore the identity from its words in a new home folder"
    )]
    NoEntry(String),
    /// It does not answer.
    #[error(
        "the desktop's keyring did not answer within {} s: look for its question on the screen, and try again", PATIENCE.as_secs()
    )]
    Silent,
    /// This home does not use it.
    #[error(
        "the identity is not protected by the keyring: use its passphrase, or `autopilotctl identity protect --keyring`"
    )]
    NotUsed,
    /// Something else.
    #[error("the desktop's keyring failed: {0}")]
    Failed(String),
}

impl KeyringError {
    /// A short, stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            KeyringError::Away(_) => "keyring-away",
            KeyringError::Locked(_) => "keyring-locked",
            KeyringError::NoEntry(_) => "keyring-empty",
            KeyringError::Silent => "keyring-silent",
            KeyringError::NotUsed => "keyring-not-used",
            KeyringError::Failed(_) => "keyring-failed",
        }
    }
}

/// The passphrase of a home folder's identity.
pub(super) fn read(home: &Home) -> Result<SecretString, SecretsError> {
    let user = user_of(home).ok_or(SecretsError::Keyring(KeyringError::NotUsed))?;
    let asked = user.clone();
    let read = bounded(&user, move || Entry::new(SERVICE, &asked)?.get_password());
    Ok(SecretString::from(read.map_err(SecretsError::Keyring)?))
}

/// Makes a new entry with a random passphrase, and names it in the home folder. The old entry stays until [`forget`], so
/// that an identity file that was not sealed anew still opens.
pub(super) fn make(home: &Home) -> Result<SecretString, SecretsError> {
    let user = format!("identity-{}", hex::encode(random::<8>()?));
    let (text, passphrase) = random_passphrase()?;
    let (asked, kept) = (user.clone(), text.clone());
    let written = bounded(&user, move || {
        let entry = Entry::new(SERVICE, &asked)?;
        entry.set_password(&kept)?;
        entry.get_password()
    });
    match written.map_err(SecretsError::NotKept)? == text {
        true => write_private(&home.keyring_file(), user.as_bytes())?,
        false => {
            let words = "it gives back something else than was kept".to_owned();
            return Err(SecretsError::NotKept(KeyringError::Failed(words)));
        }
    }
    Ok(passphrase)
}

/// The entry that a home folder names.
pub(super) fn user_of(home: &Home) -> Option<String> {
    let text = std::fs::read_to_string(home.keyring_file()).ok()?;
    let user = text.trim();
    (!user.is_empty()).then(|| user.to_owned())
}

/// Takes an entry away that nothing is sealed with any more. One that stays does no harm: it opens nothing.
pub(super) fn forget(user: String) {
    let asked = user.clone();
    if let Err(error) = bounded(&user, move || Entry::new(SERVICE, &asked)?.delete_credential()) {
        tracing::debug!(%error, "an old entry stays in the keyring");
    }
}

/// The home folder does not name an entry any more.
pub(super) fn unname(home: &Home) -> Result<(), SecretsError> {
    remove(&home.keyring_file())
}

/// Does something with the keyring, within [`PATIENCE`].
fn bounded<T: Send + 'static>(
    user: &str,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, KeyringError> {
    let (tell, told) = mpsc::sync_channel(1);
    // On a thread of its own: it blocks, and its bus wants no runtime around it.
    let begun = thread::Builder::new().name("keyring".to_owned()).spawn(move || {
        // Who asked may have gone by now.
        let _ = tell.send(work());
    });
    begun.map_err(|error| KeyringError::Failed(error.to_string()))?;
    match told.recv_timeout(PATIENCE) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(named(user, error)),
        Err(mpsc::RecvTimeoutError::Timeout) => Err(KeyringError::Silent),
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(KeyringError::Failed("it broke off".to_owned())),
    }
}

fn named(user: &str, error: Error) -> KeyringError {
    match error {
        Error::NoEntry => KeyringError::NoEntry(user.to_owned()),
        Error::NoStorageAccess(cause) => KeyringError::Locked(cause.to_string()),
        Error::NoDefaultStore => KeyringError::Away(match Entry::store_status() {
            Err(cause) => cause.to_string(),
            Ok(()) => "there is none".to_owned(),
        }),
        // The error's own words may hold what was kept.
        Error::BadEncoding(_) | Error::BadDataFormat(..) => {
            KeyringError::Failed("its entry is no passphrase".to_owned())
        }
        other => KeyringError::Failed(other.to_string()),
    }
}
