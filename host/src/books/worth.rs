//! What receipts were worth when they came, by recorded observations of the price.
use autopilot_projections::{
    accounts::Account,
    movements::Told,
    prices::{Prices, Value},
    report::Window,
};
use serde::Serialize;

use super::{Valuing, amounts};

/// What the earnings of a window were worth.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Worth {
    /// ISO 4217; `null`: none was asked for, and not exactly one was observed.
    pub currency: Option<String>,
    /// The sum over payments that have a value, as decimal text.
    pub earned: String,
    /// Payments with a value.
    pub valued: u64,
    /// Payments without a recorded value.
    pub without_value: u64,
    #[serde(skip)]
    sum: i128,
    #[serde(skip)]
    decimals: u32,
    #[serde(skip)]
    valuer: Option<Valuer>,
}

/// Values sums in one currency.
#[derive(Clone, Debug)]
pub(super) struct Valuer {
    prices: Prices,
    currency: String,
    max_age_ms: i64,
}

impl Valuer {
    pub(super) fn of(prices: &Prices, valuing: &Valuing) -> Option<Valuer> {
        let only = || prices.only_currency().map(str::to_owned);
        Some(Valuer {
            currency: valuing.currency.clone().or_else(only)?,
            prices: prices.clone(),
            max_age_ms: valuing.max_age_ms,
        })
    }

    pub(super) fn value(&self, msat: i128, at_ms: i64) -> Option<Value> {
        self.prices.value(&self.currency, msat, at_ms, self.max_age_ms)
    }

    pub(super) fn currency(&self) -> &str {
        &self.currency
    }

    pub(super) fn prices(&self) -> &Prices {
        &self.prices
    }
}

impl Worth {
    pub(super) fn of(prices: &Prices, valuing: &Valuing) -> Worth {
        let valuer = Valuer::of(prices, valuing);
        Worth {
            currency: valuer.as_ref().map(|valuer| valuer.currency.clone()),
            valuer,
            ..Worth::default()
        }
    }

    pub(super) fn take(&mut self, told: &Told, window: Window) {
        let Told::Moved(movement) = told else { return };
        let earned = -movement.in_account(Account::IncomeJobs);
        if earned <= 0 || !window.holds(movement.at_ms) {
            return;
        }
        let value = self
            .valuer
            .as_ref()
            .and_then(|valuer| valuer.value(earned, movement.at_ms));
        let Some(value) = value else {
            self.without_value += 1;
            return;
        };
        self.valued += 1;
        // Prices of one currency may be recorded with more or fewer decimals: the finest counts.
        let finest = self.decimals.max(value.decimals);
        self.sum = self.sum * 10_i128.pow(finest - self.decimals)
            + value.amount * 10_i128.pow(finest - value.decimals);
        self.decimals = finest;
        self.earned = amounts::decimal(self.sum, self.decimals);
    }
}
