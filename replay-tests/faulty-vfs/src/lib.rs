//! A file system beneath SQLite that forgets what was not synced, tears and reorders it, refuses writes and syncs, is full,
//! and loses power at a chosen operation. Real files hold what a running program sees; what the medium holds is kept apart,
//! and becomes the files at a loss of power.

mod disk;
mod medium;
mod vfs;

pub use disk::{Fault, Refusal, operations, plan, power_off};
pub use medium::Loss;
pub use vfs::install;
