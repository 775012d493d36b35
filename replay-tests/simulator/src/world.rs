//! Virtual time, and what happens in it: one agenda, one seed, no thread.
use std::collections::{BTreeMap, VecDeque};

use autopilot_core::{
    Effect, Engine, Input,
    input::{Answer, Cancelled, Request},
};
use autopilot_events::words::{EventId, JobId, PaymentHash, PublicKey};
use autopilot_projections::State;

use crate::{
    bug::Bug,
    chance::Chance,
    disk::Disk,
    oracle::{Oracle, Wrong},
    wallet::Wallet,
};

/// When every world begins, milliseconds since the Unix epoch.
const BEGIN_MS: i64 = 1_760_000_000_000;
/// A world that comes no nearer to its end is broken.
const STEPS_MAX: u64 = 400_000;
/// How long after the last fault everything has to be over: an invoice's life, its grace, a jump of the clock, a channel's closing.
const CALM_MS: i64 = 30 * 3_600_000;

/// What a relay hands over.
#[derive(Clone, Debug)]
pub(crate) enum Wire {
    Request(Box<Request>),
    Cancel(Cancelled),
    Answer(Box<Answer>),
}

/// What came of a piece of work outside.
#[derive(Clone, Debug)]
pub(crate) enum Report {
    Submit(Box<Input>),
    NotYet,
    Nothing,
}

/// Whoever waits for an answer of the ledger.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Nobody,
    Task(u64, Effect),
    /// A wallet event, and the key of the fact that it has to become.
    Event([u8; 32], Option<String>),
}

/// What happens at a moment. Those of a host are of its run alone.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    Tick,
    Observe,
    Drain,
    Submit(Box<Input>),
    Arrives(Wire),
    Tells,
    Forgets([u8; 32]),
    Begins(Effect, u64),
    Ends(Effect, u64, Report),
    Pays(PaymentHash, u64),
    Resolves(String, bool),
    Block,
    Orders,
    Person,
    Trouble,
    Starts,
    WalletBack,
    RelayBack(usize),
    ClockBack,
    DiskBack,
}

/// A piece of outstanding work under way.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) id: u64,
    pub(crate) finished: bool,
    pub(crate) pause_ms: i64,
}

/// The host: everything that a crash takes.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) engine: Engine,
    pub(crate) queue: VecDeque<(Input, Reply)>,
    pub(crate) draining: bool,
    pub(crate) running: BTreeMap<Effect, Task>,
    pub(crate) telling: bool,
    pub(crate) nothing_closing_since: Option<u32>,
    pub(crate) last_snapshot: u64,
    pub(crate) was_online: bool,
}

/// A relay.
#[derive(Debug, Default)]
pub(crate) struct Relay {
    pub(crate) cut: bool,
    pub(crate) stored: Vec<Wire>,
}

/// What an event of ours says.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) job: JobId,
    pub(crate) purpose: i32,
}

/// How one world went.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// Things that happened.
    pub steps: u64,
    /// Facts in the ledger at the end.
    pub facts: u64,
    /// Times the host was killed or stopped.
    pub crashes: u64,
    /// Commits that failed.
    pub full_disks: u64,
    /// Jobs paid.
    pub settled: u64,
    /// Purchases paid.
    pub bought: u64,
    /// Chain value of the last fact, hexadecimal: the same seed gives the same one.
    pub chain: String,
}

/// A contradiction, and how to see it again.
#[derive(Clone, Debug, thiserror::Error)]
#[error("seed {seed}, step {step}, {at_s} s: {what}\nreproduce: cargo run -p replay-tests --release -- sim --seed {seed}{}", .bug.map(|bug| format!(" --bug {}", bug.name())).unwrap_or_default())]
pub struct Broken {
    /// Of which world.
    pub seed: u64,
    /// After how many happenings.
    pub step: u64,
    /// Virtual seconds since its beginning.
    pub at_s: i64,
    /// What does not hold.
    pub what: Wrong,
    /// A bug that was sown.
    pub bug: Option<Bug>,
}

/// Everything there is.
#[derive(Debug)]
pub struct World {
    pub(crate) now_ms: i64,
    pub(crate) skew_ms: i64,
    pub(crate) calm_at_ms: i64,
    pub(crate) chance: Chance,
    pub(crate) agenda: BTreeMap<(i64, u64), (Option<u64>, Happening)>,
    pub(crate) number: u64,
    pub(crate) epoch: u64,
    pub(crate) disk: Disk,
    pub(crate) disk_full: bool,
    pub(crate) wallet: Wallet,
    pub(crate) relays: Vec<Relay>,
    pub(crate) said: BTreeMap<EventId, Said>,
    pub(crate) buyers: Vec<PublicKey>,
    pub(crate) own: PublicKey,
    pub(crate) wants_online: bool,
    pub(crate) host: Option<Host>,
    pub(crate) oracle: Oracle,
    pub(crate) bug: Option<Bug>,
    pub(crate) summary: Summary,
    pub(crate) traced: bool,
}

impl World {
    /// The world of a seed. `traced`: every step is printed.
    pub fn new(seed: u64, bug: Option<Bug>, traced: bool) -> World {
        let mut chance = Chance::of(seed);
        let buyers = (0..4).map(|_| PublicKey(chance.id())).collect();
        let own = PublicKey(chance.id());
        let calm_at_ms = BEGIN_MS + chance.between(10, 150) * 60_000;
        let mut world = World {
            now_ms: BEGIN_MS,
            skew_ms: 0,
            calm_at_ms,
            chance,
            agenda: BTreeMap::new(),
            number: 0,
            epoch: 0,
            disk: Disk::default(),
            disk_full: false,
            wallet: Wallet {
                up: true,
                ..Wallet::default()
            },
            relays: (0..3).map(|_| Relay::default()).collect(),
            said: BTreeMap::new(),
            buyers,
            own,
            wants_online: true,
            host: None,
            oracle: Oracle::default(),
            bug,
            summary: Summary::default(),
            traced,
        };
        world.disk.forgets_keys = bug == Some(Bug::ForgetsKeys);
        let pushed_msat = 1_000_000 * (1 + world.chance.below(60));
        world.wallet.open(&mut world.chance, 400_000, pushed_msat);
        for happening in [
            Happening::Starts,
            Happening::Block,
            Happening::Orders,
            Happening::Person,
            Happening::Trouble,
        ] {
            world.later(0, happening);
        }
        world
    }

    /// Lives a whole world and says how it went.
    ///
    /// # Errors
    /// The first contradiction.
    pub fn live(seed: u64, bug: Option<Bug>, traced: bool) -> Result<Summary, Broken> {
        let mut world = World::new(seed, bug, traced);
        world.run().map_err(|what| Broken {
            seed,
            step: world.summary.steps,
            at_s: (world.now_ms - BEGIN_MS) / 1_000,
            what,
            bug,
        })?;
        Ok(world.summary)
    }

    fn run(&mut self) -> Result<(), Wrong> {
        let end_ms = self.calm_at_ms + CALM_MS;
        while let Some(((at_ms, _), (epoch, happening))) = self.agenda.pop_first() {
            if at_ms > end_ms {
                break;
            }
            self.now_ms = at_ms.max(self.now_ms);
            if epoch.is_some_and(|epoch| epoch != self.epoch || self.host.is_none()) {
                continue;
            }
            self.summary.steps += 1;
            if self.summary.steps > STEPS_MAX {
                return Err(format!("no end after {STEPS_MAX} steps"));
            }
            if self.traced {
                println!(
                    "{:>9.3} s  {happening:?}",
                    (self.now_ms - BEGIN_MS) as f64 / 1_000.0
                );
            }
            self.happens(happening)?;
        }
        self.ends()
    }

    fn happens(&mut self, happening: Happening) -> Result<(), Wrong> {
        match happening {
            Happening::Tick => self.tick(),
            Happening::Observe => self.observe(),
            Happening::Drain => return self.drain(),
            Happening::Submit(input) => self.submit(*input, Reply::Nobody),
            Happening::Arrives(wire) => self.arrives(wire),
            Happening::Tells => return self.tells(),
            Happening::Forgets(id) => return self.forgets(&id),
            Happening::Begins(effect, task) => return self.begins(&effect, task),
            Happening::Ends(effect, task, report) => self.task_ends(effect, task, report),
            Happening::Pays(hash, late_s) => self.buyer_pays(hash, late_s),
            Happening::Resolves(key, succeeds) => self.payment_resolves(&key, succeeds),
            Happening::Block => self.block(),
            Happening::Orders => self.orders(),
            Happening::Person => self.person(),
            Happening::Trouble => return self.trouble(),
            Happening::Starts => return self.starts(),
            Happening::WalletBack => self.wallet_back(),
            Happening::RelayBack(relay) => self.relay_back(relay),
            Happening::ClockBack => self.skew_ms = 0,
            Happening::DiskBack => self.disk_full = false,
        }
        Ok(())
    }

    /// Whether faults still happen.
    pub(crate) fn troubled(&self) -> bool {
        self.now_ms < self.calm_at_ms
    }

    /// A fault in so many of a hundred cases, as long as there are any.
    pub(crate) fn fault(&mut self, of_hundred: u64) -> bool {
        self.troubled() && self.chance.percent(of_hundred)
    }

    /// The host's clock.
    pub(crate) fn clock_ms(&self) -> i64 {
        self.now_ms + self.skew_ms
    }

    /// True seconds.
    pub(crate) fn now_s(&self) -> u64 {
        u64::try_from(self.now_ms / 1_000).unwrap_or(0)
    }

    pub(crate) fn later(&mut self, in_ms: i64, happening: Happening) {
        self.put(in_ms, None, happening);
    }

    /// In this run of the host, or never.
    pub(crate) fn later_here(&mut self, in_ms: i64, happening: Happening) {
        self.put(in_ms, Some(self.epoch), happening);
    }

    fn put(&mut self, in_ms: i64, epoch: Option<u64>, happening: Happening) {
        self.number += 1;
        self.agenda
            .insert((self.now_ms + in_ms.max(0), self.number), (epoch, happening));
    }

    /// The end of all: a last look by a fresh host.
    fn ends(&mut self) -> Result<(), Wrong> {
        self.oracle.nothing_lost(&self.disk)?;
        let mut state = State::default();
        self.disk.facts().iter().for_each(|fact| state.apply(fact));
        if let Some(host) = &self.host {
            same_state(&state, host.engine.state(), "at the end")?;
        }
        self.oracle.ended(&state, &self.wallet)?;
        self.summary.facts = self.disk.head().sequence;
        self.summary.settled = state.earnings.jobs_settled;
        self.summary.bought = state.purchases.paid_count;
        self.summary.chain = self.disk.head().chain.to_string();
        Ok(())
    }
}

/// Replayed and live states have the same digests.
pub(crate) fn same_state(replayed: &State, live: &State, when: &str) -> Result<(), Wrong> {
    let differs = replayed
        .digests()
        .into_iter()
        .zip(live.digests())
        .find(|(one, other)| one != other);
    match differs {
        Some(((label, _), _)) => Err(format!("{label}, replayed, has another digest than live, {when}")),
        None => Ok(()),
    }
}
