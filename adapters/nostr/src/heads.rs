//! Signed heads of ledgers as Nostr events (NIP-78, kind 30078).
//!
//! The event is signed by the ledger's identity, and its content by the ledger's own key: together they bind the one to
//! the other. Each head has an address of its own (`d` is origin, size and the beginning of the root), so that no
//! relay drops an older head for a newer one: a head that was published stays where it was.

use autopilot_core::ports::market::{MarketError, SignedEvent};
use autopilot_events::{
    head::SignedHead,
    words::{EventId, PublicKey},
};
use nostr::{Event, Filter, JsonUtil, Keys, Kind};

use crate::nip90;

/// Application data under an address.
pub const HEAD_KIND: u16 = 30_078;
/// The `t` tag of every head, by which those of a key are found.
const TOPIC: &str = "autopilot-head";
/// The tag with the key that checks the note.
const VERIFIER: &str = "verifier";
/// Heads of one ledger or key that are asked for at one relay; it gives the newest.
const MAX_ASKED: usize = 32;
/// Hexadecimal digits of the root in a head's address.
const ROOT_DIGITS: usize = 16;

/// A signed head as an event, both signatures checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadEvent {
    /// The event's id.
    pub id: EventId,
    /// Whose ledger it is.
    pub author: PublicKey,
    /// What the ledger was.
    pub head: SignedHead,
    /// The note, as signed.
    pub note: String,
    /// The key that checked the note.
    pub verifier_key: String,
    /// The author's date (Unix seconds).
    pub created_at_s: u64,
    /// The signed event as JSON bytes.
    pub raw: Vec<u8>,
}

fn tag<const N: usize>(fields: [&str; N]) -> Vec<String> {
    fields.map(str::to_owned).to_vec()
}

/// Composes and signs the event of a head. The same note and date give the same id.
pub(crate) fn compose(
    me: &Keys,
    note: &str,
    verifier_key: &str,
    created_at_s: u64,
) -> Result<SignedEvent, MarketError> {
    let head = SignedHead::open(note.as_bytes(), verifier_key)
        .map_err(|error| MarketError::Invalid(error.to_string()))?;
    let root: String = head.root.to_string().chars().take(ROOT_DIGITS).collect();
    let tags = vec![
        tag(["d", &format!("{}/{}/{root}", head.origin, head.size)]),
        tag(["t", TOPIC]),
        tag(["t", &head.origin]),
        tag([VERIFIER, verifier_key]),
    ];
    Ok(nip90::sign(me, HEAD_KIND, tags, note.to_owned(), created_at_s)?)
}

/// Reads an event whose own signature was checked before. What is no head, or not signed by the key that it names, is
/// none.
pub(crate) fn read(event: &Event) -> Option<HeadEvent> {
    let mut tags = event.tags.iter().map(|tag| tag.as_slice());
    let verifier_key = tags.find_map(|tag| match tag {
        [name, key, ..] if name == VERIFIER => Some(key.clone()),
        _ => None,
    })?;
    let head = SignedHead::open(event.content.as_bytes(), &verifier_key).ok()?;
    Some(HeadEvent {
        id: EventId(event.id.to_bytes()),
        author: PublicKey(event.pubkey.to_bytes()),
        head,
        note: event.content.clone(),
        verifier_key,
        created_at_s: event.created_at.as_secs(),
        raw: event.as_json().into_bytes(),
    })
}

/// What relays are asked for: heads that `author` signed, of one ledger or of any. `None`: the key is no key.
pub(crate) fn filter(author: PublicKey, origin: Option<&str>) -> Option<Filter> {
    let author = nostr::PublicKey::from_slice(&author.0).ok()?;
    Some(
        Filter::new()
            .kind(Kind::from(HEAD_KIND))
            .author(author)
            .hashtag(origin.unwrap_or(TOPIC))
            .limit(MAX_ASKED),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use autopilot_events::{
        head::{HeadSigner, origin},
        words::{ChainHash, TreeHash},
    };

    fn note(size: u64) -> (String, HeadSigner) {
        let origin = origin(&[7; 16]);
        let signer = HeadSigner::new(&origin, &[9; 32]).unwrap();
        let head = SignedHead {
            origin,
            size,
            root: TreeHash([1; 32]),
            chain: ChainHash([2; 32]),
            folds: Default::default(),
        };
        (signer.sign(&head).unwrap(), signer)
    }

    #[test]
    fn a_head_comes_back_as_it_was_signed_and_every_head_has_its_own_address() {
        let me = Keys::generate();
        let address = |size| {
            let (note, signer) = note(size);
            let signed = compose(&me, &note, signer.verifier_key(), 1_000).unwrap();
            let event = Event::from_json(&signed.json).unwrap();
            let read = read(&event).unwrap();
            assert_eq!((read.head.size, read.created_at_s), (size, 1_000));
            assert_eq!(read.note, note);
            let author = PublicKey(me.public_key().to_bytes());
            for filter in [filter(author, None), filter(author, Some(&read.head.origin))] {
                assert!(filter.unwrap().match_event(&event, Default::default()));
            }
            event.tags.identifier().unwrap().to_owned()
        };
        assert_ne!(address(1_000), address(1_001));
    }

    #[test]
    fn a_note_of_another_key_or_another_ledger_is_no_head() {
        let me = Keys::generate();
        let (note, _) = note(10);
        let other = HeadSigner::new(&origin(&[7; 16]), &[8; 32]).unwrap();
        assert!(compose(&me, &note, other.verifier_key(), 1).is_err());
        let tags = vec![tag([VERIFIER, other.verifier_key()])];
        let forged = nip90::sign(&me, HEAD_KIND, tags, note, 1).unwrap();
        assert_eq!(read(&Event::from_json(&forged.json).unwrap()), None);
    }
}
