//! Reports and exports, read from the ledger: works without a host and beside one.
mod export;
mod report;
mod span;

pub use export::export;
pub use report::report;
