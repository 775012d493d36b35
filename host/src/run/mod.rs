//! A host: composes the adapters around one ledger, serves until it is asked to stop, and stops in order.
mod model;
mod payees;
mod wallet;

use std::{path::PathBuf, sync::Arc};

use autopilot_core::{Input, embedding::EMBEDDING, input::Command, policy, ports::market::Market};
use autopilot_events::pb;
use autopilot_lightning::WalletClient;
use autopilot_nostr::{Identity, RelayConfig, RelayMarket};
use autopilot_store_sqlite::{MasterKey, OpenError};
use tokio::{
    sync::{Notify, broadcast, mpsc, watch},
    task::JoinSet,
};

use crate::{
    config::{Config, ConfigError},
    control::{self, Service},
    desk::Desk,
    effects, forget,
    heads::{Heads, HeadsError, kept},
    home::{Home, HomeError},
    intake,
    ledger::{Ledger, SubmitError, recheck},
    outside::Outside,
    pulse,
    secrets::{self, Key, Secrets, SecretsError},
    session::Session,
    treasury,
};

/// Pieces of output held for whoever watches.
const TOKENS_HELD: usize = 1_024;

/// Where and how to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The home folder; its configuration must be there.
    pub home: PathBuf,
    /// What opens the identity.
    pub key: Key,
    /// The panes that are open, for a window and for whoever drives it.
    pub desk: Desk,
}

/// Why a host did not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The folder.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The identity.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] OpenError),
    /// A first fact was refused.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The signing of heads.
    #[error(transparent)]
    Heads(#[from] HeadsError),
    /// The wallet.
    #[error("{0}")]
    Wallet(String),
    /// The relays.
    #[error("{0}")]
    Market(String),
    /// The model.
    #[error("{0}")]
    Model(String),
    /// The finding of payees.
    #[error("payees can't be looked up: {0}")]
    Payees(String),
    /// The control socket.
    #[error("the control socket can't be served: {0}")]
    Control(std::io::Error),
    /// The ledger had to stop while running. Nothing that was not durable was shown or sent.
    #[error("the ledger stopped: {0}")]
    Fatal(String),
}

/// What a host says of itself once it serves.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Ready {
    /// The home folder.
    pub home: PathBuf,
    /// Market identity, as hexadecimal text.
    pub pubkey: String,
    /// The wallet's node.
    pub node_id: String,
    /// Where it listens for peers.
    pub node_addresses: Vec<String>,
    /// `bitcoin`, `testnet`, `signet` or `regtest`.
    pub network: String,
}

/// Runs a host until `stop` is done or a face asks it to stop. `ready` is told once it serves.
///
/// # Errors
/// [`HostError`].
pub async fn run(
    options: Options,
    ready: impl FnOnce(Ready) + Send,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), HostError> {
    let home = Home::open(&options.home)?;
    let config = Config::read(&home.config_file())?;
    let secrets = Secrets::open_or_create(&home, &options.key)?;
    let identity = Identity::from_mnemonic(&secrets.words()).map_err(|_| SecretsError::NotWords)?;
    let (pubkey, npub) = (identity.public_key(), identity.npub());

    let (fatal_tell, mut fatal) = mpsc::unbounded_channel();
    let (ledger, start) =
        Ledger::open(&home.ledger_file(), MasterKey(secrets.body_key()), fatal_tell).await?;
    start.notes.iter().for_each(|note| tracing::warn!("{note}"));
    let opened_at = ledger.head().borrow().sequence;
    let session = Session::begin(&ledger, &home.logs_dir());
    begin(&ledger, &config, pubkey.to_vec()).await?;

    let outside = outside(&home, &config, identity, ledger).await?;
    let heads = Arc::new(Heads::new(outside.clone(), &secrets, opened_at).await?);
    // What others hold of this ledger is looked at while the wallet starts, and before anything is said to anybody.
    let comparing = tokio::spawn({
        let heads = heads.clone();
        async move { heads.compare().await }
    });
    tracing::info!(
        chain = config.chain.name(),
        "starting the wallet; it needs its source of blocks"
    );
    // A wallet waits for its lock and its blocks: whoever asks to stop is heard meanwhile.
    let mut stop = std::pin::pin!(stop);
    let keeper = tokio::select! {
        keeper = wallet::Keeper::start(&home, &config, &secrets, &outside) => {
            keeper.map_err(HostError::Wallet)?
        }
        () = &mut stop => {
            comparing.abort();
            if let Some(market) = &outside.market {
                market.close().await;
            }
            outside.ledger.stop().await;
            return Ok(());
        }
    };
    let (heartbeat_tell, heartbeat) = watch::channel(None);
    let asked = Arc::new(Notify::new());
    let service = Service {
        outside: outside.clone(),
        home: home.clone(),
        config: Arc::new(config.clone()),
        npub,
        warnings: Arc::new(start.notes),
        heartbeat,
        stop: asked.clone(),
        payees: payees::resolver(&config)?,
        plans: Arc::default(),
        heads: heads.clone(),
        desk: options.desk,
    };
    match comparing.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "what others hold of this ledger is not compared"),
        Err(error) => tracing::error!(%error, "what others hold of this ledger is not compared"),
    }

    let tasks = start_tasks(&outside, &config, heads, heartbeat_tell);
    let (end_control, control_ends) = tokio::sync::oneshot::channel::<()>();
    let listener = control::bind(&home.control_socket())
        .await
        .map_err(HostError::Control)?;
    let mut control = tokio::spawn(async move {
        let ended = async { drop(control_ends.await) };
        control::serve(listener, service, ended).await
    });

    let info = keeper.info();
    ready(Ready {
        home: home.path().to_owned(),
        pubkey: pubkey.to_string(),
        node_id: info.node_id,
        node_addresses: info.addresses,
        network: config.network.clone(),
    });
    let result = tokio::select! {
        () = &mut stop => Ok(()),
        () = asked.notified() => Ok(()),
        cause = fatal.recv() => Err(HostError::Fatal(cause.unwrap_or_default())),
        served = &mut control => match served {
            Ok(Err(error)) => Err(HostError::Control(error)),
            _ => Ok(()),
        },
    };
    shut_down(
        outside,
        keeper,
        tasks,
        end_control,
        session,
        &home.control_socket(),
    )
    .await;
    result
}

/// The ports of this home: wallet, relays where there are any, a model where there is one.
async fn outside(
    home: &Home,
    config: &Config,
    identity: Identity,
    ledger: Ledger,
) -> Result<Outside, HostError> {
    let client = WalletClient::new(&home.wallet_socket()).map_err(|e| HostError::Wallet(e.message))?;
    let market = match config.relays.is_empty() {
        true => None,
        false => {
            let relays = RelayConfig {
                // On regtest the whole world is local, and relays that others name are too.
                allow_private: config.network == "regtest",
                ..RelayConfig::new(config.relays.clone())
            };
            let connected = RelayMarket::connect(identity, relays).await;
            Some(Arc::new(connected.map_err(|e| HostError::Market(e.to_string()))?))
        }
    };
    let model = config.model.as_ref().map(|model| model::serving(home, model));
    let embedder = config
        .embedding
        .as_ref()
        .map(|model| model::embedder(home, model));
    let model = model.transpose().map_err(HostError::Model)?;
    let embedder = embedder.transpose().map_err(HostError::Model)?;
    Ok(Outside {
        ledger,
        market,
        relays: config.relays.clone().into(),
        wallet: client,
        model,
        embedder,
        tokens: broadcast::channel(TOKENS_HELD).0,
    })
}

/// Everything that runs beside the ledger until it stops.
fn start_tasks(
    outside: &Outside,
    config: &Config,
    heads: Arc<Heads>,
    heartbeat_tell: watch::Sender<Option<pulse::Beat>>,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(effects::run(outside.clone()));
    tasks.spawn(treasury::run(outside.clone(), outside.wallet.events()));
    tasks.spawn(pulse::tick(outside.clone()));
    tasks.spawn(recheck::run(outside.ledger.clone()));
    tasks.spawn(async move { heads.run().await });
    tasks.spawn(forget::retention(outside.ledger.clone()));
    tasks.spawn(pulse::observe(outside.clone(), config.peers()));
    if outside.market.is_some() {
        tasks.spawn(intake::run(outside.clone()));
        tasks.spawn(kept::run(outside.clone()));
        tasks.spawn(control::buy_mode::run(outside.clone(), config.relays.clone()));
        tasks.spawn(pulse::presence(outside.clone(), heartbeat_tell));
    }
    for model in outside.engines() {
        tasks.spawn(model::warm(outside.clone(), model));
    }
    tasks
}

/// First facts of a ledger, and of a run.
async fn begin(ledger: &Ledger, config: &Config, identity: Vec<u8>) -> Result<(), HostError> {
    let opened = pb::LedgerOpened {
        ledger_id: secrets::random::<16>()?.to_vec(),
        network: config.network.clone(),
        identity,
        program: concat!("autopilot ", env!("CARGO_PKG_VERSION")).to_owned(),
    };
    ledger
        .submit(Input::Person(Command::OpenLedger(opened)), None)
        .await?;
    ledger.submit(Input::Resumed, None).await?;
    let has_policy = ledger
        .look(|engine| engine.state().provider.policy.is_some())
        .await?;
    if config.provider.enabled && !has_policy {
        let mut policy = policy::default_policy(config.provider.price_msat);
        if config.embedding.is_some() {
            policy.kinds.push(EMBEDDING);
            policy
                .kinds
                .retain(|kind| *kind == EMBEDDING || config.model.is_some());
        }
        if config.provider.order == "pay-first" {
            policy.order = pb::PaymentOrder::PayFirst as i32;
        }
        ledger
            .submit(Input::Person(Command::SetPolicy(policy)), None)
            .await?;
    }
    Ok(())
}

/// Offline first, so that nothing keeps saying "online"; then faces, tasks, wallet, model, and the ledger last.
async fn shut_down(
    outside: Outside,
    keeper: wallet::Keeper,
    mut tasks: JoinSet<()>,
    end_control: tokio::sync::oneshot::Sender<()>,
    session: Session,
    socket: &std::path::Path,
) {
    let online = outside
        .ledger
        .look(|engine| engine.is_online())
        .await
        .unwrap_or(false);
    if online {
        let offline = Command::GoOffline {
            reason: "stopped".to_owned(),
        };
        if let Err(error) = outside.ledger.submit(Input::Person(offline), None).await {
            tracing::warn!(%error, "going offline was not recorded; the next start records it");
        }
        pulse::withdraw(&outside).await;
    }
    let _ = end_control.send(());
    tasks.shutdown().await;
    // The last figures, so that what the wallet shows at the end is what its last payments left.
    if let Err(error) = treasury::observe(&outside).await {
        tracing::debug!(%error, "the last figures are not recorded");
    }
    for model in outside.engines() {
        model.stop().await;
    }
    keeper.stop().await;
    if let Some(market) = &outside.market {
        market.close().await;
    }
    session.finish().await;
    outside.ledger.stop().await;
    let _ = std::fs::remove_file(socket);
}
