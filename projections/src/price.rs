//! What a bitcoin cost when somebody last looked: for showing amounts in money. Books have every observation (`prices`).
use autopilot_events::{Event, Recorded};
use serde::{Deserialize, Serialize};

use crate::Projection;

/// The newest observation, if there is one. Of two at the same moment the one recorded later.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Price {
    /// It.
    pub newest: Option<Observed>,
}

/// An observation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// ISO 4217.
    pub currency: String,
    /// Of one bitcoin, in units of 10^-decimals.
    pub per_btc: u64,
    /// Its decimals.
    pub decimals: u32,
    /// Whose it is.
    pub source: String,
    /// When it was observed.
    pub observed_at_ms: i64,
}

impl Projection for Price {
    const NAME: &'static str = "price";
    const VERSION: u32 = 1;

    fn apply(&mut self, fact: &Recorded) {
        let Event::PriceObserved(m) = &fact.event else {
            return;
        };
        let known = self.newest.as_ref();
        if known.is_none_or(|known| known.observed_at_ms <= m.observed_at_ms) {
            self.newest = Some(Observed {
                currency: m.currency.clone(),
                per_btc: m.per_btc,
                decimals: m.decimals,
                source: m.source.clone(),
                observed_at_ms: m.observed_at_ms,
            });
        }
    }
}
