//! Generated histories, and what tests and benches of the ledger share. No product code rests on this room.

pub mod drafts;
pub mod pen;
pub mod shop;
pub mod specimens;
pub mod stories;

pub use pen::Pen;
