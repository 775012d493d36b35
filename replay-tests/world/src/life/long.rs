//! Many jobs through several relays, with random restarts of everything, on the simulated chain. Memory, disk and
//! digests are looked at after each round.
mod blow;
mod report;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use autopilot_host::sandbox::{ChainKind, Child, World};
use nix::sys::signal::Signal;

pub use blow::Blow;
pub use report::{Round, Struck, Summary};

use super::{
    customers::Market,
    go_online,
    journal::Journal,
    open_the_gates,
    processes::{self, WALLET, WORKER},
    relays::Relay,
    tally::{Tally, tally},
    until_connected, until_settled,
};
use crate::{
    questions::sound,
    stage::{options, program},
};

/// Customers at once: as many jobs are in flight.
const CUSTOMERS: u32 = 4;
/// Relays that run.
const RELAYS: usize = 3;

/// What to live through.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Jobs in all, those of earlier runs on the same folder included.
    pub jobs: u32,
    /// Jobs of one round.
    pub round_jobs: u32,
    /// Of the draws.
    pub seed: u64,
    /// Folder of the world and of `rounds.jsonl`; its path is short, for sockets lie below it.
    pub state: PathBuf,
}

/// Lives until the plan is fulfilled, or until `stop` is done; then it ends after the round under way. Each round is
/// told and kept in `rounds.jsonl`, and the summary in `summary.json`.
///
/// # Errors
/// The world broke, or the state folder is not writable.
pub async fn live(
    plan: &Plan,
    mut stop: impl FnMut() -> bool,
    mut tell: impl FnMut(&Round),
) -> Result<Summary> {
    std::fs::create_dir_all(&plan.state)?;
    let (mut journal, mut rounds) = Journal::open::<Round>(&plan.state.join("rounds.jsonl"))?;
    let lived = |rounds: &[Round]| rounds.last().map_or(0, |round| round.jobs);
    if lived(&rounds) < u64::from(plan.jobs) {
        let mut life = Life::begin(plan).await?;
        while lived(&rounds) < u64::from(plan.jobs) && !stop() {
            let left = u64::from(plan.jobs) - lived(&rounds);
            let number = u32::try_from(rounds.len())? + 1;
            let round = life.round(number, left).await?;
            journal.add(&round)?;
            tell(&round);
            rounds.push(round);
        }
        life.end().await?;
    }
    let summary = report::summary(plan.seed, &rounds);
    let text = serde_json::to_string_pretty(&summary)?;
    std::fs::write(plan.state.join("summary.json"), text)?;
    Ok(summary)
}

struct Life<'a> {
    plan: &'a Plan,
    world: World,
    relays: Vec<Relay>,
    before: Tally,
    programs: String,
}

impl Life<'_> {
    async fn begin(plan: &Plan) -> Result<Life<'_>> {
        let program = program("autopilot-headless")?;
        let mut relays = Vec::new();
        for _ in 0..RELAYS {
            relays.push(Relay::start(&program).await?);
        }
        let mut options = options(plan.state.join("w"), ChainKind::Simulated)?;
        options.relay_count = 0;
        options.outside_relays = relays.iter().map(|relay| relay.url.clone()).collect();
        let programs = processes::digest(&program)?;
        let world = World::start(options, |step| eprintln!("world: {step}")).await?;
        open_the_gates(&world.provider, CUSTOMERS * 2).await?;
        until_connected(&world).await?;
        go_online(&world.provider.home).await?;
        let before = tally(world.provider.home.path(), world.buyer.home.path()).await?;
        Ok(Life {
            plan,
            world,
            relays,
            before,
            programs,
        })
    }

    async fn end(self) -> Result<()> {
        self.world.stop().await;
        for mut relay in self.relays {
            relay.stop().await?;
        }
        Ok(())
    }

    async fn round(&mut self, number: u32, left: u64) -> Result<Round> {
        let jobs = self.plan.round_jobs.min(u32::try_from(left)?);
        let market = Market::new(
            &self.world.buyer.home,
            &self.world.provider.pubkey,
            &format!("round {number}"),
            jobs,
        );
        let since = Instant::now();
        let blows = blow::draw(self.plan.seed, number, jobs);
        let (served, blows) = tokio::join!(market.serve(CUSTOMERS), self.strike(&market, blows));
        let (mut problems, blows) = (Vec::new(), blows?);
        if let Err(error) = served {
            problems.push(format!("{error:#}"));
        }
        if let Err(error) = until_settled(&self.world).await {
            problems.push(format!("{error:#}"));
        }
        let duration_ms = ms(since.elapsed());
        let rss_kib = self.memory();
        let facts = self.check(&mut problems).await?;
        let now = tally(self.world.provider.home.path(), self.world.buyer.home.path()).await?;
        let tally = now.since(&self.before);
        ensure_single(&tally, &mut problems);
        self.before = now;
        Ok(Round {
            round: number,
            seed: self.plan.seed,
            programs: self.programs.clone(),
            jobs: self.before.asked,
            tally,
            blows,
            duration_ms,
            facts,
            bytes: self.disk(),
            rss_kib,
            sound: problems.is_empty(),
            problems,
        })
    }

    /// Strikes each blow when its time has come, and waits until the world is connected again.
    async fn strike(&mut self, market: &Market, blows: Vec<(u32, Blow)>) -> Result<Vec<Struck>> {
        let mut struck = Vec::new();
        for (after, blow) in blows {
            market.until(after).await;
            let since = Instant::now();
            self.blow(blow).await.with_context(|| format!("{blow:?}"))?;
            until_connected(&self.world).await?;
            if matches!(blow, Blow::ProviderStop | Blow::ProviderKill) {
                go_online(&self.world.provider.home).await?;
            }
            struck.push(Struck {
                blow,
                after,
                connected_ms: ms(since.elapsed()),
            });
        }
        Ok(struck)
    }

    async fn blow(&mut self, blow: Blow) -> Result<()> {
        match blow {
            Blow::ProviderStop => end_and_start(&mut self.world.provider, Signal::SIGTERM).await,
            Blow::ProviderKill => end_and_start(&mut self.world.provider, Signal::SIGKILL).await,
            Blow::BuyerStop => end_and_start(&mut self.world.buyer, Signal::SIGTERM).await,
            Blow::BuyerKill => end_and_start(&mut self.world.buyer, Signal::SIGKILL).await,
            Blow::HubStop => end_and_start(&mut self.world.hub, Signal::SIGTERM).await,
            Blow::HubKill => end_and_start(&mut self.world.hub, Signal::SIGKILL).await,
            Blow::WorkerKill => match processes::child_of(&self.world.provider, WORKER) {
                Some(pid) => processes::signal(pid, Signal::SIGKILL),
                None => Ok(()),
            },
            Blow::Relay(at) => {
                let relay = self
                    .relays
                    .get_mut(usize::from(at))
                    .context("there is no such relay")?;
                relay.stop().await?;
                relay.start_again().await
            }
        }
    }

    /// Restarts provider and buyer in order, which stores their views, and holds a replay of every ledger against them.
    async fn check(&mut self, problems: &mut Vec<String>) -> Result<BTreeMap<String, u64>> {
        let world = &mut self.world;
        let (provider, buyer) = tokio::join!(world.provider.restart(&[]), world.buyer.restart(&[]));
        provider?;
        buyer?;
        let mut facts = BTreeMap::new();
        for host in [&world.provider, &world.buyer] {
            match sound(host.home.path()).await {
                Ok(found) => {
                    facts.insert(host.role.to_owned(), found.facts);
                    if found.difference_msat != 0 {
                        problems.push(format!(
                            "{}: wallet and ledger differ by {} msat",
                            host.role, found.difference_msat
                        ));
                    }
                }
                Err(error) => problems.push(format!("{}: {error:#}", host.role)),
            }
        }
        until_connected(world).await?;
        go_online(&world.provider.home).await?;
        Ok(facts)
    }

    fn memory(&self) -> BTreeMap<String, u64> {
        let world = &self.world;
        let mut found = BTreeMap::new();
        for host in [&world.provider, &world.buyer, &world.hub] {
            let role = host.role;
            let wallet = processes::child_of(host, WALLET);
            let worker = processes::child_of(host, WORKER);
            let all = [("host", host.pid()), ("wallet", wallet), ("worker", worker)];
            found.extend(
                all.into_iter()
                    .filter_map(|(what, pid)| Some((format!("{role} {what}"), processes::rss_kib(pid?)?))),
            );
        }
        for (number, relay) in self.relays.iter().enumerate() {
            let rss = relay.pid().and_then(processes::rss_kib);
            found.extend(rss.map(|rss| (format!("relay {number}"), rss)));
        }
        found
    }

    fn disk(&self) -> BTreeMap<String, u64> {
        let world = &self.world;
        let mut found = BTreeMap::new();
        for host in [&world.provider, &world.buyer, &world.hub] {
            for what in ["ledger", "wallet", "logs"] {
                let bytes = processes::bytes_below(&host.home.path().join(what));
                found.insert(format!("{} {what}", host.role), bytes);
            }
        }
        found
    }
}

async fn end_and_start(host: &mut Child, signal: Signal) -> Result<()> {
    let pid = host.pid().context("the host has ended before")?;
    processes::signal(pid, signal)?;
    let ended = tokio::time::timeout(Duration::from_secs(60), host.ended()).await;
    ensure!(ended.is_ok(), "the {} did not end by {signal}", host.role);
    Ok(host.restart(&[]).await?)
}

fn ensure_single(tally: &Tally, problems: &mut Vec<String>) {
    if tally.double_work + tally.double_payment > 0 {
        problems.push(format!(
            "{} jobs worked twice, {} paid twice",
            tally.double_work, tally.double_payment
        ));
    }
    if tally.paid_not_settled > 0 {
        problems.push(format!(
            "{} jobs were paid and are not settled",
            tally.paid_not_settled
        ));
    }
}

pub(crate) fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
