//! NIP-90 and NIP-89 as this program speaks them: tags read and written by ourselves, no I/O, no clock.
//!
//! Reading is tolerant (unknown tags and parameters are kept or skipped, `prompt` is read as `text`, `top-k` as
//! `top_k`) but bounded, and everything that carries money is strict. The kinds and tags are those of the NIPs;
//! the bounds are ours.

mod answer;
pub(crate) mod chain;
pub mod embedding;
mod notice;
mod receipt;
mod request;
mod seal;
mod tags;

pub use answer::{BuyerFeedback, feedback_from_buyer, feedback_from_provider, result};
pub(crate) use chain::is_sound;
pub use notice::{announcement, cancel, deletion};
pub use receipt::receipt;
pub use request::request;

use autopilot_core::ports::market::{EVENT_LIMIT_BYTES, MarketError, MarketItem, SignedEvent};
use autopilot_events::words::EventId;
use nostr::{Event, JsonUtil, Keys, Kind, Tag, Tags, Timestamp, UnsignedEvent};

/// Job requests.
pub const REQUEST_KINDS: std::ops::RangeInclusive<u16> = 5_000..=5_999;
/// Job results: the request's kind and this much.
pub const RESULT_OFFSET: u16 = 1_000;
/// Feedback of either side.
pub const FEEDBACK_KIND: u16 = 7_000;
/// A buyer's word that it paid.
pub const RECEIPT_KIND: u16 = 7_001;
/// NIP-89 handler announcement.
pub const ANNOUNCEMENT_KIND: u16 = 31_990;
/// NIP-09 deletion: cancels a request.
pub const CANCEL_KIND: u16 = 5;

/// The most bytes of an event, as JSON, that is read at all.
pub const MAX_EVENT_BYTES: usize = 128 * 1024;
/// The most bytes of a request, as JSON: its result carries it again.
pub const MAX_REQUEST_BYTES: usize = 64 * 1024;
/// The most tags of an event, those inside the seal included.
pub const MAX_TAGS: usize = 256;
/// The most inputs of a request.
pub const MAX_INPUTS: usize = 32;
/// The most fields of one tag.
pub const MAX_FIELDS: usize = 64;

/// Why an event is not what NIP-90 says, or cannot be written so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Nip90Error {
    /// The event's kind has no meaning here.
    #[error("kind {0} is not of this market")]
    ForeignKind(u16),
    /// It is larger than is read.
    #[error("{what}: {count}, at most {limit} are read")]
    TooMuch {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        count: usize,
        /// How much may be.
        limit: usize,
    },
    /// A tag that must be there is not.
    #[error("no `{0}` tag that can be read")]
    Missing(&'static str),
    /// A sum of money that is no whole number of millisatoshi.
    #[error("`{0}` is no whole number of millisatoshi")]
    BadAmount(&'static str),
    /// A status that the protocol does not know.
    #[error("unknown status `{0}`")]
    BadStatus(String),
    /// Sealed for somebody else, or the seal is broken.
    #[error("cannot be unsealed: {0}")]
    Sealed(&'static str),
    /// The thing to be written makes no sense.
    #[error("{0}")]
    Invalid(&'static str),
    /// The event would not be taken by every relay.
    #[error("the event would have {bytes} bytes, relays take at most {limit}")]
    TooLarge {
        /// What it would have.
        bytes: usize,
        /// What may be.
        limit: usize,
    },
    /// Signing failed.
    #[error("cannot sign")]
    Signing,
}

impl From<Nip90Error> for MarketError {
    fn from(error: Nip90Error) -> Self {
        match error {
            Nip90Error::Sealed(why) => Self::Sealed(why.to_owned()),
            Nip90Error::TooLarge { bytes, limit } => Self::TooLarge {
                bytes,
                limit_bytes: limit,
            },
            Nip90Error::Invalid(_) | Nip90Error::Signing => Self::Invalid(error.to_string()),
            Nip90Error::ForeignKind(_)
            | Nip90Error::TooMuch { .. }
            | Nip90Error::Missing(_)
            | Nip90Error::BadAmount(_)
            | Nip90Error::BadStatus(_) => Self::Unreadable(error.to_string()),
        }
    }
}

/// Reads signed bytes: bounds, then id and signature, then meaning.
pub fn read_bytes(raw: &[u8], me: &Keys) -> Result<MarketItem, MarketError> {
    if raw.len() > MAX_EVENT_BYTES {
        let error = Nip90Error::TooMuch {
            what: "bytes",
            count: raw.len(),
            limit: MAX_EVENT_BYTES,
        };
        return Err(error.into());
    }
    let event = Event::from_json(raw).map_err(|_| MarketError::Unreadable("no event in JSON".into()))?;
    event.verify().map_err(|_| MarketError::Forged)?;
    Ok(read(&event, me)?)
}

/// Reads an event whose signature was checked before. `me` unseals what is for us.
pub fn read(event: &Event, me: &Keys) -> Result<MarketItem, Nip90Error> {
    tags::check_bounds(event)?;
    let kind = event.kind.as_u16();
    match kind {
        5_000..=5_999 => request::read(event, me).map(|item| MarketItem::Request(Box::new(item))),
        6_000..=6_999 => answer::read_result(event, me).map(|item| MarketItem::Result(Box::new(item))),
        FEEDBACK_KIND => answer::read_feedback(event, me).map(|item| MarketItem::Feedback(Box::new(item))),
        RECEIPT_KIND => receipt::read_receipt(event).map(|item| MarketItem::Receipt(Box::new(item))),
        ANNOUNCEMENT_KIND => notice::read_announcement(event).map(|i| MarketItem::Announcement(Box::new(i))),
        CANCEL_KIND => notice::read_cancel(event).map(|item| MarketItem::Cancel(Box::new(item))),
        other => Err(Nip90Error::ForeignKind(other)),
    }
}

/// Signs an event with exactly these tags (the SDK's builders drop and add some).
pub(crate) fn sign(
    me: &Keys,
    kind: u16,
    tags: Vec<Vec<String>>,
    content: String,
    created_at_s: u64,
) -> Result<SignedEvent, Nip90Error> {
    let tags = tags.into_iter().map(Tag::parse).collect::<Result<Vec<_>, _>>();
    let tags = Tags::from_list(tags.map_err(|_| Nip90Error::Invalid("an empty tag"))?);
    let unsigned = UnsignedEvent::new(
        me.public_key(),
        Timestamp::from_secs(created_at_s),
        Kind::from(kind),
        tags,
        content,
    );
    let event = unsigned.sign_with_keys(me).map_err(|_| Nip90Error::Signing)?;
    let json = event.as_json().into_bytes();
    if json.len() > EVENT_LIMIT_BYTES {
        return Err(Nip90Error::TooLarge {
            bytes: json.len(),
            limit: EVENT_LIMIT_BYTES,
        });
    }
    Ok(SignedEvent {
        id: EventId(event.id.to_bytes()),
        kind,
        json,
    })
}
