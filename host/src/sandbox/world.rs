//! Builds the world step by step, and takes it down in the other order.
use std::{
    fs::{File, OpenOptions, TryLockError},
    path::Path,
    time::Duration,
};

use autopilot_nostr::relay::EmbeddedRelay;
use autopilot_proto::control::v1 as pb;
use tokio::time::Instant;

use super::{
    BUYER_CHANNEL_SAT, BUYER_PUSH_MSAT, Options, PROVIDER_CHANNEL_SAT, PROVIDER_PUSH_MSAT, SandboxError,
    chain::Chain, child::Child,
};
use crate::config::{Config, Model, Provider, Wallet};

/// How long a channel may take to be usable.
const CHANNEL_LIMIT: Duration = Duration::from_secs(120);
/// Wallets tell no event for every figure that is waited for here: asked this often, within a limit.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// A running world.
pub struct World {
    /// Its options.
    pub options: Options,
    /// Relay addresses.
    pub relays: Vec<String>,
    /// The hub: a wallet that opens channels and forwards.
    pub hub: Child,
    /// The provider.
    pub provider: Child,
    /// The buyer.
    pub buyer: Child,
    chain: Chain,
    running: Vec<EmbeddedRelay>,
    /// Held for as long as the world lives: one chain file has one writer.
    _lock: File,
}

/// Takes a world's folder for this process; the kernel gives it back, however that ends.
fn hold(folder: &Path) -> Result<File, SandboxError> {
    let path = folder.join("world.lock");
    let at = |e: std::io::Error| SandboxError::Options(format!("{}: {e}", path.display()));
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(at)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SandboxError::Options(format!(
            "a sandbox runs in {} already: stop it first, or name another folder with --home",
            folder.display()
        ))),
        Err(TryLockError::Error(e)) => Err(at(e)),
    }
}

async fn start_provider(options: &Options, path: &Path, config: &Config) -> Result<Child, SandboxError> {
    let role = "provider";
    match &options.window {
        Some(window) => Child::open(window, role, path, config).await,
        None => Child::start(&options.program, role, path, config, &[]).await,
    }
}

/// A world that is continued has its policy in the ledger: price and order are set anew where they differ.
async fn agree_on_terms(provider: &Child, options: &Options) -> Result<(), SandboxError> {
    let mut client = provider.client()?;
    let reply = client
        .get_policy(pb::GetPolicyRequest::default())
        .await
        .map_err(call("the policy"))?;
    let Some(mut policy) = reply.into_inner().policy else {
        return Ok(());
    };
    if policy.min_price_msat == options.price_msat && policy.order == options.order {
        return Ok(());
    }
    policy.min_price_msat = options.price_msat;
    policy.order.clone_from(&options.order);
    let request = pb::SetPolicyRequest { policy: Some(policy) };
    client.set_policy(request).await.map_err(call("the policy"))?;
    Ok(())
}

fn call(what: &'static str) -> impl Fn(tonic::Status) -> SandboxError {
    move |status| SandboxError::Call {
        what,
        cause: status.message().to_owned(),
    }
}

impl World {
    /// Builds it, telling each step.
    ///
    /// # Errors
    /// [`SandboxError`]; then no process is left.
    pub async fn start(options: Options, mut tell: impl FnMut(&str) + Send) -> Result<World, SandboxError> {
        let fewest = u32::from(options.outside_relays.is_empty());
        if !(fewest..=8).contains(&options.relay_count) {
            return Err(SandboxError::Options(
                "between 1 and 8 relays can be run".to_owned(),
            ));
        }
        let home = crate::home::Home::open(&options.home)?;
        let lock = hold(home.path())?;
        Chain::fits(options.chain, home.path())?;
        tell("chain");
        let chain = Chain::start(options.chain, home.path()).await?;
        tell("relays");
        let mut running = Vec::new();
        for _ in 0..options.relay_count {
            let relay = EmbeddedRelay::start_on_loopback().await;
            running.push(relay.map_err(|e| SandboxError::Relay(e.to_string()))?);
        }
        let relays: Vec<String> = running
            .iter()
            .map(EmbeddedRelay::url)
            .chain(options.outside_relays.iter().cloned())
            .collect();

        tell("hub wallet");
        let base = Config {
            chain: chain.config(),
            wallet: Wallet {
                listen: vec!["127.0.0.1:0".to_owned()],
                ..Wallet::default()
            },
            ..Config::bare("regtest")
        };
        let hub_wallet = Wallet {
            alias: "hub".to_owned(),
            forwarding: true,
            ..base.wallet.clone()
        };
        let hub_config = Config {
            wallet: hub_wallet,
            ..base.clone()
        };
        let hub = Child::start(
            &options.program,
            "hub",
            &options.home.join("hub"),
            &hub_config,
            &[],
        )
        .await?;
        fund(&chain, &hub).await?;

        tell("provider and buyer wallets");
        let hub_address = hub.node_addresses.first().cloned().unwrap_or_default();
        let trusting = Wallet {
            trusted_peers_0conf: vec![hub.node_id.clone()],
            peers: vec![format!("{}@{hub_address}", hub.node_id)],
            ..base.wallet.clone()
        };
        let model = Some(options.model.clone());
        let serving = Provider {
            enabled: true,
            price_msat: options.price_msat,
            order: options.order.clone(),
        };
        let provider_config = Config {
            relays: relays.iter().chain(&options.extra_relays).cloned().collect(),
            wallet: trusting.clone(),
            model: model.clone(),
            embedding: options.embedding.clone().map(Model::file),
            provider: serving.clone(),
            ..base.clone()
        };
        let mut buyer_config = Config {
            relays: relays.clone(),
            wallet: trusting,
            ..base
        };
        if options.buyer_serves {
            (buyer_config.model, buyer_config.provider) = (model, serving);
        }
        let (provider_home, buyer_home) = (options.home.join("provider"), options.home.join("buyer"));
        let provider = start_provider(&options, &provider_home, &provider_config);
        let buyer = Child::start(&options.program, "buyer", &buyer_home, &buyer_config, &[]);
        let (provider, buyer) = tokio::try_join!(provider, buyer)?;
        agree_on_terms(&provider, &options).await?;

        tell("zero-conf channels from the hub");
        open_channel(&hub, &provider, PROVIDER_CHANNEL_SAT, PROVIDER_PUSH_MSAT).await?;
        // One after the other: two funding transactions at once would contend for the hub's one coin.
        open_channel(&hub, &buyer, BUYER_CHANNEL_SAT, BUYER_PUSH_MSAT).await?;
        chain.mine(6)?;
        Ok(World {
            options,
            relays,
            hub,
            provider,
            buyer,
            chain,
            running,
            _lock: lock,
        })
    }

    /// Sends the provider online, waiting until it can earn.
    ///
    /// # Errors
    /// [`SandboxError::Call`], with what stands in the way.
    pub async fn go_online(&self) -> Result<pb::StatusReply, SandboxError> {
        let reply = self
            .provider
            .client()?
            .go_online(pb::GoOnlineRequest { wait_s: 120 })
            .await;
        Ok(reply.map_err(call("going online"))?.into_inner())
    }

    /// Has the hub open a channel to the provider, where there is none.
    ///
    /// # Errors
    /// [`SandboxError`].
    pub async fn open_provider_channel(&self) -> Result<(), SandboxError> {
        open_channel(
            &self.hub,
            &self.provider,
            PROVIDER_CHANNEL_SAT,
            PROVIDER_PUSH_MSAT,
        )
        .await
    }

    /// Has the hub open a channel to the buyer, where there is none.
    ///
    /// # Errors
    /// [`SandboxError`].
    pub async fn open_buyer_channel(&self) -> Result<(), SandboxError> {
        open_channel(&self.hub, &self.buyer, BUYER_CHANNEL_SAT, BUYER_PUSH_MSAT).await
    }

    /// Done when a host ended by itself, with its role.
    pub async fn somebody_ended(&mut self) -> &'static str {
        tokio::select! {
            _ = self.hub.ended() => "hub",
            _ = self.provider.ended() => "provider",
            _ = self.buyer.ended() => "buyer",
        }
    }

    /// Shuts every relay of this world, as if the network were gone.
    pub async fn stop_relays(&mut self) {
        for relay in self.running.drain(..) {
            relay.shutdown().await;
        }
    }

    /// Mines blocks. Returns the new height.
    ///
    /// # Errors
    /// [`SandboxError::Chain`].
    pub fn mine(&self, count: u32) -> Result<u64, SandboxError> {
        self.chain.mine(count)
    }

    /// The chain as a wallet's chain source.
    pub fn chain_config(&self) -> crate::config::Chain {
        self.chain.config()
    }

    /// What a program needs to take part, as one JSON object.
    pub fn describe(&self) -> serde_json::Value {
        let host = |child: &Child| {
            serde_json::json!({
                "pubkey": child.pubkey,
                "home": child.home.path(),
                "node_id": child.node_id,
                "node_addresses": child.node_addresses,
                "pid": child.pid(),
            })
        };
        serde_json::json!({
            "relays": self.relays,
            "provider": host(&self.provider),
            "buyer": host(&self.buyer),
            "hub": host(&self.hub),
            "price_msat": self.options.price_msat,
            "kinds": self.kinds(),
            "order": self.options.order,
            "network": "regtest",
            "chain": self.options.chain.name(),
            "chain_rpc": self.chain.config(),
            "home": self.options.home,
            "note": "regtest: these sats have no value",
        })
    }

    /// Kinds that the provider serves.
    fn kinds(&self) -> Vec<u32> {
        let embedding = self
            .options
            .embedding
            .as_ref()
            .map(|_| autopilot_core::embedding::EMBEDDING);
        std::iter::once(autopilot_core::policy::TEXT_GENERATION)
            .chain(embedding)
            .collect()
    }

    /// Takes the world down: no process is left.
    pub async fn stop(self) {
        let World {
            mut hub,
            mut provider,
            mut buyer,
            running,
            chain,
            ..
        } = self;
        // The hub last: the others close nothing, but say good-bye to it.
        tokio::join!(provider.stop_in_order(), buyer.stop_in_order());
        hub.stop_in_order().await;
        for relay in running {
            relay.shutdown().await;
        }
        drop(chain);
    }
}

async fn fund(chain: &Chain, hub: &Child) -> Result<(), SandboxError> {
    let mut client = hub.client()?;
    if balance(&mut client).await?.onchain_sat > 0 {
        return Ok(());
    }
    let address = client
        .new_address(pb::NewAddressRequest {})
        .await
        .map_err(call("an address of the hub"))?;
    chain.fund(&address.into_inner().address)?;
    wait_for("the hub's money", &mut client, |balance| balance.onchain_sat > 0).await
}

async fn open_channel(
    hub: &Child,
    peer: &Child,
    capacity_sat: u64,
    push_msat: u64,
) -> Result<(), SandboxError> {
    let mut client = peer.client()?;
    let address = peer.node_addresses.first().cloned().unwrap_or_default();
    let request = pb::OpenChannelRequest {
        node_id: peer.node_id.clone(),
        address,
        capacity_sat,
        push_msat,
        dry_run: false,
    };
    hub.client()?
        .open_channel(request)
        .await
        .map_err(call("a channel from the hub"))?;
    wait_for("a usable channel", &mut client, |balance| {
        balance.channels.iter().any(|c| c.usable)
    })
    .await
}

async fn balance(client: &mut crate::control::Client) -> Result<pb::BalanceReply, SandboxError> {
    Ok(client
        .balance(pb::BalanceRequest {})
        .await
        .map_err(call("the balance"))?
        .into_inner())
}

async fn wait_for(
    what: &'static str,
    client: &mut crate::control::Client,
    holds: impl Fn(&pb::BalanceReply) -> bool,
) -> Result<(), SandboxError> {
    let deadline = Instant::now() + CHANNEL_LIMIT;
    loop {
        if holds(&balance(client).await?) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(SandboxError::TimedOut(what, CHANNEL_LIMIT.as_secs()));
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}
