//! The wallet port over a supervised wallet process: starting it, leading it on a leash, and speaking `wallet/v1`.
//!
//! ```text
//! host ── WalletProcess (stdin: configuration, then the leash) ──► autopilot-walletd ── ldk-node
//!      └─ WalletClient  (Unix socket, wallet/v1) ────────────────┘
//! ```
mod client;
mod convert;
mod events;
mod process;

pub use client::WalletClient;
pub use process::{ChainSource, Seed, SpawnError, WalletExit, WalletProcess, WalletdConfig, find_walletd};
