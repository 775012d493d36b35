//! Progress on stderr: only on a terminal, only once something takes longer than a second, never too often.
use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

const QUIET: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_millis(200);

/// A line that is overwritten.
pub struct Progress {
    terminal: bool,
    due: Instant,
    shown: usize,
}

impl Progress {
    pub fn new() -> Progress {
        Progress {
            terminal: io::stderr().is_terminal(),
            due: Instant::now() + QUIET,
            shown: 0,
        }
    }

    /// Shows `text` if it is time to.
    pub fn tell(&mut self, text: impl FnOnce() -> String) {
        let now = Instant::now();
        if !self.terminal || now < self.due {
            return;
        }
        self.due = now + INTERVAL;
        let text = text();
        // A progress line that can't be written is no reason to stop.
        let _ = write!(io::stderr(), "\r{text:<width$}", width = self.shown);
        self.shown = text.chars().count();
    }

    /// `what: 1,200 of 4,000 (30 %)`.
    pub fn count(&mut self, what: &str, done: u64, of: u64) {
        self.tell(|| match of {
            0 => format!("{what}: {done}"),
            of => format!(
                "{what}: {done} of {of} ({} %)",
                u128::from(done) * 100 / u128::from(of)
            ),
        });
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown > 0 {
            let _ = write!(io::stderr(), "\r{:width$}\r", "", width = self.shown);
        }
    }
}
