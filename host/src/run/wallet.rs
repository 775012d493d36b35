//! Keeps the wallet process: starts it, starts it again when it ended, and stops it gracefully. Two wallets on one
//! channel state lose money, so a new process waits for the old one's lock.
use std::{path::PathBuf, time::Duration};

use autopilot_core::{Input, input::WalletInput, ports::wallet::Wallet};
use autopilot_events::pb;
use autopilot_lightning::{ChainSource, Seed, SpawnError, WalletProcess, WalletdConfig, find_walletd};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};

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
const NO_PROGRAM: &str = "the wallet can't be started: autopilot-walletd is not beside this program; build it, or name it in AUTOPILOT_WALLETD";

/// What is known of the running wallet.
#[derive(Clone, Debug, Default)]
pub(super) struct Info {
    pub(super) node_id: String,
    pub(super) addresses: Vec<String>,
}

/// A handle to the keeper.
pub(super) struct Keeper {
    stop: mpsc::Sender<oneshot::Sender<()>>,
    info: watch::Receiver<Option<Info>>,
}

impl Keeper {
    /// Begins to start the wallet, and goes on until it runs: what is in the way is told to [`Outside::waiting`].
    /// `first` is waited for before the wallet counts as started for the first time. `program` is found where none is
    /// named.
    pub(super) fn start(
        home: &Home,
        config: &Config,
        secrets: &Secrets,
        outside: &Outside,
        program: Option<PathBuf>,
        first: JoinHandle<()>,
    ) -> Keeper {
        let (stop, stops) = mpsc::channel(1);
        let (tell, info) = watch::channel(None);
        let keeping = Keeping {
            outside: outside.clone(),
            blocks: config.chain.words(),
            config: walletd_config(home, config, secrets),
            program,
            tell,
            first: Some(first),
        };
        outside.waiting.send_replace(Some(keeping.starting()));
        tokio::spawn(keeping.run(stops));
        Keeper { stop, info }
    }

    /// What is known of the wallet, once it serves and agrees with the ledger.
    pub(super) async fn served(&mut self) -> Info {
        let served = self.info.wait_for(Option::is_some).await;
        match served.ok().and_then(|info| info.clone()) {
            Some(info) => info,
            // The keeper ends before its handle only where the ledger stopped, which ends the host.
            None => std::future::pending().await,
        }
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
    /// Its source of blocks, in words.
    blocks: String,
    program: Option<PathBuf>,
    tell: watch::Sender<Option<Info>>,
    first: Option<JoinHandle<()>>,
}

impl Keeping {
    async fn run(mut self, mut stops: mpsc::Receiver<oneshot::Sender<()>>) {
        loop {
            let mut process = tokio::select! {
                process = self.again() => process,
                reply = stops.recv() => {
                    if let Some(reply) = reply {
                        let _ = reply.send(());
                    }
                    return;
                }
            };
            tokio::select! {
                exit = process.exited() => {
                    tracing::warn!(status = %exit.status, "the wallet process ended; it is started again");
                    self.wait_for(format!(
                        "the wallet does not answer: its process ended ({}) and is started again",
                        exit.status
                    ));
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
        }
    }

    fn wait_for(&self, words: String) {
        self.outside.waiting.send_replace(Some(words));
    }

    fn starting(&self) -> String {
        format!(
            "the wallet is starting: it waits for its source of blocks ({})",
            self.blocks
        )
    }

    /// Starts until it runs.
    async fn again(&mut self) -> WalletProcess {
        let mut pause = FIRST_PAUSE;
        loop {
            let Some(program) = self.program.clone().or_else(find_walletd) else {
                self.wait_for(NO_PROGRAM.to_owned());
                tracing::error!("{NO_PROGRAM}");
                tokio::time::sleep(LONGEST_PAUSE).await;
                continue;
            };
            match WalletProcess::spawn(&self.config, &program).await {
                Ok(process) => match self.begin(&process).await {
                    Ok(info) => {
                        self.tell.send_replace(Some(info));
                        return process;
                    }
                    Err(cause) => {
                        tracing::warn!(%cause, "the wallet started and does not serve; it is stopped");
                        self.wait_for(format!(
                            "the wallet started and does not serve: {cause}; it is started again by itself"
                        ));
                        process.stop().await;
                    }
                },
                Err(error) => {
                    self.wait_for(not_started(&error));
                    match error {
                        SpawnError::Program { .. } | SpawnError::Refused { .. } => {
                            tracing::error!(%error, "the wallet does not start");
                        }
                        error => tracing::warn!(%error, "the wallet does not start yet"),
                    }
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// First facts of a wallet's run; from then on nothing is waited for.
    async fn begin(&mut self, process: &WalletProcess) -> Result<Info, String> {
        if let Some(first) = &mut self.first {
            self.outside.waiting.send_replace(Some(
                "the host is starting: what relays hold of this ledger is compared first".to_owned(),
            ));
            let _ = first.await;
            self.first = None;
        }
        begin(&self.outside, &self.config, process).await
    }
}

/// Why the wallet does not run, and that it is tried again.
fn not_started(error: &SpawnError) -> String {
    let words = error.to_string();
    let words = words.strip_prefix("the wallet did not start: ").unwrap_or(&words);
    format!("the wallet does not start: {words}; it is tried again by itself")
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
    // From here on the wallet's own figures count.
    outside.waiting.send_replace(None);
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
