//! The ledger as books: reports and exports, read without a host or beside one, in bounded memory.
mod amounts;
mod csv;
mod export;
mod hledger;
mod jsonl;
mod koinly;
mod walk;

use std::io;

use autopilot_store_sqlite::Progress;

pub use autopilot_projections::report::{Degraded, Report, Row, Tally, Window};
pub use export::{Format, Summary, export};

use crate::audit::{Audit, AuditError};
use walk::{Step, walk};

/// Why books could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BooksError {
    /// The ledger can't be read.
    #[error(transparent)]
    Ledger(#[from] AuditError),
    /// The output can't be written.
    #[error("the export can't be written: {0}")]
    Write(#[from] io::Error),
}

impl From<autopilot_store_sqlite::ReadError> for BooksError {
    fn from(error: autopilot_store_sqlite::ReadError) -> BooksError {
        BooksError::Ledger(error.into())
    }
}

/// The window's report and the ledger that it rests on.
#[derive(Clone, Debug)]
pub struct Reported {
    /// The report.
    pub report: Report,
    /// `bitcoin`, `testnet`, `signet` or `regtest`; empty for a ledger without facts.
    pub network: String,
    /// Number of the last fact that was read.
    pub sequence: u64,
    /// Chain value after it, as hexadecimal text.
    pub chain: String,
}

/// Reports on a window. Rests on the facts that are there when it begins.
///
/// # Errors
/// [`BooksError`].
pub async fn report(
    audit: &Audit,
    window: Window,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Reported, BooksError> {
    let mut report = Report::of(window);
    let mut network = String::new();
    let (head, open) = walk(audit, None, progress, |step| {
        match step {
            Step::Fact(fact) => {
                if let autopilot_events::Event::LedgerOpened(m) = &fact.event {
                    network.clone_from(&m.network);
                }
                report.apply(fact);
            }
            Step::Told(told) => report.take(&told),
        }
        Ok(())
    })
    .await?;
    report.end(open.open());
    Ok(Reported {
        report,
        network,
        sequence: head.sequence,
        chain: head.chain.to_string(),
    })
}
