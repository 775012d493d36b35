//! Prices that people observe. They decide nothing; books value receipts by them.
use autopilot_events::{
    Draft,
    pb::{self, Source},
};

use crate::{
    draft::fact,
    refusal::{Code, Refusal},
};

/// Decimals of a price, at most: ISO 4217 has no currency with more.
const DECIMALS_MAX: u32 = 4;
/// Bytes of a source's name, at most.
const SOURCE_BYTES_MAX: usize = 200;
/// The clock of whoever observed may be ahead by this, in milliseconds.
const SKEW_MS: i64 = 60_000;

/// Records what somebody observed.
pub fn record(price: pb::PriceObserved, now_ms: i64) -> Result<Vec<Draft>, Refusal> {
    let wrong = |sentence: &str| Err(Refusal::new(Code::PriceInvalid, sentence));
    let letters = price.currency.bytes().all(|b| b.is_ascii_uppercase());
    if price.currency.len() != 3 || !letters {
        return wrong("a currency is named by three capital letters (ISO 4217), such as EUR");
    }
    if price.per_btc == 0 || price.decimals > DECIMALS_MAX {
        return wrong("a price is above zero and has at most 4 decimals");
    }
    let source = price.source.trim();
    if source.is_empty() || source.len() > SOURCE_BYTES_MAX || source.chars().any(char::is_control) {
        return wrong("name the source of the price, in at most 200 bytes on one line");
    }
    if price.observed_at_ms <= 0 || price.observed_at_ms > now_ms.saturating_add(SKEW_MS) {
        return wrong("a price is observed now or earlier");
    }
    Ok(vec![fact("ledger", Source::Person, price)])
}
