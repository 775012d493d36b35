//! Hosts and the relay: until Ctrl-C, SIGTERM, or a closed leash.
use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use autopilot_cli::{home::resolve, passphrase};
use autopilot_host::{
    config::{Chain, Config, Model, ModelServer, Provider, Wallet},
    control,
    home::Home,
    net, run,
    secrets::Key,
    setup::RISKS,
};
use autopilot_proto::control::v1::GoOnlineRequest;
use tokio::{
    io::AsyncReadExt,
    signal::unix::{SignalKind, signal},
};

use crate::{args, say};

/// Exit code of a program that a signal ended: 128 and the number of SIGINT.
const EXIT_INTERRUPTED: i32 = 130;

/// Done at the first of Ctrl-C, SIGTERM and (with a leash) the end of standard input.
pub async fn asked_to_stop(leash: bool) {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return;
    };
    let Ok(mut interrupt) = signal(SignalKind::interrupt()) else {
        return;
    };
    let closed = async {
        if !leash {
            std::future::pending::<()>().await;
        }
        let mut rest = [0; 256];
        let mut stdin = tokio::io::stdin();
        while stdin.read(&mut rest).await.is_ok_and(|bytes| bytes > 0) {}
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = closed => {}
    }
}

/// What is said at the first Ctrl-C.
pub const STOPPING: &str = "stopping; a second Ctrl-C skips the clean-up";

/// From here on a further Ctrl-C or SIGTERM ends the program at once. What was durable stays so, and a wallet process
/// still stops in good order by itself, since its leash ends with this program.
pub fn end_at_next_signal() {
    tokio::spawn(async {
        asked_to_stop(false).await;
        say("ended at once, without cleaning up");
        std::process::exit(EXIT_INTERRUPTED);
    });
}

pub async fn relay(args: args::Relay) -> anyhow::Result<()> {
    let relay = net::EmbeddedRelay::start(args.listen).await?;
    println!("{}", serde_json::json!({ "relay": relay.url() }));
    asked_to_stop(args.leash).await;
    relay.shutdown().await;
    Ok(())
}

/// Whether somebody can be asked for a passphrase.
fn may_ask(args: &args::Host) -> bool {
    !args.no_input && !args.leash && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

pub async fn host(args: args::Host, role: &str) -> anyhow::Result<()> {
    let path = resolve(args.home.as_deref())?;
    // Nothing is made before everything that can be checked is checked.
    let fresh = match Home::is_set_up(&path) {
        false => Some(new_config(&args, role)?),
        true => None,
    };
    let (mut config, mut changed) = match fresh {
        Some(config) => (config, true),
        None => (kept_config(&path, &args)?, false),
    };
    say(&format!("network: {}", config.network));
    if config.risks_unread() {
        ensure!(args.accept_risks, "{RISKS}\nSay --accept-risks once to go on.");
        config.risks_accepted = true;
        changed = true;
    }
    let home = Home::open(&path)?;
    if changed {
        config.write(&home.config_file())?;
    }
    let key = match args.keyring {
        true => Key::Keyring,
        false => passphrase::key(&home, args.passphrase_file.as_deref(), may_ask(&args))
            .context("no passphrase can be read from the terminal")?,
    };
    let options = run::Options::new(path, key);
    let socket = home.control_socket();
    let online = args.online;
    let ready = move |ready: run::Ready| {
        println!("{}", serde_json::to_string(&ready).unwrap_or_default());
        if online {
            tokio::spawn(async move {
                let Ok(mut client) = control::client(&socket) else {
                    return;
                };
                if let Err(status) = client.go_online(GoOnlineRequest { wait_s: 600 }).await {
                    say(&format!("not online: {}", status.message()));
                }
            });
        }
    };
    let leash = args.leash;
    let stop = async move {
        asked_to_stop(leash).await;
        say(STOPPING);
        end_at_next_signal();
    };
    run::run(options, ready, stop).await?;
    Ok(())
}

/// The configuration that a home folder has. A network never changes; what else is named differs only in the file.
fn kept_config(path: &Path, args: &args::Host) -> anyhow::Result<Config> {
    let file = Home::open(path)?.config_file();
    let config = Config::read(&file)?;
    if let Some(network) = args.network {
        ensure!(
            network.name() == config.network,
            "{} is a home folder for {}, not for {}: name another one with --home",
            path.display(),
            config.network,
            network.name()
        );
    }
    let named = [
        ("--relay", !args.relay.is_empty() && args.relay != config.relays),
        (
            "--esplora, --electrum, --bitcoind",
            args.esplora.is_some() || args.electrum.is_some() || args.bitcoind.is_some(),
        ),
        (
            "--listen",
            !args.listen.is_empty() && args.listen != config.wallet.listen,
        ),
        (
            "--peer",
            !args.peer.is_empty() && args.peer != config.wallet.peers,
        ),
        (
            "--trust-0conf",
            !args.trust_0conf.is_empty() && args.trust_0conf != config.wallet.trusted_peers_0conf,
        ),
    ];
    for (option, _) in named.iter().filter(|(_, differs)| *differs) {
        say(&format!(
            "{option}: this home folder is set up already; change it in {}",
            file.display()
        ));
    }
    Ok(config)
}

/// The model file to serve, by its full path.
fn model_file(path: &Path) -> anyhow::Result<PathBuf> {
    ensure!(
        path.is_file(),
        "there is no model file at {}: name a GGUF file with --model, or see `autopilotctl model pull`",
        path.display()
    );
    std::path::absolute(path).context("the model's place")
}

/// The configuration of a new home folder.
fn new_config(args: &args::Host, role: &str) -> anyhow::Result<Config> {
    let network = args.network.context(
        "this home folder is new: say which network it is for, e.g. --network signet (there is no default)",
    )?;
    let chain = match (&args.esplora, &args.electrum, args.bitcoind) {
        (Some(url), ..) => Chain::Esplora { url: url.clone() },
        (_, Some(url), _) => Chain::Electrum { url: url.clone() },
        (_, _, Some(address)) => Chain::Bitcoind {
            host: address.ip().to_string(),
            port: address.port(),
            user: std::env::var("AUTOPILOT_BITCOIND_USER").context("AUTOPILOT_BITCOIND_USER is not set")?,
            password: std::env::var("AUTOPILOT_BITCOIND_PASSWORD")
                .context("AUTOPILOT_BITCOIND_PASSWORD is not set")?,
        },
        _ => {
            bail!("a wallet needs a source of blocks: --esplora URL, --electrum URL or --bitcoind HOST:PORT")
        }
    };
    let relays = match (role, args.relay.is_empty(), network) {
        ("hub", ..) => Vec::new(),
        (_, false, _) => args.relay.clone(),
        (_, true, args::Network::Regtest) => {
            bail!("on regtest there is no default relay: say --relay ws://…")
        }
        (_, true, _) => net::DEFAULT_RELAYS
            .iter()
            .map(|relay| (*relay).to_owned())
            .collect(),
    };
    ensure!(
        role != "provider"
            || args.model.is_some()
            || args.model_url.is_some()
            || args.embedding_model.is_some(),
        "a provider needs a model: --model FILE.gguf (see `autopilotctl model pull`), --model-url ADDRESS or --embedding-model FILE.gguf"
    );
    let file = |path: &Option<PathBuf>| match path {
        Some(path) if role == "provider" => Ok(Some(Model::file(model_file(path)?))),
        _ => anyhow::Ok(None),
    };
    let model = match &args.model_url {
        Some(url) if role == "provider" => Some(Model::Server(ModelServer {
            url: url.clone(),
            model: args.model_name.clone(),
            key_file: args
                .model_key_file
                .as_deref()
                .map(std::path::absolute)
                .transpose()?,
            ..ModelServer::default()
        })),
        _ => file(&args.model)?,
    };
    let config = Config {
        network: network.name().to_owned(),
        risks_accepted: false,
        relays,
        chain,
        wallet: Wallet {
            listen: args.listen.clone(),
            trusted_peers_0conf: args.trust_0conf.clone(),
            peers: args.peer.clone(),
            alias: if role == "hub" {
                "autopilot hub".to_owned()
            } else {
                String::new()
            },
            forwarding: role == "hub",
            dns: String::new(),
        },
        model,
        embedding: file(&args.embedding_model)?,
        provider: Provider {
            enabled: role == "provider",
            price_msat: args.price_sats.saturating_mul(1_000),
            order: args.order.name().to_owned(),
        },
    };
    config.check().map_err(anyhow::Error::msg)?;
    Ok(config)
}
