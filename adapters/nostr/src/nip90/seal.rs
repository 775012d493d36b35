//! Sealing: NIP-04 by the text of NIP-90, NIP-44 in practice; whichever the buyer used is used for the answer.

use autopilot_core::ports::market::Encryption;
use autopilot_events::words::PublicKey;
use nostr::Keys;
use nostr::nips::{nip04, nip44};

use super::{Nip90Error, tags};

/// Which cipher the text is in: NIP-04 carries its `?iv=`.
pub(super) fn cipher_of(content: &str) -> Encryption {
    if content.contains("?iv=") {
        Encryption::Nip04
    } else {
        Encryption::Nip44
    }
}

/// Seals `clear` between us and `other`.
pub(super) fn seal(
    me: &Keys,
    other: PublicKey,
    cipher: Encryption,
    clear: &str,
) -> Result<String, Nip90Error> {
    let other = key(other)?;
    match cipher {
        Encryption::Nip04 => nip04::encrypt(me.secret_key(), &other, clear)
            .map_err(|_| Nip90Error::Invalid("the text cannot be sealed with NIP-04")),
        Encryption::Nip44 => nip44::encrypt(me.secret_key(), &other, clear, nip44::Version::V2)
            .map_err(|_| Nip90Error::Invalid("the text cannot be sealed with NIP-44 (at most 65,535 bytes)")),
    }
}

/// Opens what was sealed between us and `other`.
pub(super) fn unseal(me: &Keys, other: PublicKey, content: &str) -> Result<String, Nip90Error> {
    let other = key(other)?;
    match cipher_of(content) {
        Encryption::Nip04 => nip04::decrypt(me.secret_key(), &other, content)
            .map_err(|_| Nip90Error::Sealed("NIP-04 does not open")),
        Encryption::Nip44 => nip44::decrypt(me.secret_key(), &other, content)
            .map_err(|_| Nip90Error::Sealed("NIP-44 does not open")),
    }
}

/// Opens a sealed list of tags.
pub(super) fn unseal_tags(
    me: &Keys,
    other: PublicKey,
    content: &str,
) -> Result<Vec<Vec<String>>, Nip90Error> {
    let clear = unseal(me, other, content)?;
    let list: Vec<Vec<String>> =
        serde_json::from_str(&clear).map_err(|_| Nip90Error::Sealed("no list of tags inside"))?;
    tags::check_tags(list.iter().map(Vec::as_slice))?;
    Ok(list)
}

/// The other side of a conversation: whom we wrote to, or who wrote to us. Nobody, if it is not ours to read.
pub(super) fn counterpart(me: &Keys, author: PublicKey, recipients: &[PublicKey]) -> Option<PublicKey> {
    let own = PublicKey(me.public_key().to_bytes());
    if recipients.contains(&own) {
        Some(author)
    } else if author == own {
        recipients.first().copied()
    } else {
        None
    }
}

fn key(key: PublicKey) -> Result<nostr::PublicKey, Nip90Error> {
    nostr::PublicKey::from_slice(&key.0).map_err(|_| Nip90Error::Invalid("not a public key"))
}
