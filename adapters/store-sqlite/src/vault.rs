//! Sealing before a commit and unsealing after it: the vault finds or makes the key of each subject.
use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use autopilot_events::{pb::BodyRef, words::Digest};
use sqlx::Row;
use tokio::sync::Mutex;

use crate::{
    bodies::{MAX_BODY_BYTES, MasterKey, NoRandomness, SubjectKey, Unsealed},
    error::{ReadError, SealError},
    reader::Reader,
};

/// Dead entries are swept out once the map holds this many.
const SWEEP: usize = 1_024;

struct Held {
    key: SubjectKey,
    wrapped: Vec<u8>,
}

/// A ciphertext on its way into a commit ([`crate::Commit::bodies`]). It keeps its subject's key alive until then.
#[derive(Clone)]
pub struct SealedBody {
    /// blake3 of the ciphertext.
    pub ciphertext_digest: Digest,
    pub(crate) ciphertext: Vec<u8>,
    subject: String,
    held: Arc<Held>,
}

impl SealedBody {
    /// Whose key it is sealed under.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    pub(crate) fn wrapped_key(&self) -> &[u8] {
        &self.held.wrapped
    }
}

impl std::fmt::Debug for SealedBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "SealedBody({}, {} bytes)",
            self.ciphertext_digest,
            self.ciphertext.len()
        )
    }
}

/// Seals and unseals. Clones share the keys of bodies that are on their way.
#[derive(Clone)]
pub struct Vault {
    reader: Reader,
    master: MasterKey,
    // Keys whose bodies are not committed yet: a second body of the same subject must find the same key.
    pending: Arc<Mutex<HashMap<String, Weak<Held>>>>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault")
    }
}

enum Stored {
    Key(Held),
    Erased,
    None,
}

impl Vault {
    /// A vault over a ledger. `master` is the same at every start, or nothing that was sealed opens again.
    pub fn new(reader: Reader, master: MasterKey) -> Vault {
        Vault {
            reader,
            master,
            pending: Arc::default(),
        }
    }

    /// Seals a text under its subject's key. The fact carries the reference; the body goes into the same commit.
    ///
    /// # Errors
    /// [`SealError`].
    pub async fn seal(&self, subject: &str, plaintext: &[u8]) -> Result<(BodyRef, SealedBody), SealError> {
        if plaintext.len() > MAX_BODY_BYTES {
            return Err(SealError::TooLarge {
                bytes: plaintext.len(),
            });
        }
        let held = self.key(subject).await?;
        let (reference, ciphertext) = held.key.seal(subject, plaintext)?;
        let ciphertext_digest = Digest::of_content(&ciphertext);
        let body = SealedBody {
            ciphertext_digest,
            ciphertext,
            subject: subject.to_owned(),
            held,
        };
        Ok((reference, body))
    }

    /// Opens the text that a fact refers to, once it is committed.
    ///
    /// # Errors
    /// [`ReadError`] when the database can't be read; what is wrong with the body itself is no error but an answer.
    pub async fn unseal(&self, reference: &BodyRef) -> Result<Unsealed, ReadError> {
        let held = match self.stored(&reference.subject).await {
            Ok(Stored::Key(held)) => held,
            Ok(Stored::Erased) => return Ok(Unsealed::Erased),
            Ok(Stored::None) => return Ok(Unsealed::Missing),
            Err(SealError::Read(error)) => return Err(error),
            Err(_) => return Ok(Unsealed::Corrupt),
        };
        let Ok(digest) = Digest::try_from(reference.ciphertext_digest.as_slice()) else {
            return Ok(Unsealed::Corrupt);
        };
        Ok(match self.reader.body(&digest).await? {
            Some(ciphertext) => held.key.unseal(reference, &ciphertext),
            None => Unsealed::Missing,
        })
    }

    async fn key(&self, subject: &str) -> Result<Arc<Held>, SealError> {
        // Held over the look into the database: two bodies of a new subject must not make two keys.
        let mut pending = self.pending.lock().await;
        if let Some(held) = pending.get(subject).and_then(Weak::upgrade) {
            return Ok(held);
        }
        let held = Arc::new(match self.stored(subject).await? {
            Stored::Key(held) => held,
            Stored::Erased => {
                return Err(SealError::Erased {
                    subject: subject.to_owned(),
                });
            }
            Stored::None => {
                let key = SubjectKey::generate()?;
                let wrapped = key.wrap(&self.master, subject)?;
                Held { key, wrapped }
            }
        });
        if pending.len() >= SWEEP {
            pending.retain(|_, held| held.strong_count() > 0);
        }
        pending.insert(subject.to_owned(), Arc::downgrade(&held));
        Ok(held)
    }

    async fn stored(&self, subject: &str) -> Result<Stored, SealError> {
        let row = sqlx::query("SELECT wrapped_key FROM subject_key WHERE subject = ?")
            .bind(subject)
            .fetch_optional(&self.reader.pool)
            .await
            .map_err(ReadError::from)?;
        let Some(row) = row else { return Ok(Stored::None) };
        let Some(wrapped) = row.try_get::<Option<Vec<u8>>, _>(0).map_err(ReadError::from)? else {
            return Ok(Stored::Erased);
        };
        match SubjectKey::unwrap(&self.master, subject, &wrapped) {
            Some(key) => Ok(Stored::Key(Held { key, wrapped })),
            None => Err(SealError::WrongKey {
                subject: subject.to_owned(),
            }),
        }
    }
}

impl From<NoRandomness> for SealError {
    fn from(_: NoRandomness) -> SealError {
        SealError::NoRandomness
    }
}
