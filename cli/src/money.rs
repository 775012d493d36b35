//! Sums as people write and read them. Integer millisatoshi inside, never a float.

/// A sum that can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// A bare number could be either unit.
    #[error("{0:?} has no unit: write {0}sat or {0}msat")]
    NoUnit(String),
    /// No number, or no unit that is known.
    #[error("{0:?} is no sum: write a whole number and its unit, such as 10sat or 5000msat")]
    Malformed(String),
    /// More than fits.
    #[error("{0:?} is more than can exist")]
    TooLarge(String),
}

/// Millisatoshi in all bitcoin that can ever exist.
pub const MAX_MSAT: u64 = 2_100_000_000_000_000_000;

/// What routing of a payment of so many msat may cost where nobody said: 1 %, at least 5 sat.
pub fn default_fee_ceiling_msat(amount_msat: u64) -> u64 {
    (amount_msat / 100).max(5_000)
}

/// Reads `10sat`, `10 sats` or `5000msat` as millisatoshi.
///
/// # Errors
/// [`AmountError`].
pub fn parse_msat(text: &str) -> Result<u64, AmountError> {
    let shown = || text.chars().take(40).collect::<String>();
    let trimmed = text.trim();
    let end = trimmed
        .find(|c: char| !c.is_ascii_digit() && c != '_')
        .unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(end);
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "sat" | "sats" => 1_000,
        "msat" | "msats" => 1,
        "" if !number.is_empty() => return Err(AmountError::NoUnit(shown())),
        _ => return Err(AmountError::Malformed(shown())),
    };
    let digits: String = number.chars().filter(|c| *c != '_').collect();
    if digits.is_empty() {
        return Err(AmountError::Malformed(shown()));
    }
    let msat = digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor));
    msat.filter(|msat| *msat <= MAX_MSAT)
        .ok_or_else(|| AmountError::TooLarge(shown()))
}

/// `12345` → `12.345 sat`; whole satoshi without a fraction, thousands apart.
pub fn show_msat(msat: u64) -> String {
    let whole = grouped(msat / 1_000);
    match msat % 1_000 {
        0 => format!("{whole} sat"),
        rest => format!("{whole}.{rest:03} sat"),
    }
}

/// The sum with the network that it is of: elsewhere than on `bitcoin` it has no value, and that is said.
pub fn show_on(msat: u64, network: &str) -> String {
    format!("{} {}", show_msat(msat), network_note(network))
}

/// `(bitcoin)`, `(regtest: no value)`.
pub fn network_note(network: &str) -> String {
    match network {
        "" => "(network unknown)".to_owned(),
        "bitcoin" => "(bitcoin)".to_owned(),
        other => format!("({other}: no value)"),
    }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_need_a_unit_and_fit() {
        assert_eq!(parse_msat("10sat"), Ok(10_000));
        assert_eq!(parse_msat(" 1_000 sats "), Ok(1_000_000));
        assert_eq!(parse_msat("5000msat"), Ok(5_000));
        assert_eq!(parse_msat("10"), Err(AmountError::NoUnit("10".into())));
        for bad in ["", "sat", "1.5sat", "-1sat", "10btc", "_sat"] {
            assert_eq!(parse_msat(bad), Err(AmountError::Malformed(bad.into())), "{bad}");
        }
        for large in ["2100000000000001sat", "99999999999999999999sat"] {
            assert_eq!(
                parse_msat(large),
                Err(AmountError::TooLarge(large.into())),
                "{large}"
            );
        }
    }

    #[test]
    fn sums_name_their_network() {
        assert_eq!(show_msat(0), "0 sat");
        assert_eq!(show_msat(1_234_567_089), "1,234,567.089 sat");
        assert_eq!(show_on(10_000, "regtest"), "10 sat (regtest: no value)");
        assert_eq!(show_on(10_000, "bitcoin"), "10 sat (bitcoin)");
    }
}
