//! `price record`: what a bitcoin cost, by a person's word.
use autopilot_host::books::Valuing;
use autopilot_proto::control::v1::RecordPriceRequest;
use jiff::Timestamp;

use super::moment_ms;
use crate::{
    args::{Price, Worth},
    connect::call,
    failure::{Failure, Outcome},
    output::Out,
    start::Way,
};

pub async fn price(way: &Way, out: Out, action: Price) -> Outcome {
    let Price::Record {
        currency,
        per_btc,
        source,
        at,
    } = action;
    let (units, decimals) = read_decimal(&per_btc)?;
    let observed_at_ms = match at {
        Some(text) => moment_ms(&text)?,
        None => Timestamp::now().as_millisecond(),
    };
    let request = RecordPriceRequest {
        currency: currency.to_uppercase(),
        per_btc: units,
        decimals,
        source,
        observed_at_ms,
    };
    let reply = call(way.host().await?.record_price(request)).await?;
    out.show(&reply, |_| {
        format!("Recorded: 1 BTC = {per_btc} {}", currency.to_uppercase())
    })
}

/// `61234.56` as 6123456 and 2.
fn read_decimal(text: &str) -> Outcome<(u64, u32)> {
    let wrong = || Failure::usage(format!("{text:?} is no price: write a number such as 61234.56"));
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{rest}");
    if whole.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) || text.ends_with('.') {
        return Err(wrong());
    }
    let decimals = u32::try_from(rest.len()).map_err(|_| wrong())?;
    digits.parse().map(|units| (units, decimals)).map_err(|_| wrong())
}

/// How receipts are valued.
pub fn valuing(worth: &Worth) -> Valuing {
    Valuing {
        currency: worth.currency.as_ref().map(|currency| currency.to_uppercase()),
        max_age_ms: i64::from(worth.max_price_age) * 3_600_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_exact() {
        assert_eq!(read_decimal("61234.56").unwrap(), (6_123_456, 2));
        assert_eq!(read_decimal("9000000").unwrap(), (9_000_000, 0));
        for bad in ["", ".5", "5.", "1,000", "-5", "1e5", "99999999999999999999"] {
            assert!(read_decimal(bad).is_err(), "{bad}");
        }
    }
}
