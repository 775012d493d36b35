//! The lines of a statement file, as JSON. `docs/STATEMENT.md` is the specification.
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::signed::SignedEvent;

/// The first line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`crate::FORMAT`].
    pub format: String,
    /// What no proof shows: [`crate::LIMITS`], word for word.
    pub limits: String,
    /// `bitcoin`, `testnet`, `signet` or `regtest`.
    pub network: String,
    /// Node that signed the invoices: 33 bytes in hexadecimal; absent in a statement without a settlement that has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// First moment of the window, in milliseconds since the Unix epoch; absent: from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_ms: Option<i64>,
    /// First moment after the window; absent: to the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_ms: Option<i64>,
    /// The seller's event whose content is the signed head.
    pub head: SignedEvent,
    /// Signature lines of witnesses under that head, without line ends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cosignatures: Vec<String>,
}

/// A settlement and what it rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settlement {
    /// Stored bytes of the fact `job.settled`.
    pub fact: Bytes,
    /// Its inclusion proof in the head's tree: hashes of 32 bytes from the leaf towards the root.
    pub proof: Bytes,
    /// Stored bytes of the facts that the settlement binds, in its order.
    pub evidence: Vec<Bytes>,
    /// The seller's signed result. It carries the buyer's signed request, and the invoice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<SignedEvent>,
    /// The buyer's signed receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<SignedEvent>,
    /// Request and result were erased; the facts that name them are there.
    #[serde(default, skip_serializing_if = "is_false")]
    pub erased: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for this signature")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// Any line: an object with one member, which names its form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Entry {
    /// The first line.
    Statement(Box<Header>),
    /// One line a settlement.
    Settled(Box<Settlement>),
    /// The last line: the seller's signature over all before it.
    Seal(Box<SignedEvent>),
}

impl Entry {
    /// The line, with its end.
    ///
    /// # Errors
    /// A sentence, where it can't be written as JSON.
    pub fn to_line(&self) -> Result<String, String> {
        let mut line = serde_json::to_string(self).map_err(|error| error.to_string())?;
        line.push('\n');
        Ok(line)
    }
}

/// Bytes, in JSON as base64 (RFC 4648, section 4, padded).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text).map_err(|_| D::Error::custom("no base64"))?;
        Ok(Bytes(bytes))
    }
}
