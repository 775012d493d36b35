//! Appends: one producer that waits for each commit, and many whose decisions share commits.
use std::{
    path::Path,
    time::{Duration, Instant},
};

use autopilot_events::Recorded;
use autopilot_store_sqlite::{Commit, Store};
use tokio::sync::{mpsc, oneshot};

use crate::{calibrate::Flat, cpu::cpu_time, data::Teller, table::Figure};

/// Commits of one round of single appends.
const SINGLE: usize = 300;
/// Decisions of one round of group appends.
const GROUPED: usize = 6_144;
/// Decisions in one commit at most, as in the host.
const GROUP_MAX: usize = 256;
/// How long a commit waits for more once one decision waits already and others came with the last.
const LINGER: Duration = Duration::from_micros(500);

/// Where a commit goes.
enum Sink {
    Ledger(Box<Store>),
    Flat(Flat),
}

impl Sink {
    async fn commit(&mut self, facts: &[Recorded]) -> anyhow::Result<()> {
        match self {
            Sink::Flat(flat) => flat.append(facts),
            Sink::Ledger(store) => {
                let commit = Commit {
                    facts,
                    ..Commit::default()
                };
                store.append(commit).await?;
                if store.compaction_due() {
                    store.compact().await?;
                }
                Ok(())
            }
        }
    }
}

/// Facts a second, processor time of a fact in microseconds, and how long a producer waited.
struct Round {
    per_second: f64,
    cpu_us: f64,
    waits: Vec<Duration>,
}

/// Both sinks in turn over the rounds; the first warms both up.
pub async fn figures(folder: &Path, rounds: usize) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for producers in [1, 4, 16, 64, 256, 1_024] {
        figures.extend(run(folder, producers, rounds).await?);
    }
    Ok(figures)
}

/// What a disk gives swings with whoever else uses it; the processor time is the steadier figure.
async fn run(folder: &Path, producers: usize, rounds: usize) -> anyhow::Result<[Figure; 2]> {
    let (store, _) = Store::open(&folder.join(format!("append-{producers}.db")), &mut |_| {}).await?;
    let mut ledger = (Sink::Ledger(Box::new(store)), Teller::default());
    let mut flat = (
        Sink::Flat(Flat::new(&folder.join(format!("append-{producers}.flat")))?),
        Teller::default(),
    );
    let name = match producers {
        1 => "durable single append / fdatasync".to_owned(),
        producers => format!("group append, {producers} producers / flat file with fdatasync"),
    };
    let mut cost = Figure::new(format!("{name}: CPU of a fact"), "µs");
    let mut figure = Figure::new(name, "facts/s");
    figure.producers = u32::try_from(producers)?;
    for round in 0..=rounds {
        let mut done = Vec::new();
        for (sink, teller) in [&mut ledger, &mut flat] {
            done.push(match producers {
                1 => single(sink, teller).await?,
                producers => grouped(sink, teller, producers).await?,
            });
        }
        if round > 0 {
            figure.add(done[0].per_second, done[1].per_second);
            figure.waited(&done[0].waits, &done[1].waits);
            cost.add(done[0].cpu_us, done[1].cpu_us);
        }
    }
    if let Sink::Ledger(store) = ledger.0 {
        store.close().await;
    }
    Ok([figure, cost])
}

async fn single(sink: &mut Sink, teller: &mut Teller) -> anyhow::Result<Round> {
    let decisions: Vec<_> = (0..SINGLE).map(|_| teller.decision()).collect();
    let facts: usize = decisions.iter().map(Vec::len).sum();
    let mut waits = Vec::with_capacity(SINGLE);
    let (begun, since) = (Instant::now(), cpu_time());
    for decision in &decisions {
        let asked = Instant::now();
        sink.commit(decision).await?;
        waits.push(asked.elapsed());
    }
    Ok(Round {
        per_second: facts as f64 / begun.elapsed().as_secs_f64(),
        cpu_us: (cpu_time() - since).as_secs_f64() * 1e6 / facts as f64,
        waits,
    })
}

/// Producers hand in one decision each and wait until it is durable; one writer seals and commits what is there.
async fn grouped(sink: &mut Sink, teller: &mut Teller, producers: usize) -> anyhow::Result<Round> {
    let (ask, mut asked) = mpsc::channel::<oneshot::Sender<()>>(producers);
    let (begun, since) = (Instant::now(), cpu_time());
    let each = GROUPED.div_ceil(producers);
    let tasks: Vec<_> = (0..producers)
        .map(|_| {
            let ask = ask.clone();
            tokio::spawn(async move {
                let mut waits = Vec::with_capacity(each);
                for _ in 0..each {
                    let (tell, done) = oneshot::channel();
                    let begun = Instant::now();
                    if ask.send(tell).await.is_err() || done.await.is_err() {
                        break; // the writer failed, and says why
                    }
                    waits.push(begun.elapsed());
                }
                waits
            })
        })
        .collect();
    drop(ask);
    let (mut facts, mut waiting) = (0, Vec::with_capacity(GROUP_MAX));
    while asked.recv_many(&mut waiting, GROUP_MAX).await > 0 {
        if waiting.len() > 1 && waiting.len() < GROUP_MAX.min(producers) {
            tokio::time::sleep(LINGER).await;
            while waiting.len() < GROUP_MAX
                && let Ok(more) = asked.try_recv()
            {
                waiting.push(more);
            }
        }
        let commit: Vec<_> = waiting.iter().flat_map(|_| teller.decision()).collect();
        sink.commit(&commit).await?;
        facts += commit.len();
        for tell in waiting.drain(..) {
            // Every producer waits for its answer.
            let _ = tell.send(());
        }
    }
    let (took, cpu) = (begun.elapsed(), cpu_time() - since);
    let mut waits = Vec::with_capacity(GROUPED);
    for task in tasks {
        waits.extend(task.await?);
    }
    Ok(Round {
        per_second: facts as f64 / took.as_secs_f64(),
        cpu_us: cpu.as_secs_f64() * 1e6 / facts as f64,
        waits,
    })
}
