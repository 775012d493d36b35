//! A ledger in memory that drives the engine as the host does: identity looked up first, late payments bound by
//! payment hash, facts numbered and read back from their bytes. After every step the promises are checked.
use std::collections::HashMap;

use autopilot_core::{
    Effect, Engine, Input,
    input::{WalletInput, invoice_key},
    refusal::Code,
};
use autopilot_events::{Event, Head, Recorded, envelope, pb, words::JobId};
use autopilot_projections::{State, rows::refusal_name};

use crate::promises::Promises;

/// When every story begins: milliseconds since the Unix epoch.
pub const NOON_MS: i64 = 1_800_000_000_000;

/// The engine, its facts, and the clock.
pub struct Ledger {
    pub engine: Engine,
    pub facts: Vec<Recorded>,
    pub now_ms: i64,
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
            keys: HashMap::new(),
            streams: HashMap::new(),
            shadow: Engine::new(Head::empty(), State::default()),
            promises: Promises::default(),
        }
    }

    /// Hands an input in and says what came of it, a line for each fact; see [`line`].
    pub fn submit(&mut self, mut input: Input) -> Vec<String> {
        if let Some(fact) = input.identity().and_then(|key| self.keys.get(&key)) {
            let agrees = input.agrees_with(&self.facts[*fact].event);
            return vec![if agrees { "duplicate" } else { "conflict" }.to_owned()];
        }
        self.bind(&mut input);
        match self.engine.decide(input, self.now_ms) {
            Err(refusal) => {
                assert!(!refusal.sentence.is_empty());
                vec![format!("no: {}", code(refusal.code))]
            }
            Ok(drafts) => {
                let streams = &self.streams;
                let version = |stream: &str| streams.get(stream).copied().unwrap_or(0);
                let facts = self.engine.record(drafts, version, self.now_ms);
                let lines = facts.iter().map(|fact| line(&fact.event)).collect();
                facts.into_iter().for_each(|fact| self.take(fact));
                assert_eq!(self.engine.state(), self.shadow.state());
                assert_eq!(self.engine.outstanding(), self.shadow.outstanding());
                lines
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

    /// All facts of one type.
    pub fn all(&self, kind: &str) -> Vec<&Recorded> {
        self.facts
            .iter()
            .filter(|fact| fact.fact.r#type == kind)
            .collect()
    }

    /// As the host does: a payment that comes when its job is over finds it by the invoice's key.
    fn bind(&self, input: &mut Input) {
        let Input::Wallet(WalletInput::Received { payment, bound }) = input else {
            return;
        };
        let fact = self
            .keys
            .get(&invoice_key(&payment.payment_hash))
            .map(|fact| &self.facts[*fact].event);
        if let Some(Event::InvoiceIssued(invoice)) = fact {
            *bound = Some(JobId::of(&invoice.job_id));
        }
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
        Event::IntakeAggregated(m) => m.count.to_string(),
        _ => return event.kind().to_owned(),
    };
    format!("{} {word}", event.kind())
}
