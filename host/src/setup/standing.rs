//! What is at a home folder. Only looks: nothing is made, and what can't be opened is never taken for missing.
use std::path::Path;

use crate::{
    config::{Config, ConfigError},
    home::{self, Home, Writer},
    secrets::{Key, Protection, Secrets, SecretsError, protection},
};

/// How a home folder is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing of value is there yet, or a first run that did not come to its end: it is set up (again).
    New,
    /// An identity is there, and needs a passphrase, or a keyring that is locked or away.
    NeedsPassphrase {
        /// Why the keyring does not give it, in words; none where a person knows the passphrase.
        keyring: Option<String>,
    },
    /// A host can be started with this key.
    Ready,
    /// A host serves it: attach to its control socket.
    Running {
        /// Its process.
        pid: u32,
    },
    /// It can't be used as it is.
    Broken {
        /// What is wrong.
        what: String,
        /// What can be done.
        next: String,
    },
}

/// Looks at a home folder. Where its passphrase is in the keyring, that is asked: it may ask the person to unlock it.
pub fn inspect(path: &Path) -> Standing {
    if !path.exists() {
        return Standing::New;
    }
    if let Some(pid) = served_by(path) {
        return Standing::Running { pid };
    }
    let home = match Home::look(path) {
        Ok(home) => home,
        Err(error) => return broken(error, "correct that, or name another folder"),
    };
    match protection(&home) {
        Protection::None if !home.has_data() => Standing::New,
        Protection::None => broken(
            SecretsError::Missing(home.identity_file()),
            "put identity.age back from a backup, or restore it from its words in a new folder",
        ),
        before => match Config::read(&home.config_file()) {
            Ok(_) => opened(&home, before),
            // The configuration is written last: without a ledger nothing ever ran here.
            Err(ConfigError::Missing(_)) if !home.has_data() => Standing::New,
            Err(error) => broken(
                error,
                "put config.toml back or correct it; identity and ledger are there",
            ),
        },
    }
}

fn opened(home: &Home, protection: Protection) -> Standing {
    if protection == Protection::Passphrase {
        return Standing::NeedsPassphrase { keyring: None };
    }
    match Secrets::open(home, &Key::of(home)) {
        Ok(_) => Standing::Ready,
        Err(error) if error.is_locked() => Standing::NeedsPassphrase {
            keyring: (protection == Protection::Keyring).then(|| error.to_string()),
        },
        Err(error) => broken(
            error,
            "put identity.age back from a backup, or restore it from its words",
        ),
    }
}

fn broken(error: impl std::fmt::Display, next: &str) -> Standing {
    Standing::Broken {
        what: error.to_string(),
        next: next.to_owned(),
    }
}

/// The process that holds the ledger of a home folder.
pub(super) fn served_by(path: &Path) -> Option<u32> {
    match home::writer(path) {
        Ok(Writer::Held { pid }) => Some(pid.unwrap_or(0)),
        _ => None,
    }
}
