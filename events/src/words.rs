//! The words that facts are written in: small value types with one meaning each.
use std::fmt;

use serde::{Deserialize, Serialize};

/// An amount in millisatoshi. One bitcoin is 10^11 msat; all arithmetic is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Msat(pub u64);

impl Msat {
    /// Nothing.
    pub const ZERO: Msat = Msat(0);

    /// Whole satoshi as millisatoshi; `None` beyond `u64`.
    pub fn from_sat(sat: u64) -> Option<Msat> {
        sat.checked_mul(1_000).map(Msat)
    }

    /// Whole satoshi, rounded down.
    pub fn sat_floor(self) -> u64 {
        self.0 / 1_000
    }

    /// Sum, or `None` on overflow.
    pub fn checked_add(self, other: Msat) -> Option<Msat> {
        self.0.checked_add(other.0).map(Msat)
    }

    /// Difference, or `None` below zero.
    pub fn checked_sub(self, other: Msat) -> Option<Msat> {
        self.0.checked_sub(other.0).map(Msat)
    }
}

impl fmt::Display for Msat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 % 1_000 {
            0 => write!(f, "{} sat", self.0 / 1_000),
            rest => write!(f, "{}.{rest:03} sat", self.0 / 1_000),
        }
    }
}

/// The text is not the hexadecimal form of 32 bytes, or the slice is not 32 bytes long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 32 bytes (64 hexadecimal digits)")]
pub struct NotThirtyTwoBytes;

macro_rules! thirty_two_bytes {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(pub [u8; 32]);

        impl $name {
            /// Reads bytes whose length the catalogue checked at decoding; any other length reads as zero.
            pub fn of(bytes: &[u8]) -> Self {
                Self(bytes.try_into().unwrap_or_default())
            }

            /// The bytes as an owned vector, as the contracts carry them.
            pub fn to_vec(self) -> Vec<u8> {
                self.0.to_vec()
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = NotThirtyTwoBytes;
            fn try_from(bytes: &[u8]) -> Result<Self, NotThirtyTwoBytes> {
                bytes.try_into().map(Self).map_err(|_| NotThirtyTwoBytes)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NotThirtyTwoBytes;
            fn from_str(text: &str) -> Result<Self, NotThirtyTwoBytes> {
                let mut bytes = [0; 32];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| NotThirtyTwoBytes)?;
                Ok(Self(bytes))
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotThirtyTwoBytes;
            fn try_from(text: String) -> Result<Self, NotThirtyTwoBytes> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                hex::encode(value.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), hex::encode(self.0))
            }
        }
    )*};
}

thirty_two_bytes! {
    /// A job: the hash of its market and of its native id there ([`JobId::derive`]).
    JobId;
    /// The payment hash of a BOLT11 invoice.
    PaymentHash;
    /// A Nostr event id (NIP-01).
    EventId;
    /// An x-only secp256k1 public key, as Nostr uses it (BIP340).
    PublicKey;
    /// A conversation with the model of this machine ([`ThreadId::begun_by`]).
    ThreadId;
    /// A person's message in one ([`MessageId::derive`]).
    MessageId;
    /// A link of the blake3 chain over the ledger.
    ChainHash;
    /// A blake3 digest of some bytes.
    Digest;
    /// A node of the Merkle tree over the ledger (SHA-256, RFC 6962, section 2.1).
    TreeHash;
}

impl JobId {
    /// `blake3("autopilot/job/1" ‖ 0 ‖ market ‖ 0 ‖ native id)`.
    pub fn derive(market: &str, native_id: &[u8]) -> JobId {
        let mut hasher = blake3::Hasher::new();
        hasher
            .update(b"autopilot/job/1\0")
            .update(market.as_bytes())
            .update(b"\0")
            .update(native_id);
        JobId(*hasher.finalize().as_bytes())
    }
}

impl MessageId {
    /// `blake3("autopilot/chat/1" ‖ 0 ‖ key)`, of the idempotency key that the face chose: the same key is the same message.
    pub fn derive(key: &str) -> MessageId {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"autopilot/chat/1\0").update(key.as_bytes());
        MessageId(*hasher.finalize().as_bytes())
    }
}

impl ThreadId {
    /// `blake3("autopilot/thread/1" ‖ 0 ‖ message id)`, of the message that begins the conversation.
    pub fn begun_by(message: &MessageId) -> ThreadId {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"autopilot/thread/1\0").update(&message.0);
        ThreadId(*hasher.finalize().as_bytes())
    }

    /// Whose key the texts of this conversation are sealed under, and the name of its stream.
    pub fn subject(&self) -> String {
        format!("chat/{self}")
    }
}

impl Digest {
    /// The blake3 digest of `bytes`.
    pub fn of_content(bytes: &[u8]) -> Digest {
        Digest(*blake3::hash(bytes).as_bytes())
    }
}
