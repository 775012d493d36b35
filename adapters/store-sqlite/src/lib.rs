//! The ledger on SQLite: one block of facts per commit, byte-identical segments, and everything that must be durable
//! in the same transaction. [`Store`] is the one writer, [`Reader`] reads beside it; `docs/BYTE_LAYOUT.md` is the
//! specification of what lies on disk.

pub mod block;
pub mod bodies;
pub mod error;
pub mod journal;
pub mod rows;
pub mod snapshot;
pub mod verify;

mod anchor;
mod append;
mod compact;
mod erase;
mod fingerprint;
mod history;
mod lock;
mod reader;
mod recheck;
mod row_store;
mod scan;
mod schema;
mod search;
mod sql;
mod step;
mod store;
mod texts;
mod tiles;
mod vault;

pub use anchor::DroppedAnchor;
pub use append::{Commit, MAX_COMMIT_BODY_BYTES, MAX_COMMIT_BYTES, MAX_COMMIT_FACTS, payload_digest};
pub use block::Broken;
pub use bodies::{MasterKey, Unsealed};
pub use compact::Compacted;
pub use error::{AppendError, OpenError, ReadError, SealError};
pub use journal::{JournalEntry, JournalQuery};
pub use reader::{Progress, Reader};
pub use recheck::Recheck;
pub use search::Search;
pub use snapshot::{DroppedSnapshot, Snapshot};
pub use store::{Opened, Store};
pub use vault::{SealedBody, Vault};
pub use verify::{BodyCounts, VerifyReport};
