//! Signed heads: what a ledger was at some fact, as a C2SP `tlog-checkpoint` signed note.
//!
//! ```text
//! autopilot.ledger/<ledger id, hexadecimal>      the origin, which is the key's name too
//! 1207                                           facts
//! nND/nri//U0xuHUrYSy0HtMeal2vzD9V4k/BO79C+QeI=  root of the tree over them
//! chain <hexadecimal>                            the blake3 chain value after them
//! fold earnings/1 <hexadecimal>                  digest of a projection there, one line each
//!
//! — autopilot.ledger/… <signature>
//! ```
//!
//! Tools for transparency logs read the first three lines and may add witnesses' signatures.
use std::collections::BTreeMap;

use signed_note::{Note, Signer, StandardSigner, StandardVerifier, Verifier, VerifierList};
use tlog_tiles::{Checkpoint, Hash};

use crate::words::{ChainHash, Digest, TreeHash};

/// Bytes of a signed head that is read at most, witnesses' signatures included.
pub const MAX_NOTE_BYTES: usize = 32 << 10;

/// Folds that a head names at most.
pub const MAX_FOLDS: usize = 64;

/// First byte of an Ed25519 key in a note's key (`c2sp.org/signed-note`, signature types).
const ED25519: u8 = 1;

/// What a ledger was when `size` was the number of its last fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedHead {
    /// `autopilot.ledger/<ledger id>`.
    pub origin: String,
    /// Facts.
    pub size: u64,
    /// Root of the Merkle tree over them.
    pub root: TreeHash,
    /// The chain value after them.
    pub chain: ChainHash,
    /// Digest of each fold there, by label, e.g. `earnings/1`.
    pub folds: BTreeMap<String, Digest>,
}

/// Why a text is no signed head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// It is no signed note, or no checkpoint, or too long.
    #[error("this is no signed head")]
    Malformed,
    /// The verifier key is not one (`c2sp.org/signed-note`).
    #[error("this is no verifier key")]
    Key,
    /// The key's name is not the head's origin.
    #[error("the head is of another ledger than the key")]
    OtherLedger,
    /// The signature is missing or wrong.
    #[error("the signature of the head does not hold")]
    Signature,
}

/// Signs heads of one ledger. Its `Debug` shows no key.
pub struct HeadSigner {
    signer: StandardSigner,
    verifier_key: String,
}

impl std::fmt::Debug for HeadSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.verifier_key)
    }
}

/// The origin of a ledger's heads, from the id in its first fact.
pub fn origin(ledger_id: &[u8]) -> String {
    format!("autopilot.ledger/{}", hex::encode(ledger_id))
}

impl HeadSigner {
    /// A signer from 32 secret bytes, which serve nothing else.
    ///
    /// # Errors
    /// [`HeadError::Key`] when the origin can't be a key's name.
    pub fn new(origin: &str, secret: &[u8; 32]) -> Result<HeadSigner, HeadError> {
        let (key, public) = signed_note_keys(origin, secret).ok_or(HeadError::Key)?;
        let signer = StandardSigner::new(&key).map_err(|_| HeadError::Key)?;
        Ok(HeadSigner {
            signer,
            verifier_key: public,
        })
    }

    /// The key that checks its signatures: `name+key id+base64`.
    pub fn verifier_key(&self) -> &str {
        &self.verifier_key
    }

    /// The head as a signed note.
    ///
    /// # Errors
    /// [`HeadError`], when the head can't be written as a note.
    pub fn sign(&self, head: &SignedHead) -> Result<String, HeadError> {
        if head.origin != self.signer.name() {
            return Err(HeadError::OtherLedger);
        }
        let mut note = Note::new(&head.text()?, &[]).map_err(|_| HeadError::Malformed)?;
        note.add_sigs(&[&self.signer]).map_err(|_| HeadError::Signature)?;
        String::from_utf8(note.to_bytes()).map_err(|_| HeadError::Malformed)
    }
}

/// A signer's and a verifier's key in the notes' own spelling.
fn signed_note_keys(name: &str, secret: &[u8; 32]) -> Option<(String, String)> {
    if !signed_note::is_key_name_valid(name) {
        return None;
    }
    let public = ed25519_dalek::SigningKey::from_bytes(secret)
        .verifying_key()
        .to_bytes();
    let typed = |key: &[u8; 32]| [&[ED25519], key.as_slice()].concat();
    let id = signed_note::key_id(name, &typed(&public));
    let spell =
        |key: &[u8; 32]| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, typed(key));
    Some((
        format!("PRIVATE+KEY+{name}+{id:08x}+{}", spell(secret)),
        format!("{name}+{id:08x}+{}", spell(&public)),
    ))
}

impl SignedHead {
    fn text(&self) -> Result<Vec<u8>, HeadError> {
        let mut extension = format!("chain {}\n", self.chain);
        for (label, digest) in &self.folds {
            extension.push_str(&format!("fold {label} {digest}\n"));
        }
        let checkpoint = Checkpoint::new(&self.origin, self.size, Hash(self.root.0), &extension);
        Ok(checkpoint.map_err(|_| HeadError::Malformed)?.to_bytes())
    }

    /// Reads a signed note and checks its signature by the ledger's own key. Other signatures, of witnesses, may be there.
    ///
    /// # Errors
    /// [`HeadError`].
    pub fn open(note: &[u8], verifier_key: &str) -> Result<SignedHead, HeadError> {
        if note.len() > MAX_NOTE_BYTES {
            return Err(HeadError::Malformed);
        }
        let verifier = StandardVerifier::new(verifier_key).map_err(|_| HeadError::Key)?;
        let name = verifier.name().to_owned();
        let note = Note::from_bytes(note).map_err(|_| HeadError::Malformed)?;
        note.verify(&VerifierList::new(vec![Box::new(verifier)]))
            .map_err(|_| HeadError::Signature)?;
        let head = SignedHead::read(note.text())?;
        if head.origin != name {
            return Err(HeadError::OtherLedger);
        }
        Ok(head)
    }

    /// Reads the text of a note whose signatures were checked before.
    ///
    /// # Errors
    /// [`HeadError::Malformed`].
    #[doc(hidden)]
    pub fn read(text: &[u8]) -> Result<SignedHead, HeadError> {
        let checkpoint = Checkpoint::from_bytes(text).map_err(|_| HeadError::Malformed)?;
        let mut chain = None;
        let mut folds = BTreeMap::new();
        for line in checkpoint.extension().lines() {
            match *line.split(' ').collect::<Vec<_>>().as_slice() {
                ["chain", value] if chain.is_none() => {
                    chain = Some(value.parse().map_err(|_| HeadError::Malformed)?);
                }
                ["fold", label, digest] if folds.len() < MAX_FOLDS => {
                    let digest = digest.parse().map_err(|_| HeadError::Malformed)?;
                    folds.insert(label.to_owned(), digest);
                }
                _ => return Err(HeadError::Malformed),
            }
        }
        Ok(SignedHead {
            origin: checkpoint.origin().to_owned(),
            size: checkpoint.size(),
            root: TreeHash(checkpoint.hash().0),
            chain: chain.ok_or(HeadError::Malformed)?,
            folds,
        })
    }
}
