//! Real wallet processes on a simulated chain. Everything ends with the values: processes by their leash.
#![allow(clippy::unwrap_used, clippy::expect_used, dead_code)]

use std::{
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant},
};

use autopilot_core::ports::wallet::{
    NodeId, OpenChannel, PayRequest, Payment, PaymentStatus, Wallet, WalletEvent, WalletEventKind,
};
use autopilot_events::words::{Msat, PaymentHash};
use autopilot_lightning::{ChainSource, Seed, WalletClient, WalletProcess, WalletdConfig, find_walletd};
use autopilot_simchain::SimChain;
use tempfile::TempDir;
use tokio::sync::mpsc;

pub const CAPACITY_SAT: u64 = 100_000;
pub const PUSH: Msat = Msat(1_000_000);
const PATIENCE: Duration = Duration::from_secs(60);

pub fn walletd() -> PathBuf {
    find_walletd().unwrap_or_else(|| {
        panic!(
            "autopilot-walletd is not built: run `cargo build --manifest-path adapters/lightning/walletd/Cargo.toml`, \
             or name it in AUTOPILOT_WALLETD"
        )
    })
}

pub fn msat(sat: u64) -> Msat {
    Msat(sat * 1_000)
}

/// What a look gives while the thing looked for is not there: nothing, or what there is instead.
pub trait Look<T> {
    fn found(self) -> Result<T, String>;
}

impl<T> Look<T> for Option<T> {
    fn found(self) -> Result<T, String> {
        self.ok_or_else(String::new)
    }
}

impl<T> Look<T> for Result<T, String> {
    fn found(self) -> Result<T, String> {
        self
    }
}

/// Looks again until `look` gives something; panics with `what` after a minute.
pub async fn until<T, L: Look<T>>(what: &str, mut look: impl AsyncFnMut() -> L) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let instead = match look().await.found() {
            Ok(found) => return found,
            Err(instead) => instead,
        };
        assert!(Instant::now() < deadline, "waited in vain for: {what} {instead}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

pub struct Actor {
    pub config: WalletdConfig,
    pub process: Option<WalletProcess>,
    pub client: WalletClient,
    pub events: mpsc::Receiver<WalletEvent>,
    home: TempDir,
}

impl Actor {
    pub async fn start(chain: &SimChain, shape: impl FnOnce(&mut WalletdConfig)) -> Self {
        let home = tempfile::tempdir().unwrap();
        let source = ChainSource::BitcoindRpc {
            host: chain.host.clone(),
            port: chain.port,
            user: chain.user.clone(),
            password: chain.password.clone(),
        };
        let mut seed = [0; 64];
        rand::fill(&mut seed[..]);
        let socket = home.path().join("run/wallet.sock");
        let mut config =
            WalletdConfig::new(Seed(seed), home.path().join("wallet"), socket, "regtest", source);
        shape(&mut config);
        let process = WalletProcess::spawn(&config, &walletd()).await.unwrap();
        let client = WalletClient::new(&config.socket).unwrap();
        let events = client.events();
        Self {
            config,
            process: Some(process),
            client,
            events,
            home,
        }
    }

    pub async fn node_id(&self) -> NodeId {
        self.client.info().await.unwrap().node_id
    }

    pub async fn kill(&mut self) {
        self.process.take().unwrap().kill().await;
    }

    pub async fn stop(&mut self) {
        let exit = self.process.take().unwrap().stop().await;
        assert!(exit.clean, "{exit:?}");
    }

    pub async fn restart(&mut self) {
        self.process = Some(WalletProcess::spawn(&self.config, &walletd()).await.unwrap());
    }

    /// The next event that `wanted` picks; every event on the way is acknowledged, once it has been looked at.
    pub async fn event<T>(&mut self, what: &str, mut wanted: impl FnMut(&WalletEventKind) -> Option<T>) -> T {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let event = tokio::time::timeout_at(deadline, self.events.recv()).await;
            let event = event
                .unwrap_or_else(|_| panic!("waited in vain for the event: {what}"))
                .unwrap();
            let found = wanted(&event.kind);
            // A repetition that was under way when we acknowledged is no longer current.
            let was_current = self.client.ack_event(event.id).await.unwrap();
            if let Some(found) = found.filter(|_| was_current) {
                return found;
            }
        }
    }

    pub async fn received(&mut self, hash: PaymentHash) -> Msat {
        self.event("payment received", |kind| match kind {
            WalletEventKind::PaymentReceived {
                payment_hash, amount, ..
            } if *payment_hash == hash => Some(*amount),
            _ => None,
        })
        .await
    }

    /// Pays and waits for the outcome in the wallet's own list.
    pub async fn pay(&self, bolt11: &str) -> Payment {
        let request = PayRequest {
            bolt11: bolt11.to_owned(),
            amount: None,
            fee_ceiling: msat(10),
            payee: None,
            retry_failed: false,
        };
        let first = self.client.pay(request).await.unwrap();
        let hash = first.payment_hash.unwrap();
        until("the outcome of a payment", async || {
            let payment = self.client.payment(hash).await.unwrap();
            matches!(payment.status, PaymentStatus::Succeeded | PaymentStatus::Failed).then_some(payment)
        })
        .await
    }
}

pub struct World {
    pub chain: SimChain,
    pub hub: Actor,
    pub provider: Actor,
}

impl World {
    /// A funded hub, and a new provider with a zero-conf channel of 100,000 sat from it, usable, nothing acknowledged
    /// beyond the provider's channel events. Gives the opening balance that the provider was told of.
    pub async fn start() -> (Self, Msat) {
        let chain = SimChain::start(SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .unwrap();
        let hub = start_hub(&chain).await;
        let hub_id = hub.process.as_ref().unwrap().node_id.clone();
        let mut provider = Actor::start(&chain, |config| config.trusted_peers_0conf = vec![hub_id]).await;
        open(&hub, &provider, CAPACITY_SAT, PUSH).await;
        let opening = provider
            .event("channel ready", |kind| match kind {
                WalletEventKind::ChannelReady {
                    opening_balance,
                    capacity_sat,
                    outbound,
                    ..
                } => {
                    assert_eq!((*capacity_sat, *outbound), (CAPACITY_SAT, false));
                    Some(*opening_balance)
                }
                _ => None,
            })
            .await;
        usable(&provider).await;
        usable(&hub).await;
        (Self { chain, hub, provider }, opening)
    }

    /// Blocks that both wallets have followed.
    pub async fn mine(&self, count: u32) {
        self.chain.mine(count).unwrap();
        for actor in [&self.hub, &self.provider] {
            if actor.process.is_some() {
                actor.client.sync().await.unwrap();
            }
        }
    }

    pub async fn stop(mut self) {
        self.provider.stop().await;
        self.hub.stop().await;
    }
}

pub async fn start_hub(chain: &SimChain) -> Actor {
    let hub = Actor::start(chain, |config| {
        config.listen = vec!["127.0.0.1:0".into()];
        config.alias = Some("hub".into());
        config.forwarding = true;
    })
    .await;
    let address = hub.client.new_onchain_address().await.unwrap();
    chain.fund(&address, 10_000_000).unwrap();
    chain.mine(6).unwrap();
    hub.client.sync().await.unwrap();
    let balances = hub.client.balances().await.unwrap();
    assert_eq!(
        (balances.onchain_spendable_sat, balances.onchain_confirmed_sat),
        (10_000_000, 10_000_000)
    );
    hub
}

/// A channel from the hub, over a connection that the other side makes.
pub async fn open(hub: &Actor, to: &Actor, capacity_sat: u64, push: Msat) {
    let hub_info = hub.client.info().await.unwrap();
    to.client
        .connect_peer(hub_info.node_id, &hub_info.listening[0], true)
        .await
        .unwrap();
    let request = OpenChannel {
        node_id: to.node_id().await,
        address: String::new(),
        capacity_sat,
        push,
        announce: false,
        only_if_none: true,
        forwarding_fee_base: Some(Msat::ZERO),
    };
    assert!(hub.client.open_channel(request.clone()).await.unwrap());
    assert!(
        !hub.client.open_channel(request).await.unwrap(),
        "a second open finds the first"
    );
}

pub async fn usable(actor: &Actor) {
    until("a usable channel", async || {
        let balances = actor.client.balances().await.unwrap();
        let usable = balances.channels.iter().any(|channel| channel.usable);
        usable.then_some(()).ok_or(format!("{balances:?}"))
    })
    .await;
}
