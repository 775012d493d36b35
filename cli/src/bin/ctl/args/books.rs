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

#[derive(Debug, Args)]
pub struct Report {
    /// One day, from midnight to midnight [default: today, unless --from or --to is given].
    #[arg(long, value_name = "YYYY-MM-DD", conflicts_with_all = ["from", "to"])]
    pub day: Option<String>,
    #[command(flatten)]
    pub span: Span,
}

#[derive(Debug, Args)]
pub struct Export {
    /// What to write.
    #[arg(long, value_enum)]
    pub format: Format,
    #[command(flatten)]
    pub span: Span,
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
