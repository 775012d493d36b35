//! Windows of time as people write them.
use autopilot_host::books::Window;
use jiff::{
    Timestamp, ToSpan, Zoned,
    civil::{Date, DateTime},
    tz::TimeZone,
};
use serde::Serialize;

use crate::{
    args::Span,
    failure::{Failure, Outcome},
};

/// A window with the words that name it.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    /// First moment, included; `null`: from the beginning.
    pub from: Option<String>,
    /// First moment that is not in it; `null`: to the end.
    pub to: Option<String>,
    /// Milliseconds since the Unix epoch.
    pub from_ms: Option<i64>,
    /// Milliseconds since the Unix epoch.
    pub to_ms: Option<i64>,
    /// Of days and local times.
    pub time_zone: String,
}

fn zone(span: &Span) -> Outcome<TimeZone> {
    match &span.time_zone {
        None => Ok(TimeZone::system()),
        Some(name) => TimeZone::get(name).map_err(|_| {
            Failure::usage(format!(
                "there is no time zone {name:?}: write one such as Europe/Berlin or UTC"
            ))
        }),
    }
}

fn unclear(text: &str) -> Failure {
    Failure::usage(format!(
        "{text:?} is no time: write a day (2026-11-20), a local time (2026-11-20T15:00) or a moment (2026-11-20T15:00Z)"
    ))
}

fn moment(text: &str, zone: &TimeZone) -> Outcome<Zoned> {
    let local = || text.parse::<DateTime>().ok()?.to_zoned(zone.clone()).ok();
    match text.parse::<Timestamp>() {
        Ok(moment) => Ok(moment.to_zoned(zone.clone())),
        Err(_) => local().ok_or_else(|| unclear(text)),
    }
}

/// A moment of this machine's time zone, in milliseconds since the Unix epoch.
pub fn moment_ms(text: &str) -> Outcome<i64> {
    Ok(moment(text, &TimeZone::system())?.timestamp().as_millisecond())
}

/// One day where its zone says that it begins and ends, which is not always 24 hours.
pub fn day(text: Option<&str>, span: &Span) -> Outcome<(Window, Shown)> {
    let zone = zone(span)?;
    let date = match text {
        Some(text) => text.parse::<Date>().map_err(|_| unclear(text))?,
        None => Zoned::now().with_time_zone(zone.clone()).date(),
    };
    let start = date.to_zoned(zone.clone());
    let end = date
        .checked_add(1.day())
        .and_then(|next| next.to_zoned(zone.clone()));
    let (Ok(start), Ok(end)) = (start, end) else {
        return Err(unclear(text.unwrap_or_default()));
    };
    window(Some(start), Some(end), &zone)
}

/// From one moment to another; what is left out has no bound.
pub fn between(span: &Span) -> Outcome<(Window, Shown)> {
    let zone = zone(span)?;
    let read = |text: &Option<String>| text.as_deref().map(|text| moment(text, &zone)).transpose();
    window(read(&span.from)?, read(&span.to)?, &zone)
}

fn window(from: Option<Zoned>, to: Option<Zoned>, zone: &TimeZone) -> Outcome<(Window, Shown)> {
    let ms = |moment: &Option<Zoned>| moment.as_ref().map(|moment| moment.timestamp().as_millisecond());
    let (from_ms, to_ms) = (ms(&from), ms(&to));
    if let (Some(from), Some(to)) = (from_ms, to_ms)
        && from >= to
    {
        return Err(Failure::usage(
            "the window is empty: --to must be later than --from",
        ));
    }
    let text =
        |moment: Option<Zoned>| moment.map(|moment| moment.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string());
    let window = Window {
        from_ms: from_ms.unwrap_or(i64::MIN),
        to_ms: to_ms.unwrap_or(i64::MAX),
    };
    let shown = Shown {
        from: text(from),
        to: text(to),
        from_ms,
        to_ms,
        time_zone: zone.iana_name().unwrap_or("local").to_owned(),
    };
    Ok((window, shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: &str, to: &str, zone: &str) -> Span {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Span {
            from: some(from),
            to: some(to),
            time_zone: some(zone),
        }
    }

    #[test]
    fn a_day_is_as_long_as_its_zone_says() {
        let hours = |day_of: &str, zone: &str| {
            let (window, _) = day(Some(day_of), &span("", "", zone)).unwrap();
            (window.to_ms - window.from_ms) / 3_600_000
        };
        assert_eq!(hours("2026-11-20", "UTC"), 24);
        assert_eq!(hours("2026-03-29", "Europe/Berlin"), 23);
        assert_eq!(hours("2026-10-25", "Europe/Berlin"), 25);
    }

    #[test]
    fn windows_are_read_in_their_zone() {
        let (window, shown) = between(&span("2026-11-20", "2026-11-20T12:00", "Europe/Berlin")).unwrap();
        assert_eq!(window.to_ms - window.from_ms, 12 * 3_600_000);
        assert_eq!(shown.from.as_deref(), Some("2026-11-20T00:00:00+01:00"));
        assert_eq!(shown.time_zone, "Europe/Berlin");
        let (open, shown) = between(&span("2026-11-20T00:00Z", "", "UTC")).unwrap();
        assert_eq!((open.to_ms, shown.to), (i64::MAX, None));
        for (from, to, zone) in [
            ("yesterday", "", "UTC"),
            ("2026-11-20", "2026-11-19", "UTC"),
            ("2026-11-20", "", "Mars/Olympus"),
        ] {
            assert!(between(&span(from, to, zone)).is_err(), "{from} {to} {zone}");
        }
    }
}
