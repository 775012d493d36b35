//! Earnings statements: a file that shows what was earned to somebody who has no ledger, no database and no network.
//!
//! `docs/STATEMENT.md` is the specification. [`Checker`] checks a statement line by line; [`check`] a whole file;
//! [`Composer`] writes one, and lets nothing pass that would not check. No I/O of its own, no clock.
mod check;
mod compose;
mod error;
mod evidence;
mod format;
mod html;
mod invoice;
mod report;
mod settled;
mod signed;

pub use check::{Checked, Checker, check};
pub use compose::{ComposeError, Composer};
pub use error::{StatementError, Why};
pub use format::{Bytes, Entry, Header, Settlement};
pub use html::Page;
pub use report::{Heading, Level, Line, Sum, Totals};
pub use signed::SignedEvent;

/// What the first line calls the format.
pub const FORMAT: &str = "autopilot-statement/1";

/// What no proof shows, as every statement says it.
pub const LIMITS: &str =
    "No proof shows that a buyer is not the seller, that the work was good, or that nothing is left out.";

/// Bytes of a line at most, its end included.
pub const MAX_LINE_BYTES: usize = 1 << 20;

/// Settlements of a statement at most; the checker remembers each one's payment hash.
pub const MAX_SETTLEMENTS: u64 = 1_000_000;

/// Kind of the seller's events that carry a signed head or a seal (NIP-78, data of an application).
pub const APPLICATION_DATA_KIND: u16 = 30_078;
