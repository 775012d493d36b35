//! Ports: what the engine asks of the outside world. Adapters implement these traits.

pub mod embed;
pub mod market;
pub mod model;
pub mod payee;
pub mod wallet;
