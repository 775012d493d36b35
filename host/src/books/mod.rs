//! The ledger as books: reports and exports, read without a host or beside one, in bounded memory.
mod amounts;
mod csv;
mod export;
mod hledger;
mod jsonl;
mod koinly;
mod walk;
mod worth;

use std::io;

use autopilot_store_sqlite::Progress;

use autopilot_projections::difference::Comparing;
pub use autopilot_projections::difference::{Compared, Differences};
pub use autopilot_projections::report::{Degraded, Report, Row, Tally, Window};
pub use export::{Format, Summary, export};

use crate::audit::{Audit, AuditError};
use walk::{Step, walk};
pub use worth::Worth;

/// How receipts are valued, by recorded observations alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Valuing {
    /// ISO 4217; `None`: the one currency that was ever observed, where it is one.
    pub currency: Option<String>,
    /// An older observation values nothing, in milliseconds.
    pub max_age_ms: i64,
}

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
    /// What the earnings of the window were worth when they came.
    pub worth: Worth,
    /// How the wallet's last figures stand against the accounts, whatever the window.
    pub differences: Differences,
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
    valuing: &Valuing,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Reported, BooksError> {
    let prices = export::prices(audit, progress).await?;
    let mut worth = Worth::of(&prices, valuing);
    let mut report = Report::of(window);
    let mut comparing = Comparing::default();
    let mut network = String::new();
    let (head, open) = walk(audit, None, progress, |step| {
        match step {
            Step::Fact(fact) => {
                if let autopilot_events::Event::LedgerOpened(m) = &fact.event {
                    network.clone_from(&m.network);
                }
                report.apply(fact);
                comparing.apply(fact);
            }
            Step::Told(told) => {
                worth.take(&told, window);
                report.take(&told);
            }
        }
        Ok(())
    })
    .await?;
    report.end(open.open());
    Ok(Reported {
        report,
        worth,
        differences: comparing.differences(),
        network,
        sequence: head.sequence,
        chain: head.chain.to_string(),
    })
}
