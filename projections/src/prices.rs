//! Observed prices, and what a sum was worth by them. Folded on demand: books need it, decisions do not.
use std::collections::BTreeMap;

use autopilot_events::{Event, Recorded};
use serde::Serialize;

/// Decimals of a value beyond those of its price, so that a few satoshi are not nothing.
const FINER: u32 = 4;
/// Millisatoshi of one bitcoin.
const BTC_MSAT: i128 = 100_000_000_000;

/// One observation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Of one bitcoin, in units of 10^-decimals.
    pub per_btc: u64,
    /// Its decimals.
    pub decimals: u32,
    /// Whose it is.
    pub source: String,
}

/// What a sum was worth, as recorded: never asked for again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Value {
    /// ISO 4217.
    pub currency: String,
    /// In units of 10^-decimals.
    pub amount: i128,
    /// Its decimals.
    pub decimals: u32,
    /// Whose price.
    pub source: String,
    /// When that was observed.
    pub observed_at_ms: i64,
}

/// All observations, by currency and time; of two at the same moment the one recorded later.
#[derive(Clone, Debug, Default)]
pub struct Prices(BTreeMap<String, BTreeMap<i64, Quote>>);

impl Prices {
    /// Takes the next fact in.
    pub fn apply(&mut self, fact: &Recorded) {
        if let Event::PriceObserved(m) = &fact.event {
            let quote = Quote {
                per_btc: m.per_btc,
                decimals: m.decimals,
                source: m.source.clone(),
            };
            self.0
                .entry(m.currency.clone())
                .or_default()
                .insert(m.observed_at_ms, quote);
        }
    }

    /// The one currency that was ever observed, if it is one.
    pub fn only_currency(&self) -> Option<&str> {
        let mut currencies = self.0.keys();
        let first = currencies.next()?;
        currencies.next().is_none().then_some(first)
    }

    /// Observations of a currency, oldest first.
    pub fn of(&self, currency: &str) -> impl Iterator<Item = (i64, &Quote)> {
        self.0
            .get(currency)
            .into_iter()
            .flatten()
            .map(|(at_ms, quote)| (*at_ms, quote))
    }

    /// What a sum was worth: by the newest observation at or before `at_ms` that is not older than `max_age_ms`.
    pub fn value(&self, currency: &str, msat: i128, at_ms: i64, max_age_ms: i64) -> Option<Value> {
        let (observed_at_ms, quote) = self.0.get(currency)?.range(..=at_ms).next_back()?;
        if at_ms.saturating_sub(*observed_at_ms) > max_age_ms {
            return None;
        }
        // 2^64 msat times 2^64 units is within i128 twice over; an amount beyond all bitcoin has no value.
        let fine = i128::from(quote.per_btc)
            .checked_mul(10_i128.pow(FINER))?
            .checked_mul(msat)?;
        let half = BTC_MSAT / 2 * fine.signum();
        Some(Value {
            currency: currency.to_owned(),
            amount: (fine + half) / BTC_MSAT,
            decimals: quote.decimals + FINER,
            source: quote.source.clone(),
            observed_at_ms: *observed_at_ms,
        })
    }
}
