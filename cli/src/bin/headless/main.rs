//! `autopilot-headless`: hosts without a window, a relay, and a whole local world to try it in.
mod args;
mod demo;
mod hosts;
mod ladder;
mod roundtrip;
mod shown;
mod world;

use std::{io::Write, process::ExitCode};

use autopilot_cli::manual;
use autopilot_host::run::HostError;
use clap::{CommandFactory, Parser};

use args::{Args, Command};

/// Exit code of a host whose identity is locked, the same as `autopilotctl`'s.
const EXIT_LOCKED: u8 = 11;

fn main() -> ExitCode {
    let args = Args::parse();
    init_log();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(anyhow::Error::new(error)),
    };
    let done = runtime.block_on(async {
        match args.command {
            Command::Relay(args) => hosts::relay(args).await,
            Command::Hub(args) => hosts::host(args, "hub").await,
            Command::Provider(args) => hosts::host(args, "provider").await,
            Command::Desktop(args) => hosts::host(args, "provider").await,
            Command::Buyer(args) => hosts::host(args, "buyer").await,
            Command::Sandbox(args) => world::sandbox(args).await,
            Command::Demo(args) => demo::demo(args).await,
            Command::Roundtrip(args) => roundtrip::roundtrip(args).await,
            Command::Completions { shell } => Ok(manual::completions(
                Args::command(),
                shell,
                &mut std::io::stdout(),
            )?),
            Command::Man { folder } => pages(folder),
        }
    });
    // A read of standard input can't be cancelled: whoever holds our leash must not hold up our end.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(error),
    }
}

fn pages(folder: Option<std::path::PathBuf>) -> anyhow::Result<()> {
    let Some(folder) = folder else {
        return Ok(manual::page(Args::command(), &mut std::io::stdout())?);
    };
    for page in manual::pages(Args::command(), &folder)? {
        println!("{}", page.display());
    }
    Ok(())
}

fn fail(error: anyhow::Error) -> ExitCode {
    match json_log() {
        true => tracing::error!("{error:#}"),
        false => say(&format!("error: {error:#}")),
    }
    match error.downcast_ref::<HostError>() {
        Some(HostError::Secrets(error)) if error.is_locked() => ExitCode::from(EXIT_LOCKED),
        _ => ExitCode::FAILURE,
    }
}

/// Whether every line on standard error is a JSON document.
fn json_log() -> bool {
    std::env::var("AUTOPILOT_LOG").is_ok_and(|form| form == "json")
}

/// Words for people; a line of the log where that is JSON.
pub fn say(words: &str) {
    match json_log() {
        true => tracing::info!(target: "autopilot_host::words", "{words}"),
        // Nobody is left to tell when the stream is gone, or the disk that it goes to is full.
        false => drop(writeln!(std::io::stderr(), "{words}")),
    }
}

/// Words go to standard error; `RUST_LOG` says how many, `AUTOPILOT_LOG=json` in which form.
fn init_log() {
    use tracing_subscriber::{EnvFilter, fmt};
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        EnvFilter::new("warn,autopilot_host=info,nostr_relay_pool=off,nostr_relay_builder=off")
    });
    let log = fmt()
        .with_writer(std::io::stderr)
        // A log that can't be written, say on a full disk, must not end what it tells of.
        .log_internal_errors(false)
        .with_env_filter(filter)
        .with_ansi(false);
    if json_log() {
        log.json().init();
        std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    } else {
        log.init();
    }
}
