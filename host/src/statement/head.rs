//! The signed head that a statement rests on.
use autopilot_events::{
    Event,
    head::{HeadError, HeadSigner, SignedHead, origin},
};
use autopilot_store_sqlite::MasterKey;
use tokio::sync::mpsc;

use super::StatementError;
use crate::{
    audit::Audit,
    heads::{HeadsError, sign_now},
    home::Home,
    ledger::Ledger,
    secrets::Secrets,
};

/// A signed head as a note, and what witnesses added to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The signed note, with the ledger's own signature.
    pub text: String,
    /// The key that checks it.
    pub verifier_key: String,
    /// Signature lines of witnesses, without line ends.
    pub cosignatures: Vec<String>,
}

/// A head of this ledger that went round among witnesses: its own signature stays, the others are set apart.
///
/// # Errors
/// [`StatementError::Head`], where it is no head of this ledger that its own key signed.
pub async fn cosigned(home: &Home, secrets: &Secrets, note: &str) -> Result<Note, StatementError> {
    let facts = Audit::open(home.path()).await?.facts(0, 1).await?;
    let Some(Event::LedgerOpened(opened)) = facts.first().map(|fact| &fact.event) else {
        return Err(StatementError::Nameless);
    };
    let origin = origin(&opened.ledger_id);
    let signer = HeadSigner::new(&origin, &secrets.heads_key())?;
    SignedHead::open(note.as_bytes(), signer.verifier_key())?;
    let own = format!("— {origin} ");
    let (text, lines) = note.split_once("\n\n").ok_or(HeadError::Malformed)?;
    let (mine, cosignatures): (Vec<_>, Vec<_>) = lines.lines().partition(|line| line.starts_with(&own));
    let mine: String = mine.iter().map(|line| format!("{line}\n")).collect();
    Ok(Note {
        text: format!("{text}\n\n{mine}"),
        verifier_key: signer.verifier_key().to_owned(),
        cosignatures: cosignatures.into_iter().map(str::to_owned).collect(),
    })
}

/// Signs what the ledger is now, and records it, where no host runs.
///
/// # Errors
/// [`StatementError`]; a running host holds the ledger, and is asked instead.
pub async fn sign_offline(home: &Home, secrets: &Secrets) -> Result<Note, StatementError> {
    // A ledger that has to stop answers every submission with an error; nobody else needs the cause.
    let (fatal, _) = mpsc::unbounded_channel();
    let opened = Ledger::open(&home.ledger_file(), MasterKey(secrets.body_key()), fatal).await;
    let (ledger, _) = opened.map_err(|error| StatementError::Ledger(error.into()))?;
    let signed = sign(&ledger, secrets).await;
    ledger.stop().await;
    signed
}

async fn sign(ledger: &Ledger, secrets: &Secrets) -> Result<Note, StatementError> {
    let id = |engine: &autopilot_core::Engine| {
        let identity = engine.state().provider.identity.as_ref();
        identity.and_then(|identity| hex::decode(&identity.ledger_id).ok())
    };
    let id = ledger.look(id).await.map_err(HeadsError::from)?;
    let origin = origin(&id.ok_or(StatementError::Nameless)?);
    let signer = HeadSigner::new(&origin, &secrets.heads_key())?;
    let signed = sign_now(ledger, &signer, &origin).await?;
    Ok(Note {
        text: signed.note,
        verifier_key: signed.verifier_key,
        cosignatures: Vec::new(),
    })
}
