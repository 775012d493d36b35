//! Keeps the wallet process: starts it, starts it again when it ended, and stops it gracefully. Two wallets on one
//! channel state lose money, so a new process waits for the old one's lock.
use std::{path::PathBuf, time::Duration};

use autopilot_core::{Input, input::WalletInput, ports::wallet::Wallet};
use autopilot_events::pb;
use autopilot_lightning::{ChainSource, Seed, SpawnError, WalletProcess, WalletdConfig, find_walletd};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    config::{Chain, Config},
    crash,
    home::Home,
    outside::Outside,
    secrets::Secrets,
    treasury,
};

/// First pause before a wallet that ended is started again; doubled up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What is known of the running wallet.
#[derive(Clone, Debug, Default)]
pub(super) struct Info {
    pub(super) node_id: String,
    pub(super) addresses: Vec<String>,
}

/// A handle to the keeper.
pub(super) struct Keeper {
    stop: mpsc::Sender<oneshot::Sender<()>>,
    info: watch::Receiver<Info>,
}

impl Keeper {
    /// Starts the wallet and waits until it serves and agrees with the ledger.
    pub(super) async fn start(
        home: &Home,
        config: &Config,
        secrets: &Secrets,
        outside: &Outside,
    ) -> Result<Keeper, String> {
        let program = find_walletd().ok_or(
            "autopilot-walletd is not beside this program; build it, or name it in AUTOPILOT_WALLETD",
        )?;
        let config = walletd_config(home, config, secrets);
        let process = WalletProcess::spawn(&config, &program)
            .await
            .map_err(|e| e.to_string())?;
        let info = begin(outside, &config, &process).await?;
        let (stop, stops) = mpsc::channel(1);
        let (tell, info) = watch::channel(info);
        let keeping = Keeping {
            outside: outside.clone(),
            config,
            program,
            tell,
        };
        tokio::spawn(keeping.run(process, stops));
        Ok(Keeper { stop, info })
    }

    pub(super) fn info(&self) -> Info {
        self.info.borrow().clone()
    }

    /// Stops the wallet gracefully.
    pub(super) async fn stop(&self) {
        let (reply, done) = oneshot::channel();
        if self.stop.send(reply).await.is_ok() {
            let _ = done.await;
        }
    }
}

struct Keeping {
    outside: Outside,
    config: WalletdConfig,
    program: PathBuf,
    tell: watch::Sender<Info>,
}

impl Keeping {
    async fn run(self, mut process: WalletProcess, mut stops: mpsc::Receiver<oneshot::Sender<()>>) {
        loop {
            tokio::select! {
                exit = process.exited() => {
                    tracing::warn!(status = %exit.status, "the wallet process ended; it is started again");
                    let stopped = Input::Wallet(WalletInput::Stopped(exit.status));
                    if self.outside.ledger.submit(stopped, None).await.is_err() {
                        return;
                    }
                }
                reply = stops.recv() => {
                    process.stop().await;
                    if let Some(reply) = reply {
                        let _ = reply.send(());
                    }
                    return;
                }
            }
            process = tokio::select! {
                process = self.again() => process,
                reply = stops.recv() => {
                    if let Some(reply) = reply {
                        let _ = reply.send(());
                    }
                    return;
                }
            };
        }
    }

    /// Starts until it runs.
    async fn again(&self) -> WalletProcess {
        let mut pause = FIRST_PAUSE;
        loop {
            match WalletProcess::spawn(&self.config, &self.program).await {
                Ok(process) => match begin(&self.outside, &self.config, &process).await {
                    Ok(info) => {
                        self.tell.send_replace(info);
                        return process;
                    }
                    Err(cause) => {
                        tracing::warn!(%cause, "the wallet started and does not serve; it is stopped");
                        process.stop().await;
                    }
                },
                Err(error @ (SpawnError::Program { .. } | SpawnError::Refused { .. })) => {
                    tracing::error!(%error, "the wallet does not start");
                }
                Err(error) => tracing::warn!(%error, "the wallet does not start yet"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// First facts of a wallet's run: that it started, and how its own list stands against the ledger.
async fn begin(outside: &Outside, config: &WalletdConfig, process: &WalletProcess) -> Result<Info, String> {
    crash::register(crash::Target::Wallet, process.pid());
    let info = outside.wallet.info().await.map_err(|e| e.message)?;
    let started = pb::WalletStarted {
        node_id: info.node_id.to_vec(),
        network: config.network.clone(),
        chain_source: info.chain_source.clone(),
    };
    let submit = |input| outside.ledger.submit(Input::Wallet(input), None);
    submit(WalletInput::Started(started))
        .await
        .map_err(|e| e.to_string())?;
    let reconciled = treasury::reconcile(outside).await?;
    if reconciled.difference_msat != 0 {
        tracing::error!(
            difference_msat = reconciled.difference_msat,
            "wallet and ledger differ"
        );
    }
    treasury::observe(outside).await.map_err(|e| e.to_string())?;
    Ok(Info {
        node_id: process.node_id.clone(),
        addresses: info.listening,
    })
}

fn walletd_config(home: &Home, config: &Config, secrets: &Secrets) -> WalletdConfig {
    let chain = match config.chain.clone() {
        Chain::Bitcoind {
            host,
            port,
            user,
            password,
        } => ChainSource::BitcoindRpc {
            host,
            port,
            user,
            password,
        },
        Chain::Esplora { url } => ChainSource::Esplora { url },
        Chain::Electrum { url } => ChainSource::Electrum { url },
    };
    let seed = Seed(secrets.lightning_seed());
    let mut walletd = WalletdConfig::new(
        seed,
        home.wallet_dir(),
        home.wallet_socket(),
        &config.network,
        chain,
    );
    walletd.listen.clone_from(&config.wallet.listen);
    walletd
        .trusted_peers_0conf
        .clone_from(&config.wallet.trusted_peers_0conf);
    walletd.alias = (!config.wallet.alias.is_empty()).then(|| config.wallet.alias.clone());
    walletd.forwarding = config.wallet.forwarding;
    walletd
}
