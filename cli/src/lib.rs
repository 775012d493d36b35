//! Shared by the programs: where the home folder is, and how sums are read and written.

pub mod home;
pub mod money;
