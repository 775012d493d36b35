//! How texts beside the facts are sealed: a random key per subject, wrapped by the ledger's master key.
//!
//! `ciphertext = nonce (24) ‖ XChaCha20-Poly1305(derived key, plaintext)`, bound to its subject. The fact carries the
//! digest of the ciphertext, the size, and a commitment to the plaintext keyed with the subject's key: without that
//! key neither text nor commitment says anything. `docs/BYTE_LAYOUT.md` has the exact bytes.
use std::fmt;

use autopilot_events::{pb::BodyRef, words::Digest};
use chacha20poly1305::{
    Key, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use rand::TryRngCore;

/// Plaintext bytes of one body at most.
pub const MAX_BODY_BYTES: usize = 8 << 20;

/// Context that turns a subject's key into the key of its ciphertexts.
pub const BODY_CONTEXT: &str = "autopilot 2026 body encryption 1";

/// Associated data in front of the subject's name where its key is wrapped.
pub const WRAP_LABEL: &[u8] = b"autopilot/subject-key/1\0";

/// Associated data in front of the subject's name where a body is sealed.
pub const BODY_LABEL: &[u8] = b"autopilot/body/1\0";

const NONCE_BYTES: usize = 24;

/// The key that wraps the keys of subjects: a labelled branch of the wallet's seed. Never stored, never shown.
#[derive(Clone)]
pub struct MasterKey(pub [u8; 32]);

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(secret)")
    }
}

/// The random key of one subject.
#[derive(Clone)]
pub(crate) struct SubjectKey([u8; 32]);

/// What became of a body.
#[derive(Clone, PartialEq, Eq)]
pub enum Unsealed {
    /// The text, exactly as it was sealed.
    Plaintext(Vec<u8>),
    /// Its key was dropped on purpose.
    Erased,
    /// Never kept here.
    Missing,
    /// Ciphertext, key or commitment do not agree.
    Corrupt,
}

impl fmt::Debug for Unsealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unsealed::Plaintext(_) => "Plaintext(…)",
            Unsealed::Erased => "Erased",
            Unsealed::Missing => "Missing",
            Unsealed::Corrupt => "Corrupt",
        })
    }
}

/// The operating system gave no random bytes; it can't be gone on without.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct NoRandomness;

fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    rand::rngs::OsRng
        .try_fill_bytes(&mut bytes)
        .map_err(|_| NoRandomness)?;
    Ok(bytes)
}

fn labelled(label: &[u8], subject: &str) -> Vec<u8> {
    [label, subject.as_bytes()].concat()
}

fn encrypt(key: &[u8; 32], aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, NoRandomness> {
    let nonce: [u8; NONCE_BYTES] = random()?;
    let cipher = XChaCha20Poly1305::new(Key::from_slice(key));
    // Encryption fails only beyond 256 GiB, far above what callers let through.
    let sealed = cipher.encrypt(XNonce::from_slice(&nonce), Payload { msg: plaintext, aad });
    Ok([nonce.as_slice(), &sealed.unwrap_or_default()].concat())
}

fn decrypt(key: &[u8; 32], aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
    let cipher = XChaCha20Poly1305::new(Key::from_slice(key));
    cipher
        .decrypt(XNonce::from_slice(nonce), Payload { msg: sealed, aad })
        .ok()
}

impl SubjectKey {
    pub(crate) fn generate() -> Result<SubjectKey, NoRandomness> {
        random().map(SubjectKey)
    }

    pub(crate) fn wrap(&self, master: &MasterKey, subject: &str) -> Result<Vec<u8>, NoRandomness> {
        encrypt(&master.0, &labelled(WRAP_LABEL, subject), &self.0)
    }

    pub(crate) fn unwrap(master: &MasterKey, subject: &str, wrapped: &[u8]) -> Option<SubjectKey> {
        let key = decrypt(&master.0, &labelled(WRAP_LABEL, subject), wrapped)?;
        key.try_into().ok().map(SubjectKey)
    }

    /// Seals a text: what the fact says about it, and the bytes to keep.
    pub(crate) fn seal(&self, subject: &str, plaintext: &[u8]) -> Result<(BodyRef, Vec<u8>), NoRandomness> {
        let key = blake3::derive_key(BODY_CONTEXT, &self.0);
        let ciphertext = encrypt(&key, &labelled(BODY_LABEL, subject), plaintext)?;
        let reference = BodyRef {
            ciphertext_digest: Digest::of_content(&ciphertext).to_vec(),
            size: plaintext.len() as u64,
            commitment: blake3::keyed_hash(&self.0, plaintext).as_bytes().to_vec(),
            subject: subject.to_owned(),
        };
        Ok((reference, ciphertext))
    }

    /// Opens a text and holds it against everything that the fact says.
    pub(crate) fn unseal(&self, reference: &BodyRef, ciphertext: &[u8]) -> Unsealed {
        if Digest::of_content(ciphertext).0.as_slice() != reference.ciphertext_digest {
            return Unsealed::Corrupt;
        }
        let key = blake3::derive_key(BODY_CONTEXT, &self.0);
        let aad = labelled(BODY_LABEL, &reference.subject);
        match decrypt(&key, &aad, ciphertext) {
            Some(plaintext)
                if plaintext.len() as u64 == reference.size
                    && blake3::keyed_hash(&self.0, &plaintext).as_bytes().as_slice()
                        == reference.commitment =>
            {
                Unsealed::Plaintext(plaintext)
            }
            _ => Unsealed::Corrupt,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_opens_under_its_own_key_subject_and_reference_only() {
        let master = MasterKey([7; 32]);
        let key = SubjectKey::generate().unwrap();
        let wrapped = key.wrap(&master, "job/a").unwrap();
        assert!(
            SubjectKey::unwrap(&master, "job/b", &wrapped).is_none(),
            "a key is bound to its subject"
        );
        assert!(SubjectKey::unwrap(&MasterKey([8; 32]), "job/a", &wrapped).is_none());
        let key = SubjectKey::unwrap(&master, "job/a", &wrapped).unwrap();

        let (reference, ciphertext) = key.seal("job/a", b"a prompt").unwrap();
        assert_eq!(
            key.unseal(&reference, &ciphertext),
            Unsealed::Plaintext(b"a prompt".to_vec())
        );
        assert!(!ciphertext.windows(8).any(|window| window == b"a prompt"));
        for bit in 0..ciphertext.len() * 8 {
            let mut flipped = ciphertext.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(key.unseal(&reference, &flipped), Unsealed::Corrupt);
        }
        let other = BodyRef {
            size: 9,
            ..reference.clone()
        };
        assert_eq!(key.unseal(&other, &ciphertext), Unsealed::Corrupt);
        let other = BodyRef {
            commitment: vec![0; 32],
            ..reference
        };
        assert_eq!(key.unseal(&other, &ciphertext), Unsealed::Corrupt);
    }

    #[test]
    fn the_same_text_twice_has_one_commitment_and_two_ciphertexts() {
        let key = SubjectKey::generate().unwrap();
        let (one, first) = key.seal("job/a", b"text").unwrap();
        let (two, second) = key.seal("job/a", b"text").unwrap();
        assert_eq!(one.commitment, two.commitment);
        assert_ne!(first, second);
        let (three, _) = SubjectKey::generate().unwrap().seal("job/a", b"text").unwrap();
        assert_ne!(
            one.commitment, three.commitment,
            "a commitment says nothing without the key"
        );
    }
}
