//! A host: composes the adapters around one ledger, serves until it is asked to stop, and stops in order.
mod error;
mod model;
mod payees;
mod stage;
mod wallet;

use std::{path::PathBuf, sync::Arc};

use autopilot_core::{Input, embedding::EMBEDDING, input::Command, policy, ports::market::Market};
use autopilot_events::pb;
use autopilot_lightning::WalletClient;
use autopilot_nostr::{Identity, RelayConfig, RelayMarket};
use autopilot_store_sqlite::MasterKey;
use tokio::{
    sync::{Notify, broadcast, mpsc, oneshot, watch},
    task::JoinSet,
};

pub use error::HostError;
pub(crate) use model::{model_file, warm};
pub use stage::{Ready, Stage};

use crate::{
    config::Config,
    control::{self, Service},
    desk::Desk,
    effects, fetching, forget,
    heads::{Heads, kept},
    home::Home,
    http::Served,
    intake,
    ledger::{Ledger, recheck},
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
    /// Told how far the host is.
    pub stage: watch::Sender<Stage>,
    /// The wallet's program; none: it is looked for beside this one.
    pub walletd: Option<PathBuf>,
}

impl Options {
    /// For a home folder, with nothing open.
    pub fn new(home: PathBuf, key: Key) -> Options {
        Options {
            home,
            key,
            desk: Desk::default(),
            stage: watch::Sender::default(),
            walletd: None,
        }
    }
}

/// Runs a host until `stop` is done or a face asks it to stop. The control socket answers before the wallet runs, and
/// the wallet is tried until it does; `ready` is told once everything serves.
///
/// # Errors
/// [`HostError`].
pub async fn run(
    options: Options,
    ready: impl FnOnce(Ready) + Send,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), HostError> {
    let stage = options.stage.clone();
    let ended = serve(options, ready, stop).await;
    stage.send_replace(Stage::Ended);
    ended
}

async fn serve(
    options: Options,
    ready: impl FnOnce(Ready) + Send,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), HostError> {
    let Options {
        home,
        key,
        desk,
        stage,
        walletd,
    } = options;
    let home = Home::open(&home)?;
    let config = Config::read(&home.config_file())?;
    let secrets = Secrets::open_or_create(&home, &key)?;
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
        desk,
        chart: Arc::default(),
        marks: Default::default(),
        settings: Arc::default(),
        connecting: Arc::default(),
        meters: Arc::default(),
        tailnet: Default::default(),
    };
    let listener = match control::bind(&home.control_socket()).await {
        Ok(listener) => listener,
        Err(error) => {
            close(&outside, session).await;
            return Err(HostError::Control(error));
        }
    };
    let http = match Served::start(service.clone(), secrets.control_key()).await {
        Ok(http) => http,
        Err(error) => {
            close(&outside, session).await;
            return Err(error.into());
        }
    };
    let (end_control, control_ends) = oneshot::channel::<()>();
    let mut control = tokio::spawn(async move {
        let ended = async { drop(control_ends.await) };
        control::serve(listener, service, ended).await
    });

    // What others hold of this ledger is looked at while the wallet starts, and before anything is said to anybody.
    let comparing = tokio::spawn(compare(heads.clone()));
    let abort_comparing = comparing.abort_handle();
    tracing::info!(
        chain = config.chain.name(),
        "starting the wallet; it needs its source of blocks"
    );
    let mut keeper = wallet::Keeper::start(&home, &config, &secrets, &outside, walletd, comparing);
    let mut tasks = start_tasks(&outside, &home, &config, heartbeat_tell);
    stage.send_replace(Stage::Starting);
    let mut end = std::pin::pin!(async {
        tokio::select! {
            () = stop => Ok(()),
            () = asked.notified() => Ok(()),
            cause = fatal.recv() => Err(HostError::Fatal(cause.unwrap_or_default())),
            served = &mut control => match served {
                Ok(Err(error)) => Err(HostError::Control(error)),
                _ => Ok(()),
            },
        }
    });
    let result = tokio::select! {
        result = &mut end => result,
        info = keeper.served() => {
            start_acting(&outside, heads, &mut tasks);
            let told = Ready {
                home: home.path().to_owned(),
                pubkey: pubkey.to_string(),
                node_id: info.node_id,
                node_addresses: info.addresses,
                network: config.network.clone(),
            };
            stage.send_replace(Stage::Serving(told.clone()));
            ready(told);
            end.await
        }
    };
    stage.send_replace(Stage::Stopping);
    abort_comparing.abort();
    shut_down(
        outside,
        keeper,
        tasks,
        end_control,
        session,
        &home.control_socket(),
        http,
    )
    .await;
    result
}

async fn compare(heads: Arc<Heads>) {
    if let Err(error) = heads.compare().await {
        tracing::warn!(%error, "what others hold of this ledger is not compared");
    }
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
        wallet: client,
        model,
        embedder,
        fetching: Default::default(),
        tokens: broadcast::channel(TOKENS_HELD).0,
        waiting: watch::Sender::default(),
    })
}

/// What observes and judges beside the ledger until it stops: also while the wallet still starts.
fn start_tasks(
    outside: &Outside,
    home: &Home,
    config: &Config,
    heartbeat_tell: watch::Sender<Option<pulse::Beat>>,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(pulse::tick(outside.clone()));
    tasks.spawn(recheck::run(outside.ledger.clone()));
    tasks.spawn(forget::retention(outside.ledger.clone()));
    tasks.spawn(pulse::observe(outside.clone(), config.peers()));
    if outside.market.is_some() {
        tasks.spawn(intake::run(outside.clone()));
        tasks.spawn(pulse::presence(outside.clone(), heartbeat_tell));
    }
    for model in outside.engines() {
        tasks.spawn(model::warm(outside.clone(), model));
    }
    if let Some(model) = config
        .model
        .clone()
        .filter(|model| model.missing(home.path()).is_some())
    {
        tasks.spawn(fetching::supply(outside.clone(), home.clone(), model));
    }
    tasks
}

/// What acts on the outside world: from the moment that the wallet agrees with the ledger.
fn start_acting(outside: &Outside, heads: Arc<Heads>, tasks: &mut JoinSet<()>) {
    tasks.spawn(effects::run(outside.clone()));
    tasks.spawn(treasury::run(outside.clone(), outside.wallet.events()));
    tasks.spawn(async move { heads.run().await });
    if outside.market.is_some() {
        tasks.spawn(kept::run(outside.clone()));
        tasks.spawn(control::buy_mode::run(outside.clone()));
    }
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
    end_control: oneshot::Sender<()>,
    session: Session,
    socket: &std::path::Path,
    http: Served,
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
    http.stop().await;
    outside.fetching.stop();
    tasks.shutdown().await;
    // The last figures, so that what the wallet shows at the end is what its last payments left.
    if let Err(error) = treasury::observe(&outside).await {
        tracing::debug!(%error, "the last figures are not recorded");
    }
    for model in outside.engines() {
        model.stop().await;
    }
    keeper.stop().await;
    close(&outside, session).await;
    let _ = std::fs::remove_file(socket);
}

/// Relays, the copy of the facts, and the ledger last.
async fn close(outside: &Outside, session: Session) {
    if let Some(market) = &outside.market {
        market.close().await;
    }
    session.finish().await;
    outside.ledger.stop().await;
}
