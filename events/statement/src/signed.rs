//! Signed events of Nostr (NIP-01), read strictly: these members and no others, each once.
use std::str::FromStr;

use autopilot_events::words::{EventId, PublicKey};
use nostr::{Event, Kind, Tag, Timestamp, secp256k1::schnorr::Signature};
use serde::{Deserialize, Serialize};

/// An event as it stands in a statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedEvent {
    /// SHA-256 of the event's serialisation, as 64 lower-case hexadecimal digits.
    pub id: String,
    /// Author: an x-only key, likewise.
    pub pubkey: String,
    /// Seconds since the Unix epoch.
    pub created_at: u64,
    /// What kind of event.
    pub kind: u16,
    /// Each has a name at least.
    pub tags: Vec<Vec<String>>,
    /// The text.
    pub content: String,
    /// BIP340 signature of the id, as 128 lower-case hexadecimal digits.
    pub sig: String,
}

impl SignedEvent {
    /// Reads an event from JSON; nothing is checked.
    ///
    /// # Errors
    /// A sentence.
    pub fn read(json: &str) -> Result<SignedEvent, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    /// Whether id and signature hold.
    pub fn holds(&self) -> bool {
        self.event().is_some_and(|event| event.verify().is_ok())
    }

    fn event(&self) -> Option<Event> {
        let id = nostr::EventId::from_hex(&self.id).ok()?;
        let author = nostr::PublicKey::from_hex(&self.pubkey).ok()?;
        let signature = Signature::from_str(&self.sig).ok()?;
        let spelled = (id.to_hex(), author.to_hex(), signature.to_string());
        if spelled != (self.id.clone(), self.pubkey.clone(), self.sig.clone()) {
            return None; // one spelling each
        }
        let tags = self.tags.iter().map(|tag| Tag::parse(tag.iter().cloned()));
        let tags: Vec<Tag> = tags.collect::<Result<_, _>>().ok()?;
        let at = Timestamp::from_secs(self.created_at);
        let kind = Kind::from(self.kind);
        Some(Event::new(
            id,
            author,
            at,
            kind,
            tags,
            self.content.clone(),
            signature,
        ))
    }

    /// Its id; zeros where it is none.
    pub fn id(&self) -> EventId {
        self.id.parse().unwrap_or_default()
    }

    /// Its author; zeros where it is no key.
    pub fn author(&self) -> PublicKey {
        self.pubkey.parse().unwrap_or_default()
    }

    /// What follows the name in the first tag of this name.
    pub fn tag(&self, name: &str) -> Option<&[String]> {
        let mut tags = self.tags.iter().filter_map(|tag| tag.split_first());
        tags.find(|(found, _)| *found == name).map(|(_, rest)| rest)
    }

    /// What the `e` tag with this marker names (its fourth field).
    pub fn marked(&self, marker: &str) -> Option<&str> {
        let mut tags = self.tags.iter();
        let tag = tags.find(|tag| {
            tag.first().is_some_and(|name| name == "e") && tag.get(3).is_some_and(|m| m == marker)
        });
        tag?.get(1).map(String::as_str)
    }

    /// The first word after the name in the first tag of this name.
    pub fn word(&self, name: &str) -> Option<&str> {
        self.tag(name)?.first().map(String::as_str)
    }
}
