//! Idempotency keys: under which an observation is recorded once.
use autopilot_events::words::EventId;

use crate::ports::market::MARKET_NIP90;

/// Idempotency key of a signed event of the market.
pub fn market_key(native_id: &EventId) -> String {
    format!("{MARKET_NIP90}/{native_id}")
}

/// Idempotency key of a channel's opening.
pub fn channel_opened_key(channel_id: &str) -> String {
    format!("wallet/channel-opened/{channel_id}")
}

/// Idempotency key of a channel's closing.
pub fn channel_closed_key(channel_id: &str) -> String {
    format!("wallet/channel-closed/{channel_id}")
}

/// Idempotency key of a transaction of the wallet.
pub fn onchain_key(txid: &str) -> String {
    format!("wallet/onchain/{txid}")
}

/// Idempotency key of a forwarded payment.
pub fn forwarded_key(event_id: &[u8]) -> String {
    format!("wallet/forwarded/{}", hex::encode(event_id))
}

/// Idempotency key of a received payment.
pub fn received_key(payment_hash: &[u8]) -> String {
    format!("wallet/received/{}", hex::encode(payment_hash))
}

/// Idempotency key of a sent payment.
pub fn sent_key(payment_hash: &[u8]) -> String {
    format!("wallet/sent/{}", hex::encode(payment_hash))
}

/// Idempotency key of an invoice that won a purchase: it wins no second one, however long ago that was and whatever came
/// of its payment.
pub fn won_key(payment_hash: &[u8]) -> String {
    format!("won/{}", hex::encode(payment_hash))
}

/// Idempotency key of a buyer's receipt for a job: one a job.
pub fn receipt_key(job_id: &[u8]) -> String {
    format!("receipt/{}", hex::encode(job_id))
}

/// Idempotency key of a message to the model of this machine.
pub fn chat_key(message_id: &[u8]) -> String {
    format!("chat/{}", hex::encode(message_id))
}

/// Idempotency key of what became of that message: how its answer is found.
pub fn chat_outcome_key(message_id: &[u8]) -> String {
    format!("chat/{}/outcome", hex::encode(message_id))
}

/// Idempotency key of a program's command, by the digest of the key that the program chose.
pub fn commanded_key(key_digest: &[u8]) -> String {
    format!("control/{}", hex::encode(key_digest))
}

/// Idempotency key of what that command was answered.
pub fn answered_key(key_digest: &[u8]) -> String {
    format!("control/{}/answer", hex::encode(key_digest))
}

/// Idempotency key of the invoice with this payment hash: how a late payment finds its job.
pub fn invoice_key(payment_hash: &[u8]) -> String {
    format!("invoice/{}", hex::encode(payment_hash))
}
