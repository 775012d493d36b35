//! The words of an identity, for a person to write down. For how long they are shown is the face's business.
use std::path::Path;

use autopilot_proto::control::v1::IdentityRequest;

use crate::{
    control,
    home::Home,
    identity::{self, NoteError},
    secrets::{Key, SecretString, Secrets, SecretsError, expose},
};

/// Why a backup is not recorded. The words were shown all the same.
#[derive(Debug, thiserror::Error)]
pub enum RevealError {
    /// The identity can't be opened.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The running host did not take it.
    #[error("the host did not record it: {0}")]
    Host(String),
    /// The ledger did not take it.
    #[error(transparent)]
    Note(#[from] NoteError),
}

/// The words. They print as nothing and are wiped when this goes.
pub struct Words(SecretString);

impl std::fmt::Debug for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Words(…)")
    }
}

impl Words {
    /// In their order. Who takes them takes care of them.
    pub fn list(&self) -> Vec<String> {
        expose(&self.0).split(' ').map(str::to_owned).collect()
    }
}

/// Opens the identity and gives its words, each time anew: they are not kept in memory for it.
///
/// # Errors
/// [`SecretsError`].
pub fn reveal(home: &Path, key: &Key) -> Result<Words, SecretsError> {
    let secrets = Secrets::open(&Home::open(home)?, key)?;
    Ok(Words(SecretString::from(secrets.words())))
}

/// Records that the words were written down from a screen: by the host that runs, else in the ledger itself. Answers
/// whether there was a ledger to record it in.
///
/// # Errors
/// [`RevealError`].
pub async fn record_backup(home: &Path, key: &Key) -> Result<bool, RevealError> {
    let home = Home::open(home).map_err(SecretsError::from)?;
    let request = IdentityRequest {
        backed_up_to: "screen".to_owned(),
        ..IdentityRequest::default()
    };
    if super::standing::served_by(home.path()).is_some() {
        let host = |error: String| RevealError::Host(error);
        let mut client = control::client(&home.control_socket()).map_err(|error| host(error.to_string()))?;
        let recorded = client.identity(request).await;
        return recorded
            .map(|_| true)
            .map_err(|status| host(status.message().to_owned()));
    }
    let secrets = Secrets::open(&home, key)?;
    Ok(identity::record(&home, &secrets, &request).await?)
}
