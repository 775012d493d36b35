//! A model of the store: what was appended is durable or gone, and is read back from its bytes. The real store's own
//! promise to be such a one is tried apart, under a faulty file system.
use std::{
    collections::HashMap,
    convert::Infallible,
    future::{Future, ready},
    pin::pin,
    task::{Context, Poll, Waker},
};

use autopilot_core::group::Past;
use autopilot_events::{Head, Recorded, envelope};

/// The ledger on disk.
#[derive(Debug, Default)]
pub struct Disk {
    facts: Vec<Recorded>,
    keys: HashMap<String, usize>,
    streams: HashMap<String, u64>,
    /// The newest snapshot of the state, and where it was taken.
    pub snapshot: Option<(Head, Vec<u8>)>,
    /// A bug: looking a key up finds nothing.
    pub forgets_keys: bool,
}

impl Disk {
    /// All facts, in order.
    pub fn facts(&self) -> &[Recorded] {
        &self.facts
    }

    /// Where it ends.
    pub fn head(&self) -> Head {
        self.facts.last().map_or_else(Head::empty, Recorded::head)
    }

    /// The fact that took a key.
    pub fn by_key(&self, key: &str) -> Option<&Recorded> {
        self.keys.get(key).and_then(|index| self.facts.get(*index))
    }

    /// Makes facts durable, as their bytes say them.
    ///
    /// # Errors
    /// What is wrong with them: the store would have refused.
    pub fn append(&mut self, facts: &[Recorded]) -> Result<(), String> {
        for sealed in facts {
            let head = self.head();
            let fact = envelope::open(&head, &sealed.bytes).map_err(|error| error.to_string())?;
            let (sequence, stream) = (fact.fact.sequence, fact.fact.stream.clone());
            if fact != *sealed {
                return Err(format!("fact {sequence} is read back as another one"));
            }
            if fact.fact.recorded_at_ms < head.recorded_at_ms {
                return Err(format!("fact {sequence} is recorded before its predecessor"));
            }
            let version = self.streams.entry(stream).or_insert(0);
            *version += 1;
            if *version != fact.fact.stream_version {
                return Err(format!(
                    "fact {sequence} says version {} of its stream, {version} was due",
                    fact.fact.stream_version
                ));
            }
            let key = fact.fact.idempotency_key.clone();
            if !key.is_empty()
                && let Some(first) = self.keys.insert(key.clone(), self.facts.len())
            {
                return Err(format!(
                    "the key {key} of fact {sequence} was taken by fact {}",
                    first + 1
                ));
            }
            self.facts.push(fact);
        }
        Ok(())
    }
}

impl Past for Disk {
    type Error = Infallible;

    fn fact_by_key(&self, key: &str) -> impl Future<Output = Result<Option<Recorded>, Infallible>> + Send {
        ready(Ok(self.by_key(key).filter(|_| !self.forgets_keys).cloned()))
    }

    fn stream_version(&self, stream: &str) -> impl Future<Output = Result<u64, Infallible>> + Send {
        ready(Ok(self.streams.get(stream).copied().unwrap_or(0)))
    }
}

/// The value of a future that waits for nothing, as everything over a [`Disk`] is.
pub fn at_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
