//! `kill -9` at random moments under load, on Bitcoin Core: how long until the world is whole again, and what it cost.
mod summary;

use std::{
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use autopilot_host::sandbox::{ChainKind, Child, World};
use autopilot_proto::control::v1 as pb;
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use self::summary::summary;
pub use self::summary::{Summary, Toll};
use super::{
    customers::Market,
    draw::Draw,
    go_online,
    journal::Journal,
    long::ms,
    open_the_gates,
    power::{self, Loss},
    processes::{self, WALLET, WORKER},
    tally::{Tally, tally},
    until_connected, until_settled,
};
use crate::{questions::sound, stage::options};

/// Customers at once.
const CUSTOMERS: u32 = 6;
/// The kill comes within so many milliseconds after the first purchase of its round is over.
const WINDOW_MS: u64 = 3_000;
/// A block comes so often while purchases end.
const MINE_AGAIN: Duration = Duration::from_millis(500);

/// Who can be killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Victim {
    /// A host: its wallet and worker end by themselves.
    Provider,
    /// The provider's wallet, which its host replaces.
    ProviderWallet,
    /// The inference worker.
    ProviderWorker,
    /// The buyer's host.
    Buyer,
    /// The buyer's wallet.
    BuyerWallet,
    /// The hub's host.
    Hub,
    /// The hub's wallet, through which everything goes.
    HubWallet,
    /// The provider's machine, as far as its ledger goes: the host is killed, and what it had not synced is lost.
    ProviderPower,
    /// The buyer's machine, likewise.
    BuyerPower,
}

impl Victim {
    fn loses_power(self) -> bool {
        matches!(self, Victim::ProviderPower | Victim::BuyerPower)
    }
}

/// All of them.
pub const VICTIMS: [Victim; 9] = [
    Victim::Provider,
    Victim::ProviderWallet,
    Victim::ProviderWorker,
    Victim::Buyer,
    Victim::BuyerWallet,
    Victim::Hub,
    Victim::HubWallet,
    Victim::ProviderPower,
    Victim::BuyerPower,
];

/// What to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Rounds in all, those of earlier runs with the same state folder included.
    pub rounds: u32,
    /// Of the draws.
    pub seed: u64,
    /// Folder of `rounds.jsonl`. The world lies in a new folder below it: a chain of Bitcoin Core is never continued.
    pub state: PathBuf,
    /// Whom to kill.
    pub victims: Vec<Victim>,
    /// Which chain; Bitcoin Core unless something is only tried.
    pub chain: ChainKind,
}

/// One round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Round {
    /// From 1.
    pub round: u32,
    /// Of all draws.
    pub seed: u64,
    /// Digest of the programs.
    pub programs: String,
    /// Who was killed.
    pub victim: Victim,
    /// When, in milliseconds after the first purchase of the round was over.
    pub after_ms: u64,
    /// Purchases over at that moment; [`CUSTOMERS`] more were under way.
    pub over: u32,
    /// From the kill until provider and buyer were connected with a usable channel, in milliseconds.
    pub connected_ms: u64,
    /// From the kill until every purchase and every job had ended as well, in milliseconds.
    pub whole_ms: u64,
    /// What the ledger's file lost, where the power went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<Loss>,
    /// What the round brought.
    pub tally: Tally,
    /// What did not hold.
    pub problems: Vec<String>,
}

/// Runs the rounds that are missing, or fewer when `stop` is done. Each round is told and kept.
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
    if rounds.len() < plan.rounds as usize {
        let mut scene = Scene::begin(plan, rounds.len()).await?;
        while rounds.len() < plan.rounds as usize && !stop() {
            let round = scene.round(u32::try_from(rounds.len())? + 1).await?;
            journal.add(&round)?;
            tell(&round);
            rounds.push(round);
        }
        scene.world.stop().await;
    }
    let summary = summary(plan.seed, &rounds);
    std::fs::write(
        plan.state.join("summary.json"),
        serde_json::to_string_pretty(&summary)?,
    )?;
    Ok(summary)
}

struct Scene<'a> {
    plan: &'a Plan,
    world: World,
    environment: Vec<(&'static str, String)>,
    before: Tally,
    programs: String,
}

impl Scene<'_> {
    async fn begin(plan: &Plan, after: usize) -> Result<Scene<'_>> {
        let options = options(plan.state.join(format!("w{after}")), plan.chain)?;
        let programs = processes::digest(&options.program)?;
        let mut world = World::start(options, |step| eprintln!("world: {step}")).await?;
        let mut environment = Vec::new();
        if plan.victims.iter().any(|victim| victim.loses_power()) {
            environment = power::environment()?;
            for host in [&mut world.provider, &mut world.buyer] {
                host.restart(&borrowed(&environment)).await?;
            }
            until_connected(&world).await?;
        }
        open_the_gates(&world.provider, CUSTOMERS * 2).await?;
        go_online(&world.provider.home).await?;
        Ok(Scene {
            plan,
            world,
            environment,
            before: Tally::default(),
            programs,
        })
    }

    async fn round(&mut self, number: u32) -> Result<Round> {
        let mut draw = Draw::of(self.plan.seed, number);
        let victim = *draw
            .one_of(&self.plan.victims)
            .context("nobody to kill is named")?;
        let after_ms = draw.below(WINDOW_MS);
        let market = Market::new(
            &self.world.buyer.home,
            &self.world.provider.pubkey,
            &format!("kill {number}"),
            u32::MAX,
        );
        let served = AtomicBool::new(false);
        let serve = async {
            let done = market.serve(CUSTOMERS).await;
            served.store(true, Ordering::SeqCst);
            done
        };
        let strike = async {
            market.until(1).await;
            tokio::time::sleep(Duration::from_millis(after_ms)).await;
            let over = market.over();
            market.close();
            let since = Instant::now();
            let loss = self
                .kill(victim, &mut draw)
                .await
                .with_context(|| format!("{victim:?}"))?;
            until_connected(&self.world).await?;
            if matches!(victim, Victim::Provider | Victim::ProviderPower) {
                go_online(&self.world.provider.home).await?;
            }
            let connected_ms = ms(since.elapsed());
            // What was on its way in a channel that closed is decided by the chain.
            while !served.load(Ordering::SeqCst) {
                tokio::time::sleep(MINE_AGAIN).await;
                self.world.mine(1)?;
            }
            anyhow::Ok((since, over, connected_ms, loss))
        };
        let (served, struck) = tokio::join!(serve, strike);
        let (since, over, connected_ms, loss) = struck?;
        let mut problems = Vec::new();
        for done in [served, until_settled(&self.world).await] {
            if let Err(error) = done {
                problems.push(format!("{error:#}"));
            }
        }
        let whole_ms = ms(since.elapsed());
        self.check(&mut problems).await?;
        let now = tally(self.world.provider.home.path(), self.world.buyer.home.path()).await?;
        let tally = now.since(&self.before);
        self.before = now;
        Ok(Round {
            round: number,
            seed: self.plan.seed,
            programs: self.programs.clone(),
            victim,
            after_ms,
            over,
            connected_ms,
            whole_ms,
            loss,
            tally,
            problems,
        })
    }

    async fn kill(&mut self, victim: Victim, draw: &mut Draw) -> Result<Option<Loss>> {
        let world = &mut self.world;
        let child = match victim {
            Victim::ProviderWallet => Some((&world.provider, WALLET)),
            Victim::ProviderWorker => Some((&world.provider, WORKER)),
            Victim::BuyerWallet => Some((&world.buyer, WALLET)),
            Victim::HubWallet => Some((&world.hub, WALLET)),
            _ => None,
        };
        if let Some((host, program)) = child {
            kill_child(host, program).await?;
            return Ok(None);
        }
        let host = match victim {
            Victim::Provider | Victim::ProviderPower => &mut world.provider,
            Victim::Buyer | Victim::BuyerPower => &mut world.buyer,
            _ => &mut world.hub,
        };
        // What a client was told is durable, whatever happens next.
        let told = last_fact_told(host).await?;
        host.kill().await;
        let ledger = host.home.ledger_file();
        let folder = ledger.parent().context("a ledger lies in a folder")?;
        let loss = victim
            .loses_power()
            .then(|| power::lose(folder, draw))
            .transpose()?;
        host.restart(&borrowed(&self.environment)).await?;
        let left = last_fact_told(host).await?;
        ensure!(left >= told, "fact {told} was told, and only {left} are left");
        Ok(loss)
    }

    /// Both ledgers hold, and the wallets agree with them.
    async fn check(&mut self, problems: &mut Vec<String>) -> Result<()> {
        let world = &mut self.world;
        let environment = borrowed(&self.environment);
        let (provider, buyer) = tokio::join!(
            world.provider.restart(&environment),
            world.buyer.restart(&environment)
        );
        provider?;
        buyer?;
        for host in [&world.provider, &world.buyer] {
            match sound(host.home.path()).await {
                Ok(found) if found.difference_msat == 0 => {}
                Ok(found) => problems.push(format!("{}: {} msat differ", host.role, found.difference_msat)),
                Err(error) => problems.push(format!("{}: {error:#}", host.role)),
            }
        }
        until_connected(world).await?;
        go_online(&world.provider.home).await
    }
}

fn borrowed<'a>(environment: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    environment
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect()
}

/// The newest fact that a host tells of.
async fn last_fact_told(host: &Child) -> Result<u64> {
    let status = host.client()?.status(pb::StatusRequest {}).await?.into_inner();
    Ok(status.basis.context("an answer without its basis")?.sequence)
}

/// Kills a host's child, and waits until it is gone: its host reaps it. Its replacement is another process.
async fn kill_child(host: &Child, program: &str) -> Result<()> {
    let pid = processes::child_of(host, program).with_context(|| format!("{program} does not run"))?;
    processes::signal(pid, Signal::SIGKILL)?;
    while processes::child_of(host, program) == Some(pid) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}
