//! Seals drafts into facts in memory, as the engine does: numbers, stream versions, a clock that may go back.
use std::collections::HashMap;

use autopilot_events::{
    Draft, Event, Head, Recorded,
    envelope::{open, seal},
    pb,
};
use prost::Message;

/// Continues a ledger in memory.
#[derive(Clone, Debug)]
pub struct Pen {
    /// Where it stands.
    pub head: Head,
    versions: HashMap<String, u64>,
}

impl Default for Pen {
    fn default() -> Self {
        Pen {
            head: Head::empty(),
            versions: HashMap::new(),
        }
    }
}

impl Pen {
    /// A pen that goes on behind `facts`, which are a whole ledger.
    pub fn behind<'a>(facts: impl IntoIterator<Item = &'a Recorded>) -> Pen {
        let mut pen = Pen::default();
        for fact in facts {
            pen.head = fact.head();
            pen.versions
                .insert(fact.fact.stream.clone(), fact.fact.stream_version);
        }
        pen
    }

    /// Seals the next fact. `utc_ms` is the raw clock; recorded times never go back.
    pub fn write(&mut self, draft: Draft, utc_ms: i64) -> Recorded {
        let version = self.versions.entry(draft.stream.clone()).or_insert(0);
        *version += 1;
        let fact = match draft.event.clone() {
            Event::Unknown {
                kind,
                version: schema,
            } => self.unknown(&draft, &kind, schema, utc_ms),
            _ => seal(&self.head, *version, draft, self.head.sequence, utc_ms),
        };
        self.head = fact.head();
        fact
    }

    /// What a newer program would have written: a type that this one does not know, with a payload.
    fn unknown(&self, draft: &Draft, kind: &str, schema: u32, utc_ms: i64) -> Recorded {
        let fact = pb::Fact {
            sequence: self.head.sequence + 1,
            r#type: kind.to_owned(),
            version: schema,
            critical: false,
            stream: draft.stream.clone(),
            stream_version: self.versions.get(&draft.stream).copied().unwrap_or(1),
            recorded_at_ms: utc_ms.max(self.head.recorded_at_ms),
            utc_ms,
            causation: 0,
            correlation: draft.correlation.clone(),
            source: draft.source as i32,
            idempotency_key: draft.idempotency_key.clone(),
            payload: b"what a newer program meant".to_vec(),
        };
        // A fact of the next number with an unknown type is readable by the rules of the envelope.
        open(&self.head, &fact.encode_to_vec()).unwrap_or_else(|error| unreachable!("{error}"))
    }
}
