//! `autopilot`: the window.
use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, bail};
use autopilot_app::Start;
use autopilot_host::{home::Home, secrets::Key};
use clap::Parser;

/// Earns sats with this machine: takes jobs, runs them on a local model, is paid over Lightning.
#[derive(Debug, Parser)]
#[command(name = "autopilot", version)]
struct Args {
    /// Home folder: one identity, one wallet, one ledger [default: the XDG data folder].
    #[arg(long, env = "AUTOPILOT_HOME", hide_env_values = true)]
    home: Option<PathBuf>,
    /// File with the passphrase of the identity; without it the home folder's own is used.
    #[arg(long, env = "AUTOPILOT_PASSPHRASE_FILE", hide_env_values = true)]
    passphrase_file: Option<PathBuf>,
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
    match open(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn open(args: Args) -> anyhow::Result<()> {
    let path = args.home.context("name a home folder with --home")?;
    if !Home::is_set_up(&path) {
        bail!("{} is not set up", path.display());
    }
    let home = Home::open(&path)?;
    let socket = home.control_socket();
    // A host that answers already is only looked at and driven.
    let runs = std::os::unix::net::UnixStream::connect(&socket).is_ok();
    let key = match args.passphrase_file {
        Some(file) => Key::File(file),
        None => Key::Own,
    };
    autopilot_app::run(Start {
        home: home.path().to_owned(),
        socket,
        key: (!runs).then_some(key),
    })?;
    Ok(())
}
