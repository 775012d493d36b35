//! Receipts (7001): a buyer's signed word that it paid a result. NIP-90 has no kind for it; this one is ours, and
//! docs/MARKET.md describes it.

use autopilot_core::ports::market::{NewReceipt, PaymentReceipt, SignedEvent};
use autopilot_events::words::{EventId, PaymentHash, PublicKey};
use nostr::{Event, JsonUtil, Keys};

use super::tags::{TagList, msat, tag};
use super::{Nip90Error, RECEIPT_KIND, sign};

/// Names of the events that a receipt is about, where NIP-10 has its markers.
const REQUEST: &str = "request";
const RESULT: &str = "result";
const HASH: &str = "payment_hash";
/// Where in an `e` tag, after its name and the id, the marker stands.
const MARKER_FIELD: usize = 2;

/// Composes and signs a receipt. Nothing of the job's text is in it, and never the preimage.
pub fn receipt(
    me: &Keys,
    new: &NewReceipt,
    hint: &str,
    created_at_s: u64,
) -> Result<SignedEvent, Nip90Error> {
    let tags = vec![
        tag(["e", &new.job.to_string(), hint, REQUEST]),
        tag(["e", &new.result.to_string(), hint, RESULT]),
        tag(["p", &new.provider.to_string()]),
        tag(["amount", &new.amount_msat.0.to_string()]),
        tag([HASH, &new.payment_hash.to_string()]),
    ];
    sign(me, RECEIPT_KIND, tags, String::new(), created_at_s)
}

pub(super) fn read_receipt(event: &Event) -> Result<PaymentReceipt, Nip90Error> {
    let tags = TagList::of(event);
    let about = |marker: &'static str| -> Result<EventId, Nip90Error> {
        let mut named = tags.all("e");
        let named = named.find(|fields| fields.get(MARKER_FIELD).is_some_and(|word| word == marker));
        let id = named.and_then(|fields| fields.first()?.parse().ok());
        id.ok_or(Nip90Error::Missing(marker))
    };
    let hash: Option<PaymentHash> = tags.value(HASH).and_then(|text| text.parse().ok());
    let amount = tags.first("amount").ok_or(Nip90Error::Missing("amount"))?;
    Ok(PaymentReceipt {
        native_id: EventId(event.id.to_bytes()),
        author: PublicKey(event.pubkey.to_bytes()),
        job: about(REQUEST)?,
        result: about(RESULT)?,
        provider: *tags.keys("p").first().ok_or(Nip90Error::Missing("p"))?,
        payment_hash: hash.ok_or(Nip90Error::Missing(HASH))?,
        amount_msat: msat(amount.first(), "amount")?,
        created_at_s: event.created_at.as_secs(),
        raw: event.as_json().into_bytes(),
    })
}
