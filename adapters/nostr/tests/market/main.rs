//! The market over real relays in this process, over hostile ones, and against a stranger's program.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod by_hand;
mod exchange;
mod hostile;
mod nip90_properties;
mod recovery;
mod sealed;
mod side;
mod stranger;
