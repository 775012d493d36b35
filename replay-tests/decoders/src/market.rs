//! What relays and strangers say.
use std::sync::LazyLock;

use autopilot_core::ports::market::Interest;
use autopilot_events::words::EventId;
use autopilot_nostr::{Identity, Reading, nip90};
use nostr::{
    Event, EventBuilder, JsonUtil, Keys, Kind, RelayMessage, Tag, Timestamp, nips::nip44,
    secp256k1::schnorr::Signature,
};
use serde::Deserialize;

const WORDS: &str =
    "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";
const ORDERED: [u8; 32] = [7; 32];

/// Us, and a stranger.
#[allow(clippy::expect_used)] // Keys out of constants: they are keys, or no test of this room runs.
static PARTIES: LazyLock<(Identity, Keys, Keys)> = LazyLock::new(|| {
    use nostr::nips::nip06::FromMnemonic;
    let us = Identity::from_mnemonic(WORDS).expect("a mnemonic");
    let keys = Keys::from_mnemonic(WORDS, None).expect("a mnemonic");
    let stranger =
        Keys::parse("0101010101010101010101010101010101010101010101010101010101010101").expect("a key");
    (us, keys, stranger)
});

fn interest() -> Interest {
    Interest {
        request_kinds: vec![5_050, 5_250],
        preview_kinds: vec![5_001],
        own_jobs: vec![EventId(ORDERED)],
        own_kinds: vec![5_050],
        cancels_of: vec![EventId(ORDERED)],
        answers_since_s: Some(0),
        announcements_for: vec![5_050],
        ..Interest::default()
    }
}

/// A message of a relay. An event in it is read once more with a signature that holds, or no mutation came further.
pub fn relay_frame(bytes: &[u8]) {
    let Ok(frame) = std::str::from_utf8(bytes) else {
        return;
    };
    let (us, _, stranger) = &*PARTIES;
    let reading = Reading::new(us, interest());
    let _ = reading.take(frame);
    let Ok(RelayMessage::Event {
        subscription_id,
        event,
    }) = RelayMessage::from_json(frame)
    else {
        return;
    };
    let event = event.into_owned();
    let again = EventBuilder::new(event.kind, event.content)
        .tags(event.tags)
        .custom_created_at(event.created_at)
        .sign_with_keys(stranger);
    if let Ok(event) = again {
        let _ = reading.take(&RelayMessage::event(subscription_id.into_owned(), event).as_json());
    }
}

/// An event as its author wrote it, before it is signed.
#[derive(Deserialize)]
struct Written {
    kind: u16,
    #[serde(default)]
    tags: Vec<Vec<String>>,
    #[serde(default)]
    content: String,
    /// Sealed for us: what is inside.
    sealed: Option<String>,
}

/// The tags of a job, an answer, an announcement or a cancellation, in the open or sealed.
pub fn job_tags(bytes: &[u8]) {
    let Ok(written) = serde_json::from_slice::<Written>(bytes) else {
        return;
    };
    let (_, us, stranger) = &*PARTIES;
    let content = match &written.sealed {
        None => Ok(written.content),
        Some(inside) => nip44::encrypt(
            stranger.secret_key(),
            &us.public_key(),
            inside,
            nip44::Version::V2,
        ),
    };
    let tags: Result<Vec<Tag>, _> = written.tags.into_iter().map(Tag::parse).collect();
    let (Ok(content), Ok(tags)) = (content, tags) else {
        return;
    };
    let Ok(signature) = Signature::from_slice(&[1; 64]) else {
        return;
    };
    // Its signature was checked before it comes here; none is made, which would be most of the time.
    let event = Event::new(
        nostr::EventId::from_byte_array(ORDERED),
        stranger.public_key(),
        Timestamp::from_secs(1_700_000_000),
        Kind::from(written.kind),
        tags,
        content,
        signature,
    );
    let _ = nip90::read(&event, us);
    let _ = nip90::embedding::Embeddings::read(&event.content, 2);
}
