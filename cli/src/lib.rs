//! Shared by the programs: where the home folder is, how sums are read and written, completions and manual pages.

pub use autopilot_host::home;
pub mod manual;
pub mod money;
pub mod passphrase;
