//! Many jobs under random restarts: `cargo run -p autopilot-world-tests --bin long-run -- --jobs 5000 --seed 1 --state
//! DIR`. Ctrl-C or SIGTERM ends it after the round under way; started again with the same folder it goes on.
use std::path::PathBuf;

use anyhow::{Result, ensure};
use autopilot_world_tests::life::long::{Plan, live};
use clap::Parser;

/// Many jobs through three relays, with random restarts of everything, on the simulated chain.
#[derive(Parser)]
struct Args {
    /// Jobs in all
    #[arg(long, default_value_t = 5_000)]
    jobs: u32,
    /// Jobs of one round
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    round_jobs: u32,
    /// What is drawn
    #[arg(long)]
    seed: u64,
    /// Folder of the world and its rounds; a short path
    #[arg(long)]
    state: PathBuf,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let plan = Plan {
        jobs: args.jobs,
        round_jobs: args.round_jobs,
        seed: args.seed,
        state: std::path::absolute(args.state)?,
    };
    let stop = autopilot_world_tests::life::asked_to_stop()?;
    let summary = live(&plan, stop, |round| {
        eprintln!(
            "round {}: {} jobs, {} paid, {} ms, {} blows, sound {}: {:?}",
            round.round,
            round.jobs,
            round.tally.paid,
            round.duration_ms,
            round.blows.len(),
            round.sound,
            round.problems
        );
    })
    .await?;
    println!("{}", serde_json::to_string(&summary)?);
    ensure!(summary.sound, "{:?}", summary.problems);
    Ok(())
}
