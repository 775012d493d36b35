//! `kill -9` at random moments under load: `cargo run -p autopilot-world-tests --bin kill-rounds -- --rounds 60 --seed 1
//! --state DIR`. Ctrl-C or SIGTERM ends it after the round under way; started again it makes the rounds that are missing.
use std::path::PathBuf;

use anyhow::Result;
use autopilot_host::sandbox::ChainKind;
use autopilot_world_tests::life::kills::{Plan, VICTIMS, Victim, live};
use clap::Parser;

/// kill -9 of real processes at random moments under load, on Bitcoin Core.
#[derive(Parser)]
struct Args {
    /// Rounds in all
    #[arg(long, default_value_t = 60)]
    rounds: u32,
    /// What is drawn
    #[arg(long)]
    seed: u64,
    /// Folder of the rounds; a short path
    #[arg(long)]
    state: PathBuf,
    /// Only wallets are killed
    #[arg(long)]
    wallets: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let wallets = [Victim::ProviderWallet, Victim::BuyerWallet, Victim::HubWallet];
    let plan = Plan {
        rounds: args.rounds,
        seed: args.seed,
        state: std::path::absolute(args.state)?,
        victims: if args.wallets {
            wallets.to_vec()
        } else {
            VICTIMS.to_vec()
        },
        chain: ChainKind::Bitcoind,
    };
    let stop = autopilot_world_tests::life::asked_to_stop()?;
    let summary = live(&plan, stop, |round| {
        eprintln!(
            "round {}: {:?} after {} ms, connected {} ms, whole {} ms, paid {} of {}, closed {:?} {:?}",
            round.round,
            round.victim,
            round.after_ms,
            round.connected_ms,
            round.whole_ms,
            round.tally.paid,
            round.tally.asked,
            round.tally.channels_closed,
            round.problems
        );
    })
    .await?;
    println!("{}", serde_json::to_string(&summary)?);
    Ok(())
}
