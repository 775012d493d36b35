//! Amounts, times and ids as people read them. Sums are made elsewhere; here they are only written.
use jiff::{Timestamp, tz::TimeZone};

/// What a bitcoin cost, as it was recorded: in units of 10^-decimals of the currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    /// ISO 4217.
    pub currency: String,
    /// Units for one bitcoin.
    pub per_btc: u64,
    /// Decimals of those units.
    pub decimals: u32,
}

/// How amounts are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// Dots instead of digits.
    pub hidden: bool,
    /// In money, where a price is recorded; else in sats.
    pub rate: Option<Rate>,
}

/// Millisatoshi of one bitcoin.
const MSAT_PER_BTC: u128 = 100_000_000_000;

impl Amounts {
    /// An amount with its unit. Parts of a sat are shown only where they are all there is.
    pub fn show(&self, msat: u64) -> String {
        if self.hidden {
            return "••••".to_owned();
        }
        match &self.rate {
            Some(rate) => {
                let units = u128::from(msat) * u128::from(rate.per_btc) / MSAT_PER_BTC;
                let one = 10_u128.pow(rate.decimals.min(12));
                let digits = rate.decimals as usize;
                match digits {
                    0 => format!("{} {}", units, rate.currency),
                    _ => format!("{}.{:0digits$} {}", units / one, units % one, rate.currency),
                }
            }
            None => sats(msat),
        }
    }

    /// An amount in whole sats as the chain knows it.
    pub fn show_sat(&self, sat: u64) -> String {
        self.show(sat.saturating_mul(1_000))
    }
}

fn sats(msat: u64) -> String {
    match (msat / 1_000, msat % 1_000) {
        (0, rest) if rest > 0 => format!("0.{rest:03} sat"),
        (1, 0) => "1 sat".to_owned(),
        (whole, _) => format!("{} sats", grouped(whole)),
    }
}

/// Digits in groups of three, with a narrow space between.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 2);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// Whole sats from what a person typed, in msat. Groups may be parted by spaces, dots or commas as in `1 000`.
///
/// # Errors
/// What is wrong with it, in words.
pub fn msat_of(typed: &str) -> Result<u64, &'static str> {
    let digits: String = typed
        .trim()
        .trim_end_matches("sats")
        .trim_end_matches("sat")
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '_')
        .collect();
    if digits.is_empty() {
        return Err("an amount in sats is needed");
    }
    if !digits.chars().all(|c| c.is_ascii_digit()) {
        return Err("only whole sats: digits and nothing else");
    }
    let sat: Option<u64> = digits.parse().ok();
    // All the bitcoin there will ever be.
    match sat.filter(|sat| *sat <= 2_100_000_000_000_000) {
        Some(sat) => Ok(sat * 1_000),
        None => Err("that is more than there are"),
    }
}

/// A span as its two largest parts.
pub fn span(ms: u64) -> String {
    let seconds = ms / 1_000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// How long ago something was.
pub fn ago(at_ms: i64, now_ms: i64) -> String {
    match u64::try_from(now_ms.saturating_sub(at_ms)) {
        Ok(age) if age < 5_000 => "just now".to_owned(),
        Ok(age) => format!("{} ago", span(age)),
        Err(_) => format!("in {}", span(at_ms.abs_diff(now_ms))),
    }
}

/// A time of day, with the date where it is another day than today.
pub fn time(at_ms: i64, now_ms: i64, zone: &TimeZone) -> String {
    let Ok(at) = Timestamp::from_millisecond(at_ms) else {
        return "–".to_owned();
    };
    let at = at.to_zoned(zone.clone());
    let today = Timestamp::from_millisecond(now_ms).map(|now| now.to_zoned(zone.clone()).date());
    match today {
        Ok(today) if today == at.date() => at.strftime("%H:%M:%S").to_string(),
        _ => at.strftime("%Y-%m-%d %H:%M").to_string(),
    }
}

/// The calendar day around `now_ms` in a time zone: its first millisecond and that of the next day.
pub fn day(now_ms: i64, zone: &TimeZone) -> (i64, i64) {
    const DAY_MS: i64 = 86_400_000;
    let bounds = Timestamp::from_millisecond(now_ms).ok().and_then(|now| {
        let start = now.to_zoned(zone.clone()).start_of_day().ok()?;
        let next = start.tomorrow().ok()?.start_of_day().ok()?;
        Some((
            start.timestamp().as_millisecond(),
            next.timestamp().as_millisecond(),
        ))
    });
    bounds.unwrap_or((now_ms - DAY_MS, now_ms))
}

/// Beginnings of the last `count` calendar days in a time zone, today the last of them, and the end of today.
pub fn days(now_ms: i64, zone: &TimeZone, count: u16) -> Vec<i64> {
    let Ok(now) = Timestamp::from_millisecond(now_ms) else {
        return Vec::new();
    };
    let today = now.to_zoned(zone.clone()).date();
    let bound = |back: i64| {
        let date = today.checked_sub(jiff::Span::new().try_days(back).ok()?).ok()?;
        let start = date.to_zoned(zone.clone()).ok()?;
        Some(start.timestamp().as_millisecond())
    };
    (-1..i64::from(count)).rev().filter_map(bound).collect()
}

/// A calendar day.
pub fn date(at_ms: i64, zone: &TimeZone) -> String {
    let Ok(at) = Timestamp::from_millisecond(at_ms) else {
        return "–".to_owned();
    };
    at.to_zoned(zone.clone()).strftime("%a %Y-%m-%d").to_string()
}

/// The machine that a model would work on, as far as it is known.
pub fn machine(cpu: &str, cores: u32, memory_bytes: Option<u64>, disk_bytes: Option<u64>) -> String {
    let known = |bytes: Option<u64>| bytes.map_or("unknown".to_owned(), gib);
    format!(
        "Found: {cpu}, {cores} cores, {} of memory, {} free on the disk",
        known(memory_bytes),
        known(disk_bytes)
    )
}

/// Bytes as people say them, in tenths of a GiB from one on.
pub fn gib(bytes: u64) -> String {
    match bytes >> 30 {
        0 => format!("{} MiB", bytes >> 20),
        whole => format!("{whole}.{} GiB", ((bytes & ((1 << 30) - 1)) * 10) >> 30),
    }
}

/// The beginning of an id, which tells it from others.
pub fn short(id: &str) -> String {
    match id.char_indices().nth(12) {
        Some((end, _)) => format!("{}…", &id[..end]),
        None => id.to_owned(),
    }
}

/// Text of strangers on one line, without what would move the cursor.
pub fn one_line(text: &str) -> String {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    flat.chars().filter(|c| !c.is_control()).take(400).collect()
}

/// The command that a sentence names, between backticks.
pub fn command_in(sentence: &str) -> Option<&str> {
    let (_, rest) = sentence.split_once('`')?;
    let (command, _) = rest.split_once('`')?;
    (!command.is_empty()).then_some(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_as_people_write_them() {
        let plain = Amounts::default();
        assert_eq!(plain.show(0), "0 sats");
        assert_eq!(plain.show(1_000), "1 sat");
        assert_eq!(plain.show(1_234_567_000), "1\u{202f}234\u{202f}567 sats");
        assert_eq!(plain.show(250), "0.250 sat");
        let hidden = Amounts {
            hidden: true,
            ..Amounts::default()
        };
        assert_eq!(hidden.show(5), "••••");
        let euros = Amounts {
            rate: Some(Rate {
                currency: "EUR".into(),
                per_btc: 9_000_000,
                decimals: 2,
            }),
            ..Amounts::default()
        };
        // 90,000.00 EUR a bitcoin: 100,000 sat are 90 EUR.
        assert_eq!(euros.show(100_000_000), "90.00 EUR");
        assert_eq!(euros.show(u64::MAX / 2), "8301034833169.29 EUR");
    }

    #[test]
    fn typed_amounts_are_read_or_refused_in_words() {
        assert_eq!(msat_of("1 000"), Ok(1_000_000));
        assert_eq!(msat_of("21 sats"), Ok(21_000));
        assert!(msat_of("").is_err());
        assert!(msat_of("1.5").is_err());
        assert!(msat_of("-3").is_err());
        assert!(msat_of("99999999999999999999").is_err());
    }

    #[test]
    fn spans_and_days() {
        assert_eq!(span(59_000), "59 s");
        assert_eq!(span(3_660_000), "1 h 1 min");
        assert_eq!(ago(0, 120_000), "2 min ago");
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        // The day of the change to summer time has 23 hours.
        let (start, end) = day(1_774_774_800_000, &berlin);
        assert_eq!(end - start, 23 * 3_600_000);
        let week = days(1_774_774_800_000, &berlin, 7);
        assert_eq!(week.len(), 8);
        assert_eq!(week[6..], [start, end]);
        assert!(week.is_sorted_by(|a, b| a < b));
        assert_eq!(date(start, &berlin), "Sun 2026-03-29");
    }

    #[test]
    fn an_id_is_cut_between_characters() {
        assert_eq!(short("ééééééééééééééé"), "éééééééééééé…");
        assert_eq!(short("abc"), "abc");
        assert_eq!(one_line("a\u{1b}[2J\n b"), "a[2J b");
        assert_eq!(
            command_in("Then `autopilotctl doctor` again."),
            Some("autopilotctl doctor")
        );
        assert_eq!(command_in("a ` alone"), None);
    }
}
