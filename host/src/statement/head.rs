//! The signed head that a statement rests on.
use autopilot_core::Input;
use autopilot_events::{
    Event,
    head::{HeadError, HeadSigner, SignedHead, origin},
    pb,
};
use autopilot_store_sqlite::MasterKey;
use tokio::sync::mpsc;

use super::StatementError;
use crate::{audit::Audit, home::Home, ledger::Ledger, secrets::Secrets};

/// Hexadecimal digits of the root in a head's address.
const ROOT_DIGITS: usize = 16;

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

/// Tags of the event that binds a head's key to the seller.
pub(super) fn tags(head: &SignedHead, verifier_key: &str) -> Vec<Vec<String>> {
    let root: String = head.root.to_string().chars().take(ROOT_DIGITS).collect();
    let tag = |name: &str, value: String| vec![name.to_owned(), value];
    vec![
        tag("d", format!("{}/{}/{root}", head.origin, head.size)),
        tag("verifier", verifier_key.to_owned()),
    ]
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
    let record = |error: crate::ledger::SubmitError| StatementError::Record(error.to_string());
    let now = |engine: &autopilot_core::Engine| {
        let identity = engine.state().provider.identity.as_ref();
        let id = identity.map(|identity| identity.ledger_id.clone());
        (id, *engine.head(), engine.state().digests())
    };
    let (id, end, folds) = ledger.look(now).await.map_err(record)?;
    let id = id
        .and_then(|id| hex::decode(id).ok())
        .ok_or(StatementError::Nameless)?;
    let signer = HeadSigner::new(&origin(&id), &secrets.heads_key())?;
    let root = ledger.reader().root_at(end.sequence).await?;
    let text = signer.sign(&SignedHead {
        origin: origin(&id),
        size: end.sequence,
        root,
        chain: end.chain,
        folds: folds.into_iter().collect(),
    })?;
    let signed = pb::HeadSigned {
        size: end.sequence,
        root: root.to_vec(),
        chain: end.chain.to_vec(),
        note: text.clone(),
        verifier_key: signer.verifier_key().to_owned(),
    };
    ledger
        .submit(Input::HeadSigned(signed), None)
        .await
        .map_err(record)?;
    Ok(Note {
        text,
        verifier_key: signer.verifier_key().to_owned(),
        cosignatures: Vec::new(),
    })
}
