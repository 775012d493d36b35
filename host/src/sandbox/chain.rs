//! The sandbox's chain: simulated, or a real Bitcoin Core in regtest.
use std::{net::SocketAddr, path::Path};

use autopilot_regtest::Bitcoind;
use autopilot_simchain::SimChain;

use super::SandboxError;
use crate::config;

/// Which chain to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ChainKind {
    /// In this process, without script validation; says "simulated".
    #[default]
    Simulated,
    /// Bitcoin Core.
    Bitcoind,
}

impl ChainKind {
    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            ChainKind::Simulated => "simulated",
            ChainKind::Bitcoind => "bitcoind",
        }
    }
}

pub(super) enum Chain {
    Simulated(SimChain),
    Core(Box<Bitcoind>),
}

fn failed(error: impl std::fmt::Display) -> SandboxError {
    SandboxError::Chain(error.to_string())
}

impl Chain {
    pub(super) async fn start(kind: ChainKind, home: &Path) -> Result<Chain, SandboxError> {
        match kind {
            ChainKind::Simulated => {
                let blocks = home.join("chain.blocks");
                let options = autopilot_simchain::Options {
                    blocks: Some(&blocks),
                    auto_mine: true,
                };
                let address = SocketAddr::from(([127, 0, 0, 1], 0));
                Ok(Chain::Simulated(
                    SimChain::start_with(address, options).await.map_err(failed)?,
                ))
            }
            ChainKind::Bitcoind => {
                let core = tokio::task::spawn_blocking(Bitcoind::start)
                    .await
                    .map_err(failed)?
                    .map_err(failed)?;
                Ok(Chain::Core(Box::new(core)))
            }
        }
    }

    /// Refuses a folder whose wallets stand on another chain: they would find none of their coins.
    pub(super) fn fits(kind: ChainKind, home: &Path) -> Result<(), SandboxError> {
        let used = crate::home::Home::is_set_up(&home.join("hub"));
        let blocks = home.join("chain.blocks").exists();
        let why = match kind {
            ChainKind::Bitcoind if used => "Bitcoin Core starts a new chain each time",
            ChainKind::Simulated if used && !blocks => "their chain was another one",
            _ => return Ok(()),
        };
        Err(SandboxError::Options(format!(
            "the wallets in {} can't go on: {why}. Name a new folder with --home",
            home.display()
        )))
    }

    pub(super) fn config(&self) -> config::Chain {
        let (host, port, user, password) = match self {
            Chain::Simulated(chain) => (
                chain.host.clone(),
                chain.port,
                chain.user.clone(),
                chain.password.clone(),
            ),
            Chain::Core(core) => {
                let rpc = core.rpc();
                (rpc.host.clone(), rpc.port, rpc.user.clone(), rpc.password.clone())
            }
        };
        config::Chain::Bitcoind {
            host,
            port,
            user,
            password,
        }
    }

    /// Gives an address coins that can be spent at once.
    pub(super) fn fund(&self, address: &str) -> Result<(), SandboxError> {
        match self {
            Chain::Simulated(chain) => {
                chain.fund(address, 5_000_000_000).map_err(failed)?;
                chain.mine(1).map(drop).map_err(failed)
            }
            Chain::Core(core) => tokio::task::block_in_place(|| core.fund(address)).map_err(failed),
        }
    }

    /// Mines blocks. Returns the new height.
    pub(super) fn mine(&self, count: u32) -> Result<u64, SandboxError> {
        match self {
            Chain::Simulated(chain) => chain.mine(count).map(u64::from).map_err(failed),
            Chain::Core(core) => tokio::task::block_in_place(|| {
                core.mine(count)?;
                core.height()
            })
            .map_err(failed),
        }
    }
}
