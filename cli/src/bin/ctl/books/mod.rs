//! Reports and exports, read from the ledger: works without a host and beside one.
mod export;
mod price;
mod report;
mod span;

pub use export::export;
pub use price::price;
pub use report::report;
pub use span::{between, moment_ms};
