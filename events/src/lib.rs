//! The fact catalogue, the words it is written in, the envelope and the chain. No I/O, no clock, no randomness.

pub mod catalogue;
pub mod chain;
pub mod envelope;
pub mod head;
pub mod texts;
pub mod tree;
pub mod witness;
pub mod words;

pub use autopilot_proto::events::v1 as pb;
pub use catalogue::Event;
pub use envelope::{Draft, Head, Recorded};
