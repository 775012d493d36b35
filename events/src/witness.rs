//! Witnesses: whoever saw a head and signed it beside the ledger's own key (C2SP `tlog-cosignature`, version 1).
//!
//! A cosignature is a further signature line of the head's note. Its bytes are a time and an Ed25519 signature over
//! `cosignature/v1`, that time and the note's text; its key has type 4.
use ed25519_dalek::VerifyingKey;
use signed_note::Note;

use crate::head::{HeadError, MAX_NOTE_BYTES};

/// First byte of a key that makes cosignatures of version 1.
const COSIGNATURE_V1: u8 = 4;

/// Bytes of the time in front of the signature: seconds since the Unix epoch, big-endian.
const TIME_BYTES: usize = 8;

/// A witness that a checker trusts, by its verifier key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    name: String,
    key_id: u32,
    key: VerifyingKey,
}

/// That a witness signed a head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigned {
    /// The witness's name, as its key says.
    pub by: String,
    /// When it signed, by its own clock (seconds since the Unix epoch).
    pub at_s: u64,
}

impl Witness {
    /// Reads a verifier key: `name+key id+base64 of 0x04 and 32 bytes` (`c2sp.org/signed-note`).
    ///
    /// # Errors
    /// [`HeadError::Key`].
    pub fn new(verifier_key: &str) -> Result<Witness, HeadError> {
        let mut parts = verifier_key.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(HeadError::Key);
        };
        let key = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, key);
        let typed = key.map_err(|_| HeadError::Key)?;
        let key_id = signed_note::key_id(name, &typed);
        let (kind, key) = typed.split_first().ok_or(HeadError::Key)?;
        let key = key.try_into().ok().map(VerifyingKey::from_bytes);
        match key {
            Some(Ok(key))
                if *kind == COSIGNATURE_V1
                    && signed_note::is_key_name_valid(name)
                    && id == format!("{key_id:08x}") =>
            {
                Ok(Witness {
                    name: name.to_owned(),
                    key_id,
                    key,
                })
            }
            _ => Err(HeadError::Key),
        }
    }

    /// The name in its key.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it signed this note; `None`: the note bears no signature of its key.
    ///
    /// # Errors
    /// [`HeadError::Malformed`], and [`HeadError::Signature`] for a signature of its key that does not hold.
    pub fn cosigned(&self, note: &[u8]) -> Result<Option<Cosigned>, HeadError> {
        if note.len() > MAX_NOTE_BYTES {
            return Err(HeadError::Malformed);
        }
        let note = Note::from_bytes(note).map_err(|_| HeadError::Malformed)?;
        let Some(signature) = signature(&note, &self.name, self.key_id) else {
            return Ok(None);
        };
        let (time, signature) = signature
            .split_first_chunk::<TIME_BYTES>()
            .ok_or(HeadError::Signature)?;
        let at_s = u64::from_be_bytes(*time);
        let signature = ed25519_dalek::Signature::from_slice(signature).map_err(|_| HeadError::Signature)?;
        let message = [message_head(at_s).as_bytes(), note.text()].concat();
        self.key
            .verify_strict(&message, &signature)
            .map_err(|_| HeadError::Signature)?;
        Ok(Some(Cosigned {
            by: self.name.clone(),
            at_s,
        }))
    }
}

/// What stands before the note's text in the message that a witness signs.
fn message_head(at_s: u64) -> String {
    format!("cosignature/v1\ntime {at_s}\n")
}

/// The first signature of a key, without its key id.
fn signature(note: &Note, name: &str, key_id: u32) -> Option<Vec<u8>> {
    // The library hands signatures out only as lines: `— name base64(key id ‖ signature)`.
    let text = String::from_utf8(note.to_bytes()).ok()?;
    let (_, lines) = text.rsplit_once("\n\n")?;
    lines.lines().find_map(|line| {
        let (found, encoded) = line.strip_prefix("— ")?.split_once(' ')?;
        let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, encoded).ok()?;
        let (id, signature) = bytes.split_first_chunk::<4>()?;
        (found == name && u32::from_be_bytes(*id) == key_id).then(|| signature.to_vec())
    })
}
