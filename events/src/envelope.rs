//! The envelope: a fact as it is drafted, sealed and read back.
use autopilot_proto::events::v1::{self as pb, Source};
use prost::{Message, bytes::Bytes};

use crate::{
    catalogue::{Event, PayloadError},
    chain::link,
    words::ChainHash,
};

/// The largest encoded fact, in bytes. A reader refuses longer frames before it allocates.
pub const MAX_FACT_BYTES: usize = 1 << 20;

/// A fact that a decider wants; the engine numbers, dates and chains it.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// What happened.
    pub event: Event,
    /// Stream that scopes expected versions, e.g. `job/<hex>`.
    pub stream: String,
    /// Where it comes from.
    pub source: Source,
    /// Unique over the ledger; empty for none.
    pub idempotency_key: String,
    /// Job id or payment hash that ties a story together; may be empty.
    pub correlation: Vec<u8>,
}

/// A fact with its place in the ledger.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Envelope, payload included as bytes.
    pub fact: pb::Fact,
    /// Payload as meaning.
    pub event: Event,
    /// Chain value after this fact.
    pub chain: ChainHash,
    /// The bytes that were hashed, and that are stored.
    pub bytes: Vec<u8>,
}

/// Why stored bytes are no readable fact.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// No envelope at all.
    #[error("fact {expected} can't be decoded: {cause}")]
    Malformed {
        /// The sequence number that stood to be read.
        expected: u64,
        /// The decoder's words.
        cause: String,
    },
    /// A gap, a repetition or a foreign fact.
    #[error("expected fact {expected}, found number {found}")]
    Sequence {
        /// The sequence number that stood to be read.
        expected: u64,
        /// What the bytes say.
        found: u64,
    },
    /// A known type with an unreadable payload.
    #[error("fact {sequence}: {cause}")]
    Payload {
        /// Which fact.
        sequence: u64,
        /// Why.
        cause: PayloadError,
    },
}

/// Where the ledger ends: number and chain value of its last fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Sequence number of the last fact, 0 for an empty ledger.
    pub sequence: u64,
    /// Chain value after it.
    pub chain: ChainHash,
    /// Recorded time of the last fact, which the next one never precedes (milliseconds since the Unix epoch).
    pub recorded_at_ms: i64,
}

impl Head {
    /// Head of a ledger without facts.
    pub fn empty() -> Head {
        Head {
            sequence: 0,
            chain: crate::chain::genesis(),
            recorded_at_ms: i64::MIN,
        }
    }
}

/// Numbers, dates and chains a draft right after `head`. `utc_ms` is the raw clock; the recorded time never goes back.
pub fn seal(head: &Head, stream_version: u64, draft: Draft, causation: u64, utc_ms: i64) -> Recorded {
    let fact = pb::Fact {
        sequence: head.sequence + 1,
        r#type: draft.event.kind().to_owned(),
        version: draft.event.version(),
        critical: draft.event.critical(),
        stream: draft.stream,
        stream_version,
        recorded_at_ms: utc_ms.max(head.recorded_at_ms),
        utc_ms,
        causation,
        correlation: draft.correlation,
        source: draft.source as i32,
        idempotency_key: draft.idempotency_key,
        payload: draft.event.encode(),
    };
    let bytes = fact.encode_to_vec();
    Recorded {
        chain: link(&head.chain, &bytes),
        fact,
        event: draft.event,
        bytes,
    }
}

/// Reads the fact that follows `head` from its stored bytes and computes its chain value.
///
/// # Errors
/// [`EnvelopeError`], with the number of the fact.
pub fn open(head: &Head, bytes: &[u8]) -> Result<Recorded, EnvelopeError> {
    let mut opened = Recorded::blank();
    opened.open(head, Bytes::copy_from_slice(bytes), link(&head.chain, bytes))?;
    Ok(opened)
}

impl Recorded {
    /// A place to read facts into, one after the other, with [`Recorded::open`]; no fact itself.
    pub fn blank() -> Recorded {
        Recorded {
            fact: pb::Fact::default(),
            event: Event::Unknown {
                kind: String::new(),
                version: 0,
            },
            chain: ChainHash::default(),
            bytes: Vec::new(),
        }
    }

    /// Reads the fact that follows `head` from its stored bytes, whose chain value is known, in the place of the one that
    /// was here, whose memory is used again. After an error nothing here is to be read.
    ///
    /// # Errors
    /// [`EnvelopeError`], with the number of the fact.
    pub fn open(&mut self, head: &Head, bytes: Bytes, chain: ChainHash) -> Result<(), EnvelopeError> {
        let expected = head.sequence + 1;
        let fact = &mut self.fact;
        fact.clear();
        // Bytes that are shared are copied once where prost would copy others twice.
        fact.merge(bytes.clone()).map_err(|e| EnvelopeError::Malformed {
            expected,
            cause: e.to_string(),
        })?;
        if fact.sequence != expected {
            return Err(EnvelopeError::Sequence {
                expected,
                found: fact.sequence,
            });
        }
        let payload = match bytes.len().checked_sub(fact.payload.len()) {
            // Our encoding puts it last.
            Some(start) if bytes[start..] == fact.payload => bytes.slice(start..),
            _ => Bytes::copy_from_slice(&fact.payload),
        };
        let event = Event::decode_shared(&fact.r#type, fact.version, payload);
        self.event = event.map_err(|cause| EnvelopeError::Payload {
            sequence: expected,
            cause,
        })?;
        self.chain = chain;
        self.bytes.clear();
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    /// The head of a ledger that ends with this fact.
    pub fn head(&self) -> Head {
        Head {
            sequence: self.fact.sequence,
            chain: self.chain,
            recorded_at_ms: self.fact.recorded_at_ms,
        }
    }

    /// Whether this program must stop writing: an unknown fact that is marked critical.
    pub fn blocks_writing(&self) -> bool {
        self.fact.critical && matches!(self.event, Event::Unknown { .. })
    }
}
