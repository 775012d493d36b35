//! Shared by the programs: where the home folder is, how sums are read and written, completions and manual pages.

pub mod home;
pub mod manual;
pub mod money;
pub mod passphrase;
