//! A ledger in memory that drives the engine as the host does, a group of one decision at a time; facts are read back
//! from their bytes. After every step the promises are checked.
use std::{
    collections::HashMap,
    convert::Infallible,
    future::{Future, ready},
    pin::pin,
    task::{Context, Waker},
};

use autopilot_core::{
    Effect, Engine, Input,
    group::{Declined, Done, Group, Past},
    input::{sent_key, won_key},
    refusal::Code,
};
use autopilot_events::{Event, Head, Recorded, envelope, pb};
use autopilot_projections::{State, rows::refusal_name};

use crate::promises::Promises;

/// When every story begins: milliseconds since the Unix epoch.
pub const NOON_MS: i64 = 1_800_000_000_000;

/// What is in the ledger so far.
struct Durable<'a> {
    facts: &'a [Recorded],
    keys: &'a HashMap<String, usize>,
    streams: &'a HashMap<String, u64>,
}

impl Past for Durable<'_> {
    type Error = Infallible;

    fn fact_by_key(&self, key: &str) -> impl Future<Output = Result<Option<Recorded>, Infallible>> + Send {
        ready(Ok(self.keys.get(key).map(|index| self.facts[*index].clone())))
    }

    fn stream_version(&self, stream: &str) -> impl Future<Output = Result<u64, Infallible>> + Send {
        ready(Ok(self.streams.get(stream).copied().unwrap_or(0)))
    }
}

/// The engine, its facts, and the clock.
pub struct Ledger {
    pub engine: Engine,
    pub facts: Vec<Recorded>,
    pub now_ms: i64,
    /// Inputs that were recorded under the key of what they observe.
    pub intakes: Vec<Input>,
    keys: HashMap<String, usize>,
    streams: HashMap<String, u64>,
    /// Folds the same facts, read back from their bytes.
    shadow: Engine,
    promises: Promises,
}

impl Ledger {
    /// Without a fact.
    pub fn empty() -> Ledger {
        Ledger {
            engine: Engine::new(Head::empty(), State::default()),
            facts: Vec::new(),
            now_ms: NOON_MS,
            intakes: Vec::new(),
            keys: HashMap::new(),
            streams: HashMap::new(),
            shadow: Engine::new(Head::empty(), State::default()),
            promises: Promises::default(),
        }
    }

    /// Hands an input in and says what came of it, a line for each fact; see [`line`].
    pub fn submit(&mut self, input: Input) -> Vec<String> {
        let durable = Durable {
            facts: &self.facts,
            keys: &self.keys,
            streams: &self.streams,
        };
        let mut group = Group::default();
        let observed = input
            .identity()
            .filter(|key| !self.keys.contains_key(key))
            .map(|key| (key, input.clone()));
        let decided = pin!(group.decide(&mut self.engine, &durable, input, self.now_ms, ()))
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(decided.is_ready(), "a ledger in memory makes nobody wait");
        for fact in group.facts().to_vec() {
            self.take(fact);
        }
        self.intakes.extend(
            observed
                .filter(|(key, _)| self.keys.contains_key(key))
                .map(|(_, input)| input),
        );
        let new = group.facts().iter().map(|fact| line(&fact.event)).collect();
        assert_eq!(self.engine.state(), self.shadow.state());
        assert_eq!(self.engine.outstanding(), self.shadow.outstanding());
        let mut answers = group.answers(self.shadow.head()).expect("all facts were taken");
        match answers.pop().expect("whoever hands in is answered").1 {
            Ok(Done::Recorded { .. }) => new,
            Ok(Done::Duplicate { .. }) => vec!["duplicate".to_owned()],
            Err(Declined::Conflict { .. }) => vec!["conflict".to_owned()],
            Err(Declined::Refused(refusal)) => {
                assert!(!refusal.sentence.is_empty());
                vec![format!("no: {}", code(refusal.code))]
            }
        }
    }

    /// The one assertion of most tests: this input leads to these facts.
    #[track_caller]
    pub fn check(&mut self, input: Input, expected: &[&str]) {
        assert_eq!(self.submit(input), expected);
    }

    /// What is to be done to the outside world.
    #[track_caller]
    pub fn owes(&self, expected: &[Effect]) {
        assert_eq!(self.engine.outstanding(), expected);
    }

    /// Time passes, and the clock ticks.
    #[track_caller]
    pub fn later(&mut self, ms: i64, expected: &[&str]) {
        self.now_ms += ms;
        self.check(Input::Tick, expected);
    }

    /// The program is killed and started again; `resumed` is what the new run records first.
    #[track_caller]
    pub fn restart(&mut self, resumed: &[&str]) {
        self.reopen(self.facts.len());
        self.check(Input::Resumed, resumed);
    }

    /// A new engine from a snapshot after `at` facts and the facts after it.
    pub fn reopen(&mut self, at: usize) {
        let (head, state) = fold(&self.facts[..at]);
        let state = State::from_snapshot(&state.to_snapshot()).expect("a snapshot loads");
        let readiness = self.engine.readiness().clone();
        let mut engine = Engine::new(head, state);
        self.facts[at..].iter().for_each(|fact| engine.replay(fact));
        assert_eq!(engine.state(), self.engine.state());
        assert_eq!(engine.state().digests(), self.engine.state().digests());
        assert_eq!(engine.head(), self.engine.head());
        assert_eq!(engine.outstanding(), self.engine.outstanding());
        self.engine = engine;
        let told = self.engine.decide(Input::Readiness(readiness), self.now_ms);
        assert!(told.is_ok_and(|drafts| drafts.is_empty()));
    }

    /// An answer as the host hands it on: it has looked up whether its invoice was paid or chosen before.
    pub fn looked_up(&self, mut input: Input) -> Input {
        if let Input::Answer(answer) = &mut input
            && let Some(Ok(bill)) = &answer.invoice
            && [sent_key, won_key]
                .iter()
                .any(|key| self.keys.contains_key(&key(&bill.payment_hash.0)))
        {
            answer.invoice = Some(Err("reused: it was paid or chosen before".to_owned()));
        }
        input
    }

    /// All facts of one type.
    pub fn all(&self, kind: &str) -> Vec<&Recorded> {
        self.facts
            .iter()
            .filter(|fact| fact.fact.r#type == kind)
            .collect()
    }

    fn take(&mut self, fact: Recorded) {
        let read = envelope::open(self.shadow.head(), &fact.bytes).expect("what was sealed can be read");
        assert_eq!(read, fact);
        self.promises.check(self.shadow.head(), &fact);
        self.shadow.replay(&read);
        self.promises.sums(self.shadow.state());
        let version = self.streams.entry(fact.fact.stream.clone()).or_default();
        *version += 1;
        assert_eq!(
            fact.fact.stream_version, *version,
            "a gap in {}",
            fact.fact.stream
        );
        let key = fact.fact.idempotency_key.clone();
        if !key.is_empty() {
            assert!(
                self.keys.insert(key.clone(), self.facts.len()).is_none(),
                "{key} was recorded twice"
            );
        }
        self.facts.push(fact);
    }
}

/// Folds facts from the very first.
pub fn fold(facts: &[Recorded]) -> (Head, State) {
    let mut state = State::default();
    facts.iter().for_each(|fact| state.apply(fact));
    (facts.last().map_or_else(Head::empty, Recorded::head), state)
}

/// A refusal's code as programs see it, e.g. `not-ready`.
fn code(code: Code) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// A fact as one line: its type, and the word that matters most.
fn line(event: &Event) -> String {
    let purpose = |purpose: i32| {
        let name = pb::Purpose::try_from(purpose).unwrap().as_str_name();
        name.trim_start_matches("PURPOSE_")
            .to_lowercase()
            .replace('_', "-")
    };
    let word = match event {
        Event::JobAccepted(m) if m.order == pb::PaymentOrder::PayFirst as i32 => "pay-first".to_owned(),
        Event::JobAccepted(_) => "work-first".to_owned(),
        Event::JobRefused(m) => refusal_name(m.reason),
        Event::JobStarted(m) => m.attempt.to_string(),
        Event::JobFailed(m) => m.code.clone(),
        Event::JobSettled(m) => m.amount_msat.to_string(),
        Event::EventSigned(m) => purpose(m.purpose),
        Event::EventPublished(m) => purpose(m.purpose),
        Event::EventAbandoned(m) => purpose(m.purpose),
        Event::PaymentAttempted(m) => m.attempt.to_string(),
        Event::PurchaseOffered(m) => m.status.clone(),
        Event::PurchaseRejected(m) => m.reason.split(':').next().unwrap_or_default().to_owned(),
        Event::PurchaseClosed(m) => m.reason.clone(),
        Event::ProviderWentOffline(m) => m.reason.clone(),
        Event::HeadCompared(m) => format!("{:?} {}", m.verdict(), m.first_different),
        Event::HeadKept(m) => format!("{:?} {}", m.verdict(), m.size_before),
        Event::BuyModeStopped(m) => m.reason.clone(),
        Event::CanaryFinished(m) => m.outcome.clone(),
        Event::ChatFailed(m) => m.code.clone(),
        Event::MilestoneReached(m) => m.sats.to_string(),
        Event::MilestoneCelebrated(m) => m.sats.to_string(),
        Event::IntakeAggregated(m) => m.count.to_string(),
        _ => return event.kind().to_owned(),
    };
    format!("{} {word}", event.kind())
}
