//! Signed papers: events and invoices.
use autopilot_statement::SignedEvent;
use bitcoin::{
    hashes::{Hash as _, sha256},
    secp256k1::{Secp256k1, SecretKey},
};
use lightning_invoice::{Currency, InvoiceBuilder, PaymentSecret};
use nostr::{EventBuilder, JsonUtil, Keys, Kind, Tag, Timestamp};

use super::START_MS;

/// A signed event as it is kept.
pub fn json(event: &SignedEvent) -> String {
    serde_json::to_string(event).unwrap()
}

/// The same keys in every run, so that a failure comes again.
pub(super) fn keys(seed: u8) -> Keys {
    Keys::new(nostr::SecretKey::from_slice(&[seed; 32]).unwrap())
}

pub fn signed(keys: &Keys, kind: u16, tags: &[Vec<String>], content: &str, at_s: u64) -> SignedEvent {
    let tags = tags.iter().map(|tag| Tag::parse(tag.iter().cloned()).unwrap());
    let event = EventBuilder::new(Kind::from(kind), content)
        .tags(tags)
        .allow_self_tagging()
        .custom_created_at(Timestamp::from_secs(at_s))
        .sign_with_keys(keys)
        .unwrap();
    SignedEvent::read(&event.as_json()).unwrap()
}

pub fn tag(fields: &[&str]) -> Vec<String> {
    fields.iter().map(|field| (*field).to_owned()).collect()
}

pub fn invoice(node: &SecretKey, preimage: &[u8; 32], msat: u64, currency: Currency) -> String {
    InvoiceBuilder::new(currency)
        .description("Autopilot job".to_owned())
        .payment_hash(sha256::Hash::hash(preimage))
        .payment_secret(PaymentSecret([5; 32]))
        .duration_since_epoch(std::time::Duration::from_millis(START_MS as u64))
        .min_final_cltv_expiry_delta(144)
        .amount_milli_satoshis(msat)
        .build_signed(|hash| Secp256k1::new().sign_ecdsa_recoverable(hash, node))
        .unwrap()
        .to_string()
}
