//! The identity of a home folder without its host: who it is, and what was done to keep it.
use std::path::Path;

use autopilot_core::Input;
use autopilot_events::{Event, words::PublicKey};
use autopilot_proto::control::v1::IdentityRequest;
use autopilot_store_sqlite::{MasterKey, OpenError};
use tokio::sync::mpsc;
use tonic::Status;

use crate::{
    audit::{Audit, AuditError},
    control::custody_note,
    home::Home,
    ledger::{Ledger, SubmitError},
    secrets::Secrets,
};

/// Who a home folder is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// As people pass it on (NIP-19).
    pub npub: String,
    /// As hexadecimal text.
    pub public_key: String,
    /// `bitcoin`, `testnet`, `signet` or `regtest`.
    pub network: String,
}

/// Why something was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum NoteError {
    /// The ledger can't be opened for writing.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It did not take the fact.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The request makes no sense.
    #[error("{0}")]
    Invalid(Status),
}

/// Who the ledger of a home folder belongs to, by its first fact; `None` before it has one.
///
/// # Errors
/// [`AuditError`].
pub async fn known(home: &Path) -> Result<Option<Known>, AuditError> {
    let facts = Audit::open(home).await?.facts(0, 1).await?;
    let Some(Event::LedgerOpened(opened)) = facts.first().map(|fact| &fact.event) else {
        return Ok(None);
    };
    // The catalogue checked the length.
    let key = PublicKey(opened.identity.as_slice().try_into().unwrap_or_default());
    Ok(Some(Known {
        npub: autopilot_nostr::npub(&key),
        public_key: key.to_string(),
        network: opened.network.clone(),
    }))
}

/// Records what was done to keep the identity, where no host runs. Answers whether there is a ledger to record it in.
///
/// # Errors
/// [`NoteError`]; a running host holds the ledger, and is told instead.
pub async fn record(home: &Home, secrets: &Secrets, request: &IdentityRequest) -> Result<bool, NoteError> {
    let Some(command) = custody_note(request).map_err(NoteError::Invalid)? else {
        return Ok(false);
    };
    if !home.ledger_file().exists() {
        return Ok(false);
    }
    // A ledger that has to stop answers every submission with an error; nobody else needs the cause.
    let (fatal, _) = mpsc::unbounded_channel();
    let (ledger, _) = Ledger::open(&home.ledger_file(), MasterKey(secrets.body_key()), fatal).await?;
    let recorded = ledger.submit(Input::Person(command), None).await;
    ledger.stop().await;
    recorded?;
    Ok(true)
}
