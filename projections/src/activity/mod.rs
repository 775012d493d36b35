//! Every fact in words for a person: what happened, to what, by whose word. A page of the feed is a page of the ledger.
mod words;

use autopilot_events::{Event, Recorded, pb};

use crate::hexadecimal;

/// What a fact is about, as the feed is filtered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Domain {
    /// Conversations with the model of this machine.
    Chat,
    /// Jobs that are worked here.
    Job,
    /// Money that moves.
    Wallet,
    /// Presence, demand, and what this machine buys.
    Network,
    /// The state that several devices share.
    Sync,
    /// Identity, rules and the ledger itself.
    Ledger,
}

impl Domain {
    /// All of them, in the order of the filters.
    pub const ALL: [Domain; 6] = [
        Domain::Chat,
        Domain::Job,
        Domain::Wallet,
        Domain::Network,
        Domain::Sync,
        Domain::Ledger,
    ];

    /// As it is shown and asked for.
    pub fn name(self) -> &'static str {
        match self {
            Domain::Chat => "chat",
            Domain::Job => "job",
            Domain::Wallet => "wallet",
            Domain::Network => "network",
            Domain::Sync => "sync",
            Domain::Ledger => "ledger",
        }
    }

    /// The domain of a name.
    pub fn of_name(name: &str) -> Option<Domain> {
        Domain::ALL.into_iter().find(|domain| domain.name() == name)
    }
}

/// One fact in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Number of the fact: the way to its proof.
    pub sequence: u64,
    /// When it was recorded.
    pub at_ms: i64,
    /// What it is about.
    pub domain: Domain,
    /// Whose word it is: relay, wallet, model, clock, person, policy, sync.
    pub source: &'static str,
    /// What happened.
    pub sentence: String,
    /// Job, payment hash, intent, channel or transaction that it is about; empty where it is about none.
    pub subject: String,
    /// Name in the catalogue.
    pub kind: String,
}

/// A fact in words.
pub fn line(fact: &Recorded) -> Line {
    let (domain, subject, sentence) = words::of(&fact.event);
    Line {
        sequence: fact.fact.sequence,
        at_ms: fact.fact.recorded_at_ms,
        domain,
        source: source(fact.fact.source),
        sentence,
        subject,
        kind: fact.fact.r#type.clone(),
    }
}

/// What a fact is about, without making its words.
pub fn domain(event: &Event) -> Domain {
    words::of(event).0
}

/// Name of a source, as a badge shows it; one that is not known says nothing.
pub fn source(source: i32) -> &'static str {
    match pb::Source::try_from(source).unwrap_or_default() {
        pb::Source::Unspecified => "",
        pb::Source::Relay => "relay",
        pb::Source::Wallet => "wallet",
        pb::Source::Model => "model",
        pb::Source::Clock => "clock",
        pb::Source::Person => "person",
        pb::Source::Policy => "policy",
        pb::Source::Sync => "sync",
    }
}

/// The beginning of an id, as people tell ids apart.
fn short(id: &[u8]) -> String {
    hexadecimal(&id[..id.len().min(4)])
}
