//! The first run, for a face that has no document beside it: what is at a home folder, what the machine bears, what has
//! to be chosen, and the home that is made of the choices. No words of a wizard are here; every mistake names its field.
mod choice;
mod error;
mod fetch;
mod machine;
mod prepare;
mod reveal;
mod standing;
mod wish;

pub use choice::{Choice, From, models};
pub use error::{Field, SetupError};
pub use fetch::{Fetch, Fetched, Problem};
pub use machine::{Machine, machine};
pub use prepare::{Prepared, prepare, with_model};
pub use reveal::{RevealError, Words, record_backup, reveal};
pub use standing::{Standing, inspect};
pub use wish::{NETWORKS, Protect, RISKS, Serve, Wish, blocks_of};

#[cfg(test)]
mod tests;
