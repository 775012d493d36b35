//! Arguments of earnings statements.
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Span, identity::Passphrase};

#[derive(Debug, Subcommand)]
pub enum Statement {
    /// Writes a statement of what was settled in a window, or of one payment.
    Create(StatementCreate),
    /// Checks a statement: with no ledger, database or network, and by the keys of witnesses that you trust.
    Verify(StatementVerify),
}

#[derive(Debug, Args)]
pub struct StatementCreate {
    #[command(flatten)]
    pub span: Span,
    /// Only this job's payment: a receipt. Its id, a beginning of at least 8 digits, or its whole market id.
    #[arg(long, value_name = "ID", conflicts_with_all = ["from", "to"], value_parser = job)]
    pub job: Option<String>,
    /// The file [default: stdout]. It is there whole or not at all.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// A page for people too, with the same figures.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Replaces files that are there.
    #[arg(long)]
    pub force: bool,
    /// A signed head of this ledger that witnesses signed too; the statement rests on it instead of a new one.
    #[arg(long, value_name = "FILE")]
    pub cosigned: Option<PathBuf>,
    #[command(flatten)]
    pub passphrase: Passphrase,
}

#[derive(Debug, Args)]
pub struct StatementVerify {
    /// The statement.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Verifier key of a witness that you trust (C2SP signed-note); may be repeated.
    #[arg(long, value_name = "KEY")]
    pub witness: Vec<String>,
    /// Writes a page for people, with what was found.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Replaces a page that is there.
    #[arg(long, requires = "html")]
    pub force: bool,
}

fn job(text: &str) -> Result<String, String> {
    let digits = text.to_ascii_lowercase();
    match (8..=64).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_hexdigit()) {
        true => Ok(digits),
        false => Err("write 8 to 64 hexadecimal digits".to_owned()),
    }
}
