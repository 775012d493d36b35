//! Who we are on the market: a key derived from the words of the home folder (NIP-06).

use autopilot_events::words::PublicKey;
use nostr::Keys;
use nostr::nips::{nip06::FromMnemonic, nip19::ToBech32};

/// The words are no BIP39 mnemonic. The words themselves are never part of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the mnemonic is not valid (BIP39, English)")]
pub struct BadMnemonic;

/// A public key as people pass it on (NIP-19, `npub1…`).
pub fn npub(key: &PublicKey) -> String {
    let Ok(npub) = nostr::PublicKey::from_byte_array(key.0).to_bech32();
    npub
}

/// A public key as people pass it on: `npub1…` or hexadecimal.
pub fn public_key(text: &str) -> Option<PublicKey> {
    let key = nostr::PublicKey::parse(text).ok()?;
    Some(PublicKey(key.to_bytes()))
}

/// The signing identity of this home folder.
#[derive(Clone)]
pub struct Identity(Keys);

impl Identity {
    /// Derives `m/44'/1237'/0'/0/0` from BIP39 words, without a passphrase.
    pub fn from_mnemonic(words: &str) -> Result<Self, BadMnemonic> {
        Keys::from_mnemonic(words, None)
            .map(Self)
            .map_err(|_| BadMnemonic)
    }

    /// A key of nobody's, in memory only: for a trial of one's own service.
    pub fn throw_away() -> Self {
        Self(Keys::generate())
    }

    /// The public key.
    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.0.public_key().to_bytes())
    }

    /// The public key as people pass it on (NIP-19, `npub1…`).
    pub fn npub(&self) -> String {
        let Ok(npub) = self.0.public_key().to_bech32();
        npub
    }

    /// The keys, for this crate only.
    pub(crate) fn keys(&self) -> &Keys {
        &self.0
    }
}

impl From<Keys> for Identity {
    fn from(keys: Keys) -> Self {
        Self(keys)
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({})", self.public_key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first test vector of NIP-06.
    #[test]
    fn nip06_vector() {
        let words = "leader monkey parrot ring guide accident before fence cannon height naive bean";
        let identity = Identity::from_mnemonic(words).expect("valid words");
        let expected = "17162c921dc4d2518f9a101db33695df1afb56ab82f5ff3e5da6eec3ca5cd917";
        assert_eq!(identity.public_key().to_string(), expected);
        assert_eq!(
            identity.npub(),
            "npub1zutzeysacnf9rru6zqwmxd54mud0k44tst6l70ja5mhv8jjumytsd2x7nu"
        );
        assert!(!format!("{identity:?}").contains("leader"));
        assert_eq!(
            Identity::from_mnemonic("leader monkey").expect_err("too short"),
            BadMnemonic
        );
    }
}
