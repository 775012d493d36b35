//! `sim` lives the world of one seed; `soak` lives many, for as long as asked.
use std::{path::PathBuf, process::ExitCode};

use autopilot_simulator::{Bug, World, soak};
use clap::{Parser, Subcommand};

#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Lives the worlds of one seed, or of several in a row, and ends at the first contradiction.
    Sim {
        /// The seed.
        #[arg(long, default_value_t = 0)]
        seed: u64,
        /// How many seeds from there on.
        #[arg(long, default_value_t = 1)]
        count: u64,
        /// A bug to sow, by its name.
        #[arg(long, value_parser = bug)]
        bug: Option<Bug>,
        /// Prints every step.
        #[arg(long)]
        trace: bool,
    },
    /// Lives worlds for so many minutes, behind the seeds of earlier soaks.
    Soak {
        /// How long.
        #[arg(long)]
        minutes: f64,
        /// Worlds at the same time.
        #[arg(long, default_value_t = 1)]
        threads: usize,
        /// One line a round; where the next soak goes on.
        #[arg(long, default_value = "replay-tests/simulator/soak.jsonl")]
        log: PathBuf,
    },
    /// Lists the bugs that can be sown.
    Bugs,
}

fn bug(name: &str) -> Result<Bug, String> {
    Bug::named(name).ok_or_else(|| format!("no bug is called {name}; see `bugs`"))
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    match Options::parse().what {
        What::Sim {
            seed,
            count,
            bug,
            trace,
        } => {
            for seed in seed..seed.saturating_add(count) {
                let summary = World::live(seed, bug, trace)?;
                println!("seed {seed}: {}", serde_json::to_string(&summary)?);
            }
        }
        What::Soak {
            minutes,
            threads,
            log,
        } => soak::soak(minutes, threads, &log)?,
        What::Bugs => Bug::ALL
            .iter()
            .for_each(|bug| println!("{:<20} {}", bug.name(), bug.what())),
    }
    Ok(())
}
