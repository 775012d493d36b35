//! How fast the ledger is, against what the machine gives in the same run: rounds of ours and of a calibrator take
//! turns, so that a busy machine slows both. Builds its own data, prints a table, and writes table, figures and curves
//! to a folder.
mod alone;
mod append;
mod calibrate;
mod chart;
mod cpu;
mod data;
mod pages;
mod peer;
mod replay;
mod report;
mod sizes;
mod table;

use std::path::{Path, PathBuf};

use clap::Parser;

use crate::report::Report;

/// What to measure, on how much.
#[derive(Debug, Parser)]
struct Args {
    /// Sizes of the ledgers, in facts, the smallest first: the others are compared with it.
    #[arg(long, value_delimiter = ',', default_value = "100000,1000000")]
    facts: Vec<u64>,
    /// Rounds of each measurement.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Leaves out appends.
    #[arg(long)]
    no_append: bool,
    /// Leaves out everything that needs built ledgers.
    #[arg(long)]
    no_sizes: bool,
    /// Where the ledgers are built: a disk, not a RAM disk. Ledgers that are there already are used.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Where table, figures and curves go, e.g. docs/measurements.
    #[arg(long)]
    out: Option<PathBuf>,
    /// One measurement in this process, for a run of the bench that wants it alone.
    #[arg(long, requires = "ledger", hide = true)]
    alone: Option<alone::Task>,
    #[arg(long, hide = true)]
    ledger: Option<PathBuf>,
    /// For `--alone peer`: facts appended one by one, facts appended in groups, facts of a group.
    #[arg(long, value_delimiter = ',', hide = true)]
    peer_sizes: Vec<usize>,
    /// Measures nothing: gives the home folder of this ledger, whose host does not run, a past of `--facts` facts.
    #[arg(long)]
    grow: Option<PathBuf>,
    /// Leaves the ledgers that it built, and the flat files beside them.
    #[arg(long)]
    keep: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if let (Some(task), Some(ledger)) = (args.alone, &args.ledger) {
        let said = match (task, args.peer_sizes.as_slice()) {
            (alone::Task::Peer, &[single, grouped, group]) => {
                peer::run(ledger, [single, grouped, group]).await?
            }
            _ => alone::run(task, ledger).await?,
        };
        println!("{said}");
        return Ok(());
    }
    if let (Some(ledger), &[facts, ..]) = (&args.grow, args.facts.as_slice()) {
        return data::grow(ledger, facts, sizes::progress(facts)).await;
    }
    if cfg!(debug_assertions) {
        eprintln!("built without --release: the ratios will look worse than they are");
    }
    match &args.folder {
        Some(folder) => {
            std::fs::create_dir_all(folder)?;
            measure(&args, folder).await
        }
        None => {
            let folder = tempfile::Builder::new()
                .prefix("bench-")
                .tempdir_in(std::env::current_dir()?)?;
            measure(&args, folder.path()).await
        }
    }
}

async fn measure(args: &Args, folder: &Path) -> anyhow::Result<()> {
    let mut report = Report::begin();
    if !args.no_append {
        let scratch = tempfile::Builder::new().prefix("append-").tempdir_in(folder)?;
        report.appends(append::figures(scratch.path(), args.rounds).await?);
    }
    if !args.no_sizes {
        let built = sizes::measure(&args.facts, args.rounds, folder, &mut report).await?;
        if !args.keep {
            built.iter().try_for_each(|ledger| sizes::delete(ledger))?;
        }
    }
    report.end(args.out.as_deref())
}
