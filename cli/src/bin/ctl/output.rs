//! stdout is data: one JSON document, or aligned text. stderr is words and progress.
use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::failure::{Failure, Kind, Outcome};

/// How to show.
#[derive(Clone, Copy, Debug)]
pub struct Out {
    pub json: bool,
    /// Never ask.
    pub no_input: bool,
    colour: bool,
}

/// What a line is about, for its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Good,
    Warn,
    Bad,
    Dim,
}

impl Out {
    /// Colours by the one policy that help and usage errors follow too: none without a terminal, with `NO_COLOR`,
    /// or on a dumb terminal.
    pub fn new(json: bool, no_input: bool) -> Out {
        let colour = anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
        Out {
            json,
            no_input,
            colour: !json && colour,
        }
    }

    /// The command that naturally comes next: for people at a terminal only.
    pub fn hint(&self, next: &str) {
        if !self.json && io::stdout().is_terminal() && io::stderr().is_terminal() {
            say(&format!("next:  {next}"));
        }
    }

    /// One reply: as a JSON document, or as `text` makes it.
    pub fn show<T: Serialize>(&self, value: &T, text: impl FnOnce(&T) -> String) -> Outcome {
        match self.json {
            true => self.json_line(value),
            false => self.line(&text(value)),
        }
    }

    /// One JSON document on a line of its own.
    pub fn json_line<T: Serialize>(&self, value: &T) -> Outcome {
        let document = serde_json::to_string(value)
            .map_err(|error| Failure::new(Kind::Other, "internal", error.to_string()))?;
        self.line(&document)
    }

    /// One line, or several, of data.
    pub fn line(&self, text: &str) -> Outcome {
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(text.trim_end_matches('\n').as_bytes());
        written
            .and_then(|()| stdout.write_all(b"\n"))
            .and_then(|()| stdout.flush())
            .map_err(|error| match error.kind() {
                io::ErrorKind::BrokenPipe => Failure::new(Kind::PipeClosed, "pipe-closed", ""),
                _ => Failure::new(
                    Kind::Other,
                    "output",
                    format!("the output can't be written: {error}"),
                ),
            })
    }

    /// The text in a colour, where colours are shown.
    pub fn tone(&self, tone: Tone, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Good => 32,
            Tone::Warn => 33,
            Tone::Bad => 31,
            Tone::Dim => 2,
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// Words for people: to stderr.
pub fn say(text: &str) {
    // Nobody is left to tell when stderr is gone.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Strangers' words without control characters, which could drive the terminal.
pub fn clean(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\n' && c != '\t' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

/// Strangers' words on one line.
pub fn clean_line(text: &str) -> String {
    clean(text).replace(['\n', '\t'], " ")
}

/// Columns, as wide as their widest cell; the last one is not padded.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let all =
        || std::iter::once(head.iter().map(|cell| (*cell).to_owned()).collect()).chain(rows.iter().cloned());
    let width = |column: usize| {
        all()
            .filter_map(|row: Vec<String>| row.get(column).map(|cell| cell.chars().count()))
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |row: Vec<String>| {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    all().map(line).collect::<Vec<_>>().join("\n")
}

/// `label  value` lines, aligned; those with an empty value are left out.
pub fn fields(pairs: &[(&str, String)]) -> String {
    let shown: Vec<_> = pairs.iter().filter(|(_, value)| !value.is_empty()).collect();
    let width = shown
        .iter()
        .map(|(label, _)| label.chars().count())
        .max()
        .unwrap_or(0);
    let lines: Vec<String> = shown
        .iter()
        .map(|(label, value)| format!("{label:<width$}  {value}"))
        .collect();
    lines.join("\n")
}

/// The beginning of an id, enough to name it in another command.
pub fn short(id: &str) -> String {
    id.chars().take(12).collect()
}

/// Milliseconds since the Unix epoch, in the reader's time zone.
pub fn at(ms: i64) -> String {
    match jiff::Timestamp::from_millisecond(ms) {
        Ok(timestamp) if ms > 0 => {
            let zoned = timestamp.to_zoned(jiff::tz::TimeZone::system());
            zoned.strftime("%Y-%m-%d %H:%M:%S").to_string()
        }
        _ => "-".to_owned(),
    }
}

/// A duration in its two largest units.
pub fn duration(ms: u64) -> String {
    let seconds = ms / 1_000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// Bytes in the largest binary unit, one digit behind the point.
pub fn bytes(count: u64) -> String {
    let (unit, name) = match count {
        0..1_024 => return format!("{count} B"),
        1_024..1_048_576 => (1_024, "KiB"),
        1_048_576..1_073_741_824 => (1_048_576, "MiB"),
        _ => (1_073_741_824, "GiB"),
    };
    format!("{}.{} {name}", count / unit, count % unit * 10 / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_do_not_drive_the_terminal() {
        assert_eq!(clean("a\x1b[31mb\nc"), "a\u{fffd}[31mb\nc");
        assert_eq!(clean_line("a\nb"), "a b");
    }

    #[test]
    fn columns_align() {
        let text = table(
            &["a", "bb"],
            &[vec!["xxx".into(), "y".into()], vec!["z".into(), "w".into()]],
        );
        assert_eq!(text, "a    bb\nxxx  y\nz    w");
        assert_eq!(
            fields(&[("a", "1".into()), ("long", "2".into()), ("none", String::new())]),
            "a     1\nlong  2"
        );
    }

    #[test]
    fn sizes_and_durations_read_well() {
        assert_eq!(bytes(1_536), "1.5 KiB");
        assert_eq!(duration(61_000), "1 min 1 s");
    }
}
