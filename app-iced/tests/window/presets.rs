//! Presets: each is a home folder with a ledger, and the ports that a host finds when it opens it.
use std::{path::PathBuf, time::Duration};

use autopilot_events::Draft;
use autopilot_host::{
    config::{Chain, Config, Model, Provider},
    home::Home,
    run::{self, HostError, Options, Stage},
    secrets::Key,
};
use autopilot_replay_tests::{
    Pen,
    stories::{End, Reply, Story, drafts},
};
use autopilot_store_sqlite::{Commit, Store};
use tokio::{runtime::Runtime, sync::oneshot, task::JoinHandle, time::timeout};

use crate::wallet::{self, Scripted};

/// Bound of one change of state; generous, since machines are shared.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What has happened to a home folder before the window is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// Nothing: a ledger with its first facts.
    Fresh,
    /// Jobs taken, refused, failed, paid and not paid; purchases, payments, channels.
    Earner,
    /// A host was killed while a job was being worked on.
    MidJob,
}

/// Price of the jobs in presets, in msat.
pub const PRICE_MSAT: u64 = 10_000;

impl Preset {
    /// Its facts after the first ones, story by story.
    fn facts(self) -> Vec<Draft> {
        let paid = |n| drafts(&Story::Job(PRICE_MSAT, End::Paid), n);
        match self {
            Preset::Fresh => Vec::new(),
            Preset::Earner => [
                (0..12).flat_map(paid).collect(),
                drafts(&Story::Job(PRICE_MSAT, End::Expired), 20),
                drafts(&Story::Refused(3), 21),
                drafts(&Story::Failed(2), 22),
                drafts(&Story::Purchase(PRICE_MSAT, true), 23),
                drafts(&Story::Withdrawal(2 * PRICE_MSAT, true), 24),
                drafts(&Story::Deposit(PRICE_MSAT), 25),
                drafts(&Story::Channel(100_000_000, 1_000_000, false), 26),
                drafts(&Story::Chat(Reply::Answered), 27),
                drafts(&Story::Chat(Reply::Failed), 28),
            ]
            .concat(),
            // Received, accepted, started; then the power went.
            Preset::MidJob => paid(0).into_iter().take(3).collect(),
        }
    }
}

/// A host, and what ends it.
type Running = (oneshot::Sender<()>, JoinHandle<Result<(), HostError>>);

/// A home folder and the host that runs on it, if one does.
pub struct House {
    pub home: Home,
    pub runtime: Runtime,
    pub wallet: Scripted,
    walletd: PathBuf,
    host: Option<Running>,
    _folder: tempfile::TempDir,
}

impl House {
    /// A house of this preset, with its host.
    pub fn of(preset: Preset) -> House {
        House::with(preset, |_| {})
    }

    /// The same after a change to the configuration: that is where ports are named.
    pub fn with(preset: Preset, change: impl FnOnce(&mut Config)) -> House {
        let folder = tempfile::Builder::new().prefix("ap").tempdir_in("/tmp").unwrap();
        let home = Home::open(&folder.path().join("h")).unwrap();
        let mut config = Config {
            // Nobody answers there: a provider needs one all the same.
            relays: vec!["ws://127.0.0.1:9".into()],
            chain: Chain::Esplora {
                url: "http://127.0.0.1:1".into(),
            },
            model: Some(Model::file(folder.path().join("no-model.gguf"))),
            provider: Provider {
                enabled: true,
                ..Provider::default()
            },
            ..Config::bare("regtest")
        };
        change(&mut config);
        config.write(&home.config_file()).unwrap();
        let runtime = Runtime::new().unwrap();
        let wallet = {
            let _inside = runtime.enter();
            Scripted::answer(&home.wallet_socket())
        };
        let mut house = House {
            walletd: wallet::program(folder.path()),
            home,
            runtime,
            wallet,
            host: None,
            _folder: folder,
        };
        house.start();
        let facts = preset.facts();
        if !facts.is_empty() {
            house.stop();
            house.write(facts);
            house.start();
        }
        house
    }

    /// Starts the host; done when everything runs.
    pub fn start(&mut self) {
        let options = Options {
            walletd: Some(self.walletd.clone()),
            ..Options::new(self.home.path().to_owned(), Key::Own)
        };
        let mut stage = options.stage.subscribe();
        let (stop, stopped) = oneshot::channel::<()>();
        let running = self
            .runtime
            .spawn(run::run(options, |_| {}, async { drop(stopped.await) }));
        self.host = Some((stop, running));
        let serving = stage.wait_for(|stage| matches!(stage, Stage::Serving(_) | Stage::Ended));
        let served = self
            .runtime
            .block_on(async { timeout(PATIENCE, serving).await.map(|stage| stage.is_ok()) });
        assert_eq!(served, Ok(true), "the host serves");
    }

    /// Stops it in order.
    pub fn stop(&mut self) {
        if let Some((stop, running)) = self.host.take() {
            drop(stop);
            self.runtime
                .block_on(async { timeout(PATIENCE, running).await })
                .unwrap()
                .unwrap()
                .unwrap();
        }
    }

    /// Writes facts behind those that are there, as a host that ran longer would have.
    fn write(&self, facts: Vec<Draft>) {
        self.runtime.block_on(async {
            let (mut store, _) = Store::open(&self.home.ledger_file(), &mut |_| {}).await.unwrap();
            let before = store.reader().facts(0, u32::MAX).await.unwrap();
            let at_ms = before.last().unwrap().fact.recorded_at_ms;
            let mut pen = Pen::behind(&before);
            let facts: Vec<_> = facts.into_iter().map(|draft| pen.write(draft, at_ms)).collect();
            let commit = Commit {
                facts: &facts,
                ..Commit::default()
            };
            store.append(commit).await.unwrap();
            store.close().await;
        });
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.stop();
        }
    }
}
