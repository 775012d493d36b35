//! Texts beside the facts: which fact refers to one, and what a subject is that can be forgotten.
use crate::{Event, pb::BodyRef};

/// What a subject's name begins with: a job that we served, a purchase of ours, a buy mode's prompt, a conversation with
/// the model. The rest is the id in lower-case hexadecimal. Texts of other subjects (heads of others) are nobody's words
/// and are kept.
pub const FORGETTABLE: [&str; 4] = ["job/", "purchase/", "buy_mode/", "chat/"];

/// Bytes of one message to the model at most, for whoever takes it in and whoever decides about it.
pub const MAX_CHAT_BYTES: u64 = 16 << 10;

/// Idempotency key of the fact that a subject's texts are forgotten: once and for good.
pub fn forgotten_key(subject: &str) -> String {
    format!("forgotten/{subject}")
}

/// Whether texts of a subject of this name can be forgotten.
pub fn is_forgettable(subject: &str) -> bool {
    let digits =
        |id: &str| matches!(id.len(), 32 | 64) && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    FORGETTABLE
        .iter()
        .any(|kind| subject.strip_prefix(kind).is_some_and(digits))
}

/// The text that a fact refers to; there is at most one.
pub fn body_ref(event: &Event) -> Option<&BodyRef> {
    match event {
        Event::JobReceived(message) => message.request.as_ref(),
        Event::JobInputsResolved(message) => message.events.as_ref(),
        Event::JobExecuted(message) => message.output.as_ref(),
        Event::JobReceipted(message) => message.receipt.as_ref(),
        Event::EventSigned(message) => message.event.as_ref(),
        Event::PurchaseOffered(message) => message.result.as_ref(),
        Event::PurchaseRejected(message) => message.result.as_ref(),
        Event::BuyModeStarted(message) => message.prompt.as_ref(),
        Event::ChatAsked(message) => message.text.as_ref(),
        Event::ChatAnswered(message) => message.output.as_ref(),
        Event::HeadKept(message) => message.event.as_ref(),
        _ => None,
    }
}
