//! Arguments of reports and exports.
use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// A window of time: its start is in it, its end is not.
#[derive(Clone, Debug, Args)]
pub struct Span {
    /// First moment: a day (2026-11-20), a local time (2026-11-20T15:00), or a moment (2026-11-20T15:00Z).
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// First moment after the window, written likewise.
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// Time zone of days and local times, e.g. Europe/Berlin or UTC [default: this machine's].
    #[arg(long, value_name = "NAME")]
    pub time_zone: Option<String>,
}

/// What receipts were worth, by recorded prices alone.
#[derive(Clone, Debug, Args)]
pub struct Worth {
    /// Currency of values, e.g. EUR [default: the one that was ever recorded, where it is one].
    #[arg(long, value_name = "CODE")]
    pub currency: Option<String>,
    /// An older price values nothing, in hours.
    #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=87_600))]
    pub max_price_age: u32,
}

#[derive(Debug, Args)]
pub struct Report {
    /// One day, from midnight to midnight [default: today, unless --from or --to is given].
    #[arg(long, value_name = "YYYY-MM-DD", conflicts_with_all = ["from", "to"])]
    pub day: Option<String>,
    #[command(flatten)]
    pub span: Span,
    #[command(flatten)]
    pub worth: Worth,
}

#[derive(Debug, Args)]
pub struct Export {
    /// What to write.
    #[arg(long, value_enum)]
    pub format: Format,
    #[command(flatten)]
    pub span: Span,
    #[command(flatten)]
    pub worth: Worth,
    /// The file [default: stdout]. It is there whole or not at all.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replaces a file that is there.
    #[arg(long, requires = "output")]
    pub force: bool,
    /// Says what would be written, and writes nothing.
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Every column, one row a movement.
    Csv,
    /// One object a movement, with its postings.
    Jsonl,
    /// Koinly's universal CSV.
    Koinly,
    /// A journal that `hledger check --strict` accepts.
    Hledger,
}

#[derive(Debug, Args)]
pub struct Log {
    /// Which run [default: the newest].
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
    /// Names the runs that are kept instead.
    #[arg(long, conflicts_with = "run")]
    pub list: bool,
}

#[derive(Debug, Args)]
pub struct Journal {
    /// Only lines of this relay.
    #[arg(long, value_name = "ADDRESS")]
    pub relay: Option<String>,
    /// Only lines about this event, or whatever else a line is about.
    #[arg(long, value_name = "ID")]
    pub about: Option<String>,
    /// Only lines since a day, a local time, or a moment (2026-11-20T15:00Z).
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// How many, the newest ones.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub lines: u32,
}

#[derive(Debug, clap::Subcommand)]
pub enum Price {
    /// Records what a bitcoin cost, for reports and exports. Nothing is decided by it, and nobody is asked for it.
    Record {
        /// ISO 4217, e.g. EUR.
        #[arg(long, value_name = "CODE")]
        currency: String,
        /// Price of one bitcoin, e.g. 61234.56.
        #[arg(long, value_name = "DECIMAL")]
        per_btc: String,
        /// Whose price.
        #[arg(long, value_name = "TEXT")]
        source: String,
        /// When it was observed: a day, a local time, or a moment (2026-11-20T15:00Z) [default: now].
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
    },
}
