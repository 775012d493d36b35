//! The host's part: queue, commit, answers, effects, wallet events, starts and crashes, in the order of `host/src/ledger`,
//! `host/src/effects` and `host/src/treasury`. What it decides is the real engine's.
use std::collections::{BTreeMap, VecDeque};

use autopilot_core::{
    Engine, Input, Refusal,
    group::{Answered, Declined, Done, Group},
    input::{Command, WalletInput},
    policy::default_policy,
};
use autopilot_events::{Head, pb};
use autopilot_projections::State;

use crate::{
    bug::Bug,
    disk::at_once,
    oracle::Wrong,
    world::{Happening, Host, Reply, Task, World, same_state},
};

/// Facts from one snapshot to the next.
const SNAPSHOT_EVERY: u64 = 40;
/// First pause after a failed try, doubled up to the longest, in milliseconds.
const FIRST_PAUSE_MS: i64 = 200;
const LONGEST_PAUSE_MS: i64 = 10_000;

impl World {
    pub(crate) fn is(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// A host takes over: snapshot and tail, then first facts, the wallet's list, and everything outstanding.
    pub(crate) fn starts(&mut self) -> Result<(), Wrong> {
        if self.host.is_some() {
            return Ok(());
        }
        self.oracle.nothing_lost(&self.disk)?;
        let mut replayed = Engine::new(Head::empty(), State::default());
        self.disk.facts().iter().for_each(|fact| replayed.replay(fact));
        let mut engine = Engine::new(Head::empty(), State::default());
        if let Some((head, bytes)) = &self.disk.snapshot
            && let Some(state) = State::from_snapshot(bytes)
        {
            engine = Engine::new(*head, state);
        }
        let from = engine.head().sequence;
        let tail = self.disk.facts().iter().filter(|fact| fact.fact.sequence > from);
        if !self.is(Bug::NoTail) {
            tail.for_each(|fact| engine.replay(fact));
        }
        same_state(replayed.state(), engine.state(), "after a start from a snapshot")?;
        if engine.head() != replayed.head() {
            return Err("a snapshot with its tail ends elsewhere than the ledger".to_owned());
        }
        self.host = Some(Host {
            last_snapshot: from,
            engine,
            queue: VecDeque::new(),
            draining: false,
            running: BTreeMap::new(),
            telling: false,
            nothing_closing_since: None,
            was_online: false,
        });
        let opened = pb::LedgerOpened {
            ledger_id: vec![7; 16],
            network: "regtest".to_owned(),
            identity: self.own.to_vec(),
            program: "simulator".to_owned(),
        };
        self.submit(Input::Person(Command::OpenLedger(opened)), Reply::Nobody);
        self.submit(Input::Resumed, Reply::Nobody);
        if replayed.state().provider.policy.is_none() {
            let mut policy = default_policy(1_000 * (1 + self.chance.below(20)));
            policy.max_in_flight = 1 + u32::from(self.chance.one_in(2)) * 2;
            self.submit(Input::Person(Command::SetPolicy(policy)), Reply::Nobody);
        }
        self.reconcile();
        if !self.is(Bug::NoTicks) {
            self.later_here(1_000, Happening::Tick);
        }
        self.later_here(300, Happening::Observe);
        self.later_here(50, Happening::Tells);
        self.begin_effects()
    }

    /// The process ends, whatever it was at.
    pub(crate) fn crash(&mut self) -> Result<(), Wrong> {
        if let Some(host) = self.host.take() {
            self.summary.crashes += 1;
            if *host.engine.head() == self.disk.head() {
                let mut state = State::default();
                self.disk.facts().iter().for_each(|fact| state.apply(fact));
                same_state(&state, host.engine.state(), "before a crash")?;
            }
        }
        self.epoch += 1;
        let down_ms = if self.chance.one_in(4) { 120_000 } else { 3_000 };
        let down_ms = self.chance.between(50, down_ms);
        self.later(down_ms, Happening::Starts);
        Ok(())
    }

    /// Hands an input in; a full queue is drained a moment later.
    pub(crate) fn submit(&mut self, input: Input, reply: Reply) {
        let wait_ms = self.chance.between(0, 20);
        let Some(host) = &mut self.host else { return };
        host.queue.push_back((input, reply));
        if !std::mem::replace(&mut host.draining, true) {
            self.later_here(wait_ms, Happening::Drain);
        }
    }

    /// One group: decided, committed, acted on, answered.
    pub(crate) fn drain(&mut self) -> Result<(), Wrong> {
        let clock_ms = self.clock_ms();
        let waiting = self.host.as_ref().map_or(0, |host| host.queue.len());
        let most = 1 + usize::try_from(self.chance.below(waiting as u64)).unwrap_or(0);
        let Some(host) = &mut self.host else { return Ok(()) };
        host.draining = false;
        let mut group: Group<Reply> = Group::default();
        for _ in 0..most {
            let Some((input, reply)) = host.queue.pop_front() else {
                break;
            };
            let decided = group.decide(&mut host.engine, &self.disk, input, clock_ms, reply);
            match at_once(decided) {
                Some(Ok(_)) => {}
                None => return Err("the model of the store made somebody wait".to_owned()),
            }
        }
        if !host.queue.is_empty() {
            host.draining = true;
            self.later_here(1, Happening::Drain);
        }
        if self.is(Bug::SnapshotFirst) {
            self.snapshot();
        }
        if self.is(Bug::EffectsFirst) {
            self.begin_effects()?;
        }
        let facts = group.facts().to_vec();
        let decided = self
            .host
            .as_ref()
            .map_or_else(Head::empty, |host| *host.engine.head());
        let mut unanswered = Some(group);
        if let Some(group) = unanswered.take_if(|_| self.bug == Some(Bug::AnswerFirst)) {
            let answers = group.answers(&decided).map_err(|error| error.to_string())?;
            self.answer(answers)?;
        }
        if !facts.is_empty() {
            if self.fault(1) {
                // Before the commit: nothing of it was kept, and nobody can be answered.
                let answered = unanswered.map(|group| group.answers(&self.disk.head()));
                if answered.is_some_and(|answers| answers.is_ok()) {
                    return Err("answers are given away for facts that are not durable".to_owned());
                }
                return self.crash();
            }
            if self.disk_full {
                self.summary.full_disks += 1;
                if !self.is(Bug::IgnoresFullDisk) {
                    return self.crash(); // A failed commit stops the process.
                }
            } else {
                self.disk.append(&facts)?;
                self.oracle.read(&self.disk, &self.wallet)?;
            }
            if self.fault(1) {
                return self.crash(); // After the commit, before anybody was told.
            }
        }
        if let Some(host) = &self.host {
            self.oracle.holds(host.engine.state())?;
        }
        self.begin_effects()?;
        if let Some(group) = unanswered {
            let durable = match self.is(Bug::IgnoresFullDisk) {
                true => decided,
                false => self.disk.head(),
            };
            let answers = group.answers(&durable).map_err(|error| error.to_string())?;
            self.answer(answers)?;
        }
        let due = self
            .host
            .as_ref()
            .is_some_and(|host| host.engine.head().sequence - host.last_snapshot >= SNAPSHOT_EVERY);
        if due {
            self.snapshot();
        }
        self.came_online();
        Ok(())
    }

    fn snapshot(&mut self) {
        if let Some(host) = &mut self.host {
            host.last_snapshot = host.engine.head().sequence;
            self.disk.snapshot = Some((*host.engine.head(), host.engine.state().to_snapshot()));
        }
    }

    fn answer(&mut self, answers: Vec<(Reply, Answered)>) -> Result<(), Wrong> {
        for (reply, answer) in answers {
            if let Ok(Done::Recorded { head, .. }) = &answer {
                self.oracle.acknowledge(*head);
            }
            match reply {
                Reply::Nobody => {}
                Reply::Event(id, key) => {
                    if answer.is_ok() && self.wallet.contradictions.contains(&id) {
                        return Err(format!(
                            "the wallet contradicted itself ({key:?}), and was answered {answer:?}"
                        ));
                    }
                    let wait_ms = self.chance.between(0, 30);
                    self.later_here(wait_ms, Happening::Forgets(id));
                    if self.is(Bug::ConflictPays) && matches!(answer, Err(Declined::Conflict { .. })) {
                        self.records_conflict(key);
                    }
                }
                Reply::Task(task, effect) => match answer {
                    Ok(_) => self.finish(&effect, task),
                    Err(Declined::Refused(Refusal { .. }) | Declined::Conflict { .. }) => {
                        self.again(effect, task)
                    }
                },
            }
        }
        Ok(())
    }

    /// [`Bug::ConflictPays`].
    fn records_conflict(&mut self, key: Option<String>) {
        let fact = key.and_then(|key| self.disk.by_key(&key).cloned());
        if let Some(autopilot_events::Event::WalletPaymentReceived(mut payment)) = fact.map(|fact| fact.event)
        {
            payment.payment_hash = self.chance.id().to_vec();
            let received = WalletInput::Received { payment, bound: None };
            self.submit(Input::Wallet(received), Reply::Nobody);
        }
    }

    /// Starts what is outstanding and not under way, and drops what no longer is.
    pub(crate) fn begin_effects(&mut self) -> Result<(), Wrong> {
        let Some(host) = &mut self.host else { return Ok(()) };
        let wanted = host.engine.outstanding();
        host.running
            .retain(|effect, task| !task.finished && wanted.contains(effect));
        let mut begun = Vec::new();
        for effect in wanted {
            let number = &mut self.number;
            host.running.entry(effect.clone()).or_insert_with(|| {
                *number += 1;
                begun.push((effect, *number));
                Task {
                    id: *number,
                    finished: false,
                    pause_ms: FIRST_PAUSE_MS,
                }
            });
        }
        for (effect, id) in begun {
            if self.is(Bug::EffectsFirst) {
                self.begins(&effect, id)?;
            } else {
                let wait_ms = self.wait_before(&effect);
                self.later_here(wait_ms, Happening::Begins(effect, id));
            }
        }
        Ok(())
    }

    pub(crate) fn finish(&mut self, effect: &autopilot_core::Effect, id: u64) {
        let task = self.host.as_mut().and_then(|host| host.running.get_mut(effect));
        if let Some(task) = task.filter(|task| task.id == id) {
            task.finished = true;
        }
    }

    /// Not yet: tried again after a pause.
    pub(crate) fn again(&mut self, effect: autopilot_core::Effect, id: u64) {
        let task = self.host.as_mut().and_then(|host| host.running.get_mut(&effect));
        let Some(task) = task.filter(|task| task.id == id) else {
            return;
        };
        let pause_ms = task.pause_ms;
        task.pause_ms = (pause_ms * 2).min(LONGEST_PAUSE_MS);
        if self.is(Bug::NoSecondTry) {
            return;
        }
        self.later_here(pause_ms, Happening::Begins(effect, id));
    }

    pub(crate) fn tick(&mut self) {
        self.submit(Input::Tick, Reply::Nobody);
        let every_ms = if self.troubled() {
            1_000 * (1 + self.number as i64 % 20)
        } else {
            60_000
        };
        self.later_here(every_ms, Happening::Tick);
    }
}
