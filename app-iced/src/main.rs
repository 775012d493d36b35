//! `autopilot`: the window.
use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use autopilot_app::{Begin, Proposed, Start, display};
use autopilot_host::{
    config::Chain,
    home::{self, Home},
    secrets::Key,
    setup::{self, Standing},
};
use clap::Parser;

/// Earns sats with this machine: takes jobs, runs them on a local model, is paid over Lightning.
#[derive(Debug, Parser)]
#[command(name = "autopilot", version)]
struct Args {
    /// Home folder: one identity, one wallet, one ledger [default: the XDG data folder].
    #[arg(long, env = "AUTOPILOT_HOME", hide_env_values = true)]
    home: Option<PathBuf>,
    /// File with the passphrase of the identity; without it the keyring's or the home folder's own is used.
    #[arg(long, env = "AUTOPILOT_PASSPHRASE_FILE", hide_env_values = true)]
    passphrase_file: Option<PathBuf>,
    /// Proposed in a first run: the Bitcoin network.
    #[arg(long, value_parser = setup::NETWORKS)]
    network: Option<String>,
    /// The same: a relay, repeatable.
    #[arg(long)]
    relay: Vec<String>,
    /// The same: where the wallet gets blocks, https://… of Esplora or ssl://host:port of Electrum.
    #[arg(long, conflicts_with = "bitcoind")]
    blocks: Option<String>,
    /// The same: Bitcoin Core's RPC, host:port; user and password come from AUTOPILOT_BITCOIND_USER and _PASSWORD.
    #[arg(long)]
    bitcoind: Option<std::net::SocketAddr>,
    /// The same: a peer to stay connected to, node-id@host:port, repeatable.
    #[arg(long)]
    peer: Vec<String>,
    /// The same: node id of a peer whose channels are used before they are confirmed.
    #[arg(long)]
    trust_0conf: Vec<String>,
    /// The same: a GGUF file to serve.
    #[arg(long, env = "AUTOPILOT_MODEL", hide_env_values = true)]
    model: Option<PathBuf>,
    /// Say on standard output when everything runs, and end when standard input closes.
    #[arg(long, hide = true)]
    leash: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| "warn,autopilot_host=info,nostr_relay_pool=off".into()),
        )
        .init();
    // Held until the window is closed.
    let _reached = match display::reach() {
        Ok(reached) => reached,
        Err(error) => {
            eprintln!("error: {error}. Next: {}", display::NEXT);
            return ExitCode::from(display::EXIT_CODE);
        }
    };
    match open(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn open(args: Args) -> anyhow::Result<()> {
    let path = home::resolve(args.home.as_deref()).context("name a home folder with --home")?;
    let begin = match (setup::inspect(&path), &args.passphrase_file) {
        // Configured by another program, as a local world does: the host makes what is missing, as it does without a window.
        (Standing::New, file) if Home::is_set_up(&path) => {
            Begin::Host(file.clone().map_or(Key::Own, Key::File))
        }
        (Standing::New, _) => Begin::FirstRun(proposed(&args)?),
        (Standing::Running { .. }, _) => Begin::Attached,
        (Standing::Broken { what, next }, _) => Begin::Broken(what, next),
        (_, Some(file)) => Begin::Host(Key::File(file.clone())),
        (Standing::Ready, None) => Begin::Host(Key::of(&Home::open(&path)?)),
        (Standing::NeedsPassphrase { keyring }, None) => Begin::Locked(keyring),
    };
    autopilot_app::run(Start {
        socket: home::control_socket(&path),
        home: path,
        begin,
        leash: args.leash,
        ending: autopilot_app::Ending::default(),
    })?;
    Ok(())
}

/// What the command line proposes for a new home.
fn proposed(args: &Args) -> anyhow::Result<Proposed> {
    let blocks = match (&args.blocks, args.bitcoind) {
        (Some(address), _) => Some(setup::blocks_of(address)?),
        (None, Some(address)) => {
            let named = |name: &str| std::env::var(name).with_context(|| format!("{name} is not set"));
            Some(Chain::Bitcoind {
                host: address.ip().to_string(),
                port: address.port(),
                user: named("AUTOPILOT_BITCOIND_USER")?,
                password: named("AUTOPILOT_BITCOIND_PASSWORD")?,
            })
        }
        (None, None) => None,
    };
    Ok(Proposed {
        network: args.network.clone(),
        relays: args.relay.clone(),
        blocks,
        peers: args.peer.clone(),
        trusted_0conf: args.trust_0conf.clone(),
        model: args.model.clone(),
    })
}
