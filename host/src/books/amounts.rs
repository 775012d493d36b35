//! Sums and moments as text: exact, and the same on every machine.

/// Millisatoshi as satoshi with three decimals, e.g. `-10.000`.
pub(super) fn sat(msat: i128) -> String {
    decimal(msat, 3)
}

/// Millisatoshi as bitcoin: at least eight decimals, at most eleven.
pub(super) fn btc(msat: i128) -> String {
    let text = decimal(msat, 11);
    let zeros = text.len() - text.trim_end_matches('0').len();
    text[..text.len() - zeros.min(3)].to_owned()
}

/// An integer with its point moved left.
pub(super) fn decimal(number: i128, decimals: u32) -> String {
    let sign = if number < 0 { "-" } else { "" };
    let (whole, rest) = match 10_u128.checked_pow(decimals) {
        Some(unit) => (number.unsigned_abs() / unit, number.unsigned_abs() % unit),
        None => (0, number.unsigned_abs()),
    };
    match decimals {
        0 => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{rest:0width$}", width = decimals as usize),
    }
}

/// `2026-11-20T07:00:00.123Z`; empty for a moment that no calendar has.
pub(super) fn utc(ms: i64) -> String {
    format(ms, "%Y-%m-%dT%H:%M:%S%.3fZ")
}

/// `2026-11-20`.
pub(super) fn day(ms: i64) -> String {
    format(ms, "%Y-%m-%d")
}

/// As Koinly reads it: `2026-11-20 07:00:00 UTC`.
pub(super) fn seconds(ms: i64) -> String {
    format(ms, "%Y-%m-%d %H:%M:%S UTC")
}

fn format(ms: i64, how: &str) -> String {
    let moment = jiff::Timestamp::from_millisecond(ms);
    moment.map_or_else(|_| String::new(), |moment| moment.strftime(how).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_exact() {
        assert_eq!(sat(10_001), "10.001");
        assert_eq!(sat(-1), "-0.001");
        assert_eq!(btc(100_000_000_000), "1.00000000");
        assert_eq!(btc(-10_001), "-0.00000010001");
        assert_eq!(utc(1_790_000_000_123), "2026-09-21T14:13:20.123Z");
        assert_eq!(utc(i64::MAX), "");
    }
}
