//! Building and starting the engine: patient with the chain source, exact about ports.
use std::{
    fs,
    net::{TcpListener, TcpStream, ToSocketAddrs},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use ldk_node::{
    BuildError, Builder, Node, NodeError, config::Config as NodeConfig, lightning::ln::msgs::SocketAddress,
    liquidity::LSPS2ServiceConfig,
};

use crate::{
    config::{ChainSource, Config},
    log,
    store::Store,
};

/// How often a start is tried again while the chain source does not answer.
const RETRY: Duration = Duration::from_millis(500);
/// How often another free port is tried.
const PORT_TRIES: u32 = 5;

/// Why the engine did not start: a code for programs and a sentence for people.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct StartError {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

pub(crate) fn start_error(code: &'static str, message: impl Into<String>) -> StartError {
    StartError {
        code,
        message: message.into(),
    }
}

/// Builds and starts. Blocks; needs a multi-threaded runtime around it, which ldk-node demands.
pub(crate) fn start(config: &Config) -> Result<Node, StartError> {
    let deadline = Instant::now() + Duration::from_secs(config.start_timeout_s);
    wait_for_chain_source(&config.chain, deadline)?;
    let mut tries = 0;
    loop {
        let addresses = listening_addresses(config, tries > 0)?;
        let node = build(config, &addresses)?;
        match start_until(&node, deadline) {
            Ok(()) => return Ok(node),
            Err(NodeError::InvalidSocketAddress) if tries < PORT_TRIES && wants_free_port(config) => {
                tries += 1
            }
            Err(NodeError::InvalidSocketAddress) => {
                return Err(start_error(
                    "address-in-use",
                    format!("cannot listen on {}", config.listen.join(", ")),
                ));
            }
            Err(error) if is_chain_trouble(error) => {
                let source = config.chain.name();
                return Err(start_error(
                    "chain-unreachable",
                    format!("the chain source ({source}) gave no fee estimates: {error}"),
                ));
            }
            Err(error) => return Err(start_error("engine", error.to_string())),
        }
    }
}

fn is_chain_trouble(error: NodeError) -> bool {
    matches!(
        error,
        NodeError::FeerateEstimationUpdateFailed
            | NodeError::FeerateEstimationUpdateTimeout
            | NodeError::ConnectionFailed
            | NodeError::TxSyncFailed
            | NodeError::TxSyncTimeout
    )
}

fn start_until(node: &Node, deadline: Instant) -> Result<(), NodeError> {
    loop {
        match node.start() {
            Err(error) if is_chain_trouble(error) && Instant::now() < deadline => {
                tracing::warn!(%error, "the chain source did not answer; trying again");
                std::thread::sleep(RETRY);
            }
            result => return result,
        }
    }
}

/// A new wallet takes its birthday from the chain source when it is built: built without one, it would start at
/// genesis. So the source must at least accept a connection first.
fn wait_for_chain_source(chain: &ChainSource, deadline: Instant) -> Result<(), StartError> {
    let ChainSource::BitcoindRpc { host, port, .. } = chain else {
        return Ok(());
    };
    let unreachable = || {
        start_error(
            "chain-unreachable",
            format!("nothing answers at bitcoind's {host}:{port}"),
        )
    };
    loop {
        let address = (host.as_str(), *port)
            .to_socket_addrs()
            .ok()
            .and_then(|mut found| found.next());
        if address.is_some_and(|address| TcpStream::connect_timeout(&address, Duration::from_secs(2)).is_ok())
        {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(unreachable());
        }
        std::thread::sleep(RETRY);
    }
}

fn wants_free_port(config: &Config) -> bool {
    config.listen.iter().any(|address| address.ends_with(":0"))
}

/// Resolves port 0 to a free port, the same one as last time where that is still free.
fn listening_addresses(config: &Config, fresh: bool) -> Result<Vec<SocketAddress>, StartError> {
    let bad = |text: &str| start_error("invalid-config", format!("{text} is no address to listen on"));
    let mut addresses = Vec::new();
    for (index, text) in config.listen.iter().enumerate() {
        let mut text = text.clone();
        if let Some(host) = text.strip_suffix(":0") {
            let memory = config.wallet_dir.join(format!("listen-port-{index}"));
            let remembered = fs::read_to_string(&memory)
                .ok()
                .and_then(|port| port.trim().parse::<u16>().ok());
            let free = |port: u16| {
                TcpListener::bind((host, port))
                    .and_then(|listener| listener.local_addr())
                    .map(|bound| bound.port())
            };
            let port = match remembered.filter(|_| !fresh).map(free) {
                Some(Ok(port)) => port,
                _ => free(0).map_err(|error| start_error("address-in-use", format!("{host}: {error}")))?,
            };
            remember(&memory, port)?;
            text = format!("{host}:{port}");
        }
        addresses.push(text.parse().map_err(|_| bad(&text))?);
    }
    Ok(addresses)
}

fn remember(memory: &Path, port: u16) -> Result<(), StartError> {
    fs::write(memory, port.to_string()).map_err(|error| start_error("wallet-dir", error.to_string()))
}

fn build(config: &Config, addresses: &[SocketAddress]) -> Result<Node, StartError> {
    // Anchor channels stay allowed and no peer is exempt from the reserve: a peer that is "trusted without reserve" can
    // keep our force-close off the chain for as long as it is offline.
    let mut builder = Builder::from_config(NodeConfig {
        storage_dir_path: config.wallet_dir.join("ldk").display().to_string(),
        network: config.network,
        trusted_peers_0conf: config.trusted_peers_0conf.clone(),
        ..NodeConfig::default()
    });
    builder.set_entropy_seed_bytes(config.seed_hex.0);
    builder.set_custom_logger(log::engine());
    let invalid = |error: BuildError| start_error("invalid-config", error.to_string());
    if !addresses.is_empty() {
        builder
            .set_listening_addresses(addresses.to_vec())
            .map_err(invalid)?;
    }
    if let Some(alias) = &config.alias {
        builder.set_node_alias(alias.clone()).map_err(invalid)?;
    }
    match &config.chain {
        ChainSource::BitcoindRpc {
            host,
            port,
            user,
            password,
        } => {
            builder.set_chain_source_bitcoind_rpc(host.clone(), *port, user.clone(), password.clone());
        }
        ChainSource::Esplora { url } => {
            builder.set_chain_source_esplora(url.clone(), None);
        }
        ChainSource::Electrum { url } => {
            builder.set_chain_source_electrum(url.clone(), None);
        }
    }
    if config.forwarding {
        // ldk-node forwards to unannounced channels only when it is a liquidity service. Nobody is offered channels
        // by it: the smallest payment that would open one is above every payment it may carry.
        builder.set_liquidity_provider_lsps2(LSPS2ServiceConfig {
            require_token: None,
            advertise_service: false,
            channel_opening_fee_ppm: 0,
            channel_over_provisioning_ppm: 0,
            min_channel_opening_fee_msat: u64::from(u32::MAX),
            min_channel_lifetime: 1_008,
            max_client_to_self_delay: 144,
            min_payment_size_msat: 100_000_000_000,
            max_payment_size_msat: 100_000_000_001,
            client_trusts_lsp: false,
        });
    }
    let folder = config.wallet_dir.join("ldk");
    let store = Store::open(&folder)
        .map_err(|error| start_error("wallet-dir", format!("{}: {error}", folder.display())))?;
    builder.build_with_store(Arc::new(store)).map_err(|error| {
        let code = match error {
            BuildError::NetworkMismatch => "wrong-network",
            BuildError::InvalidChannelMonitor | BuildError::ReadFailed => "wallet-damaged",
            _ => "engine",
        };
        start_error(code, format!("the wallet could not be opened: {error}"))
    })
}
