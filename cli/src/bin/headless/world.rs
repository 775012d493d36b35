//! `sandbox`: the world until Ctrl-C.
use std::path::PathBuf;

use anyhow::{Context, ensure};
use autopilot_host::{
    config::Model,
    sandbox::{ChainKind, Options, World},
};

use crate::{
    args,
    hosts::{STOPPING, asked_to_stop, end_at_next_signal},
    say,
};

pub async fn sandbox(args: args::Sandbox) -> anyhow::Result<()> {
    let options = options(&args)?;
    let mut world = World::start(options, |step| say(&format!("starting: {step}"))).await?;
    world.go_online().await?;
    println!("{}", world.describe());
    let broken = tokio::select! {
        () = asked_to_stop(false) => None,
        role = world.somebody_ended() => Some(role),
    };
    say(STOPPING);
    end_at_next_signal();
    world.stop().await;
    match broken {
        None => Ok(()),
        Some(role) => anyhow::bail!("the {role} ended by itself; its log is in its home folder"),
    }
}

/// The options of a world; a folder is made where none is named.
pub fn options(args: &args::Sandbox) -> anyhow::Result<Options> {
    let home = match &args.home {
        Some(home) => std::path::absolute(home)?,
        None => new_folder()?,
    };
    let model = args.model.clone().or_else(cached_model).context(
        "no model: name a GGUF file with --model or AUTOPILOT_MODEL, or let ./run fetch the small test model",
    )?;
    ensure!(model.is_file(), "there is no model file at {}", model.display());
    Ok(Options {
        home,
        chain: match args.chain {
            args::Chain::Simulated => ChainKind::Simulated,
            args::Chain::Bitcoind => ChainKind::Bitcoind,
        },
        relay_count: args.relay_count,
        outside_relays: Vec::new(),
        extra_relays: args.extra_relay.clone(),
        price_msat: args.price_sats * 1_000,
        order: args.order.name().to_owned(),
        model: Model::file(model),
        embedding: args.embedding_model.clone(),
        buyer_serves: false,
        program: std::env::current_exe().context("this program's own place")?,
        window: None,
    })
}

/// A short path: sockets lie below it.
fn new_folder() -> anyhow::Result<PathBuf> {
    let name = format!("autopilot-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    ensure!(
        !folder.exists(),
        "{} is there already: name a folder with --home",
        folder.display()
    );
    Ok(folder)
}

fn cached_model() -> Option<PathBuf> {
    let cache = std::env::var_os("AUTOPILOT_CACHE")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/autopilot")))?;
    Some(cache.join("models/smollm2-135m-instruct-q4_1.gguf")).filter(|path| path.is_file())
}
