//! Handler announcements (NIP-89, 31990), their withdrawal, and cancellations (NIP-09, 5).

use autopilot_core::ports::market::{Announcement, Cancellation, SignedEvent};
use autopilot_events::words::{EventId, PublicKey};
use nostr::{Event, JsonUtil, Keys};

use super::tags::{TagList, tag};
use super::{ANNOUNCEMENT_KIND, CANCEL_KIND, Nip90Error, REQUEST_KINDS, sign};

/// Composes and signs an announcement: one `k` per kind that is servable now, none to withdraw. It replaces the one
/// before under the same `identifier`.
pub fn announcement(
    me: &Keys,
    identifier: &str,
    kinds: &[u16],
    content: &str,
    created_at_s: u64,
) -> Result<SignedEvent, Nip90Error> {
    if kinds.iter().any(|kind| !REQUEST_KINDS.contains(kind)) {
        return Err(Nip90Error::Invalid(
            "an announced kind is a request kind, 5000 to 5999",
        ));
    }
    let mut tags = vec![tag(["d", identifier])];
    tags.extend(kinds.iter().map(|kind| tag(["k", &kind.to_string()])));
    sign(me, ANNOUNCEMENT_KIND, tags, content.to_owned(), created_at_s)
}

/// Composes and signs the cancellation of our own request.
pub fn cancel(me: &Keys, job: EventId, reason: &str, created_at_s: u64) -> Result<SignedEvent, Nip90Error> {
    sign(
        me,
        CANCEL_KIND,
        vec![tag(["e", &job.to_string()])],
        reason.to_owned(),
        created_at_s,
    )
}

/// Composes and signs the deletion (NIP-09) of our announcements under `identifier` dated up to `created_at_s`.
pub fn deletion(me: &Keys, identifier: &str, created_at_s: u64) -> Result<SignedEvent, Nip90Error> {
    let address = format!("{ANNOUNCEMENT_KIND}:{}:{identifier}", me.public_key());
    let tags = vec![tag(["a", &address]), tag(["k", &ANNOUNCEMENT_KIND.to_string()])];
    sign(me, CANCEL_KIND, tags, "offline".to_owned(), created_at_s)
}

pub(super) fn read_announcement(event: &Event) -> Result<Announcement, Nip90Error> {
    let tags = TagList::of(event);
    let kinds = tags
        .all("k")
        .filter_map(|fields| fields.first()?.parse().ok())
        .collect();
    Ok(Announcement {
        provider: PublicKey(event.pubkey.to_bytes()),
        identifier: tags.value("d").ok_or(Nip90Error::Missing("d"))?.to_owned(),
        kinds,
        content: event.content.clone(),
        created_at_s: event.created_at.as_secs(),
        native_id: EventId(event.id.to_bytes()),
        raw: event.as_json().into_bytes(),
    })
}

pub(super) fn read_cancel(event: &Event) -> Result<Cancellation, Nip90Error> {
    let events = TagList::of(event).ids("e");
    if events.is_empty() {
        return Err(Nip90Error::Missing("e"));
    }
    Ok(Cancellation {
        native_id: EventId(event.id.to_bytes()),
        author: PublicKey(event.pubkey.to_bytes()),
        events,
        reason: event.content.clone(),
        created_at_s: event.created_at.as_secs(),
        raw: event.as_json().into_bytes(),
    })
}
