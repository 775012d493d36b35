//! Local models: a supervised worker process behind the model port, and the store that models are pulled into.
//!
//! [`WorkerProcess`] implements `autopilot_core::ports::model::Model`. It starts `autopilot-inference-worker`,
//! speaks `inference/v1` to it over a Unix socket that only the owner can reach, and replaces it when it crashes,
//! hangs or runs out of memory; the request that it held ends in a named reason.

mod call;
mod child;
mod config;
mod embed;
mod generate;
mod health;
pub mod store;
mod supervisor;
mod wire;

pub use config::{ModelFile, WorkerConfig, worker_program};
pub use health::WorkerHealth;
pub use store::{ModelStore, PullOptions, Source, StoreError, StoredModel};
pub use supervisor::WorkerProcess;
