//! The provider's policy: its defaults, bounds and digest.
use autopilot_events::{
    pb::{PaymentOrder, Policy},
    words::Digest,
};

use crate::refusal::{Code, Refusal};

/// Kind of a NIP-90 text generation request.
pub const TEXT_GENERATION: u32 = 5050;

/// The largest input that still fits twice into a 64 KiB result beside the output, in bytes.
pub const MAX_INPUT_BYTES: u64 = 16 * 1024;

/// The longest retention of texts that can be set, in days.
pub const MAX_KEEP_DAYS: u32 = 36_500;

/// What a wallet may hold, by the policy to start with, before somebody has to have its words: 1,000,000 sat.
pub const BACKUP_STOP_MSAT: u64 = 1_000_000_000;

/// A policy to start with: text generation at `price_msat`, work first, one job at a time.
pub fn default_policy(price_msat: u64) -> Policy {
    Policy {
        min_price_msat: price_msat,
        kinds: vec![TEXT_GENERATION],
        max_input_bytes: MAX_INPUT_BYTES,
        max_in_flight: 1,
        per_buyer_per_hour: 600,
        global_per_hour: 2_000,
        unpaid_jobs_per_buyer: 3,
        unpaid_jobs_total: 20,
        order: PaymentOrder::WorkFirst as i32,
        accept_open: true,
        accept_targeted: true,
        default_ttl_s: 60,
        max_clock_skew_s: 600,
        max_output_tokens: 256,
        invoice_expiry_s: 3_600,
        model: String::new(),
        model_digest: Vec::new(),
        intake_bytes_per_day: 64 * 1024 * 1024,
        intake_jobs_per_day: 20_000,
        quote_without_bid: true,
        refusal_replies_per_hour: 60,
        refused_words: Vec::new(),
        refused_topics: Vec::new(),
        refused_requesters: Vec::new(),
        keep_texts_days: 0,
        backup_stop_msat: BACKUP_STOP_MSAT,
    }
}

/// Digest that admissions cite: blake3 over the policy's bytes as first written.
pub fn digest(policy: &Policy) -> Digest {
    Digest::of_content(&autopilot_events::Event::encode(
        &autopilot_events::Event::PolicyChanged(autopilot_events::pb::PolicyChanged {
            policy: Some(policy.clone()),
            digest: Vec::new(),
        }),
    ))
}

/// Refuses a policy that could not earn or would be unbounded.
///
/// # Errors
/// [`Code::PolicyInvalid`], naming the field.
pub fn check(policy: &Policy) -> Result<(), Refusal> {
    let wrong = |what: &str| Err(Refusal::new(Code::PolicyInvalid, what));
    match policy {
        p if p.min_price_msat == 0 => wrong("the price must be at least 1 msat"),
        p if p.kinds.iter().any(|k| !(5000..6000).contains(k)) => wrong("kinds must lie in 5000–5999"),
        p if p.kinds.is_empty() => wrong("at least one kind has to be served"),
        p if p.max_input_bytes == 0 || p.max_input_bytes > MAX_INPUT_BYTES => {
            wrong("the input bound must lie in 1–16,384 bytes, or the result fits no relay")
        }
        p if !(1..=64).contains(&p.max_in_flight) => wrong("jobs in flight must lie in 1–64"),
        p if !(60..=86_400).contains(&p.invoice_expiry_s) => wrong("invoice expiry must lie in 60–86,400 s"),
        p if p.keep_texts_days > MAX_KEEP_DAYS => {
            wrong("texts are kept for at most 36,500 days, or for good (0)")
        }
        p if !(1..=8_192).contains(&p.max_output_tokens) => wrong("output tokens must lie in 1–8,192"),
        _ => Ok(()),
    }
}
