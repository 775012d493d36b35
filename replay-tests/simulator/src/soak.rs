//! Many worlds: on all cores for a test, round after round for a soak that goes on where the last one ended.
use std::{
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, Write},
    ops::Range,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::{Broken, Summary, World};

/// Worlds of one round of a soak.
const ROUND: u64 = 1_000;
/// Progress is told this often.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Lives the worlds of all seeds on so many threads; `told` hears how many are lived. What each came to, in the order of
/// the seeds.
pub fn live(seeds: Range<u64>, threads: usize, told: impl Fn(u64) + Sync) -> Vec<Result<Summary, Broken>> {
    let next = AtomicU64::new(seeds.start);
    let lived = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let world = World::live(seed, None, false);
                    let mut lived = lived.lock().unwrap_or_else(PoisonError::into_inner);
                    lived.push((seed, world));
                    told(lived.len() as u64);
                }
            });
        }
    });
    let mut lived = lived.into_inner().unwrap_or_else(PoisonError::into_inner);
    lived.sort_by_key(|(seed, _)| *seed);
    lived.into_iter().map(|(_, world)| world).collect()
}

/// One line of a soak's log.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Round {
    /// The first seed.
    pub from: u64,
    /// The first seed of the next round.
    pub to: u64,
    /// When it ended, seconds since the Unix epoch.
    pub ended_at_s: u64,
    /// How long it took.
    pub seconds: f64,
    /// blake3 of the program, hexadecimal.
    pub binary: String,
    /// Happenings in all its worlds.
    pub steps: u64,
    /// Facts recorded in them.
    pub facts: u64,
    /// Hosts killed or stopped.
    pub crashes: u64,
    /// Commits that failed.
    pub full_disks: u64,
    /// Jobs paid.
    pub settled: u64,
    /// Purchases paid.
    pub bought: u64,
    /// Seeds that broke.
    pub broken: Vec<u64>,
}

/// Lives rounds of worlds for about so many minutes, and writes a line for each behind those of earlier soaks.
///
/// # Errors
/// The log can't be read or written; or worlds broke, which are told as they do.
pub fn soak(minutes: f64, threads: usize, log: &Path) -> anyhow::Result<()> {
    let begun = Instant::now();
    let binary = std::fs::read(std::env::current_exe()?)?;
    let binary = blake3::hash(&binary).to_hex().to_string();
    let mut from = earlier(log)?.last().map_or(0, |round| round.to);
    let mut file = OpenOptions::new().create(true).append(true).open(log)?;
    let mut broken = 0;
    while begun.elapsed().as_secs_f64() < minutes * 60.0 {
        let round = self::round(from..from + ROUND, threads, &binary);
        broken += round.broken.len();
        from = round.to;
        writeln!(file, "{}", serde_json::to_string(&round)?)?;
    }
    summary(&earlier(log)?);
    anyhow::ensure!(broken == 0, "{broken} worlds broke");
    Ok(())
}

fn round(seeds: Range<u64>, threads: usize, binary: &str) -> Round {
    let begun = Instant::now();
    let told = Mutex::new(begun);
    let lived = live(seeds.clone(), threads, |lived| {
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.elapsed() >= TOLD_EVERY {
            *told = Instant::now();
            println!("seeds {}–{}: {lived} lived", seeds.start, seeds.end - 1);
        }
    });
    let mut round = Round {
        from: seeds.start,
        to: seeds.end,
        binary: binary.to_owned(),
        ..Round::default()
    };
    for world in lived {
        match world {
            Ok(world) => {
                round.steps += world.steps;
                round.facts += world.facts;
                round.crashes += world.crashes;
                round.full_disks += world.full_disks;
                round.settled += world.settled;
                round.bought += world.bought;
            }
            Err(broken) => {
                println!("{broken}");
                round.broken.push(broken.seed);
            }
        }
    }
    round.seconds = begun.elapsed().as_secs_f64();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    round.ended_at_s = now.as_secs();
    round
}

/// The rounds of earlier soaks.
fn earlier(log: &Path) -> anyhow::Result<Vec<Round>> {
    let file = match File::open(log) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        file => file?,
    };
    let lines = BufReader::new(file).lines();
    lines
        .map(|line| serde_json::from_str(&line?).context("a line of the log can't be read"))
        .collect()
}

fn summary(rounds: &[Round]) {
    let sum = |of: fn(&Round) -> u64| rounds.iter().map(of).sum::<u64>();
    let minutes = rounds.iter().map(|round| round.seconds).sum::<f64>() / 60.0;
    println!(
        "{} worlds in {minutes:.1} minutes: {} steps, {} facts, {} kills, {} failed commits, {} jobs and {} purchases paid, {} worlds broke",
        sum(|round| round.to - round.from),
        sum(|round| round.steps),
        sum(|round| round.facts),
        sum(|round| round.crashes),
        sum(|round| round.full_disks),
        sum(|round| round.settled),
        sum(|round| round.bought),
        sum(|round| round.broken.len() as u64),
    );
}
