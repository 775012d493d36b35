//! The journal: what is worth a line beside the ledger. Bounded; what does not fit is counted.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use autopilot_core::ports::market::{JournalBatch, JournalEntry, JournalKind};
use autopilot_events::words::EventId;

use crate::words::clip;

/// The most bytes of an entry's words.
const MAX_DETAIL_BYTES: usize = 300;

pub(super) struct Journal {
    state: Mutex<JournalBatchQueue>,
    capacity: usize,
}

#[derive(Default)]
struct JournalBatchQueue {
    entries: VecDeque<JournalEntry>,
    dropped: u64,
}

impl Journal {
    pub fn new(capacity: usize) -> Self {
        Self {
            state: Mutex::default(),
            capacity,
        }
    }

    pub fn note(&self, relay: &str, event: Option<EventId>, what: JournalKind, detail: &str) {
        let entry = JournalEntry {
            at_s: unix_now_s(),
            relay: relay.to_owned(),
            event,
            what,
            detail: clip(detail, MAX_DETAIL_BYTES).to_owned(),
        };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.entries.len() < self.capacity {
            state.entries.push_back(entry);
        } else {
            state.dropped = state.dropped.saturating_add(1);
        }
    }

    pub fn drain(&self, max: usize) -> JournalBatch {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let count = max.min(state.entries.len());
        JournalBatch {
            entries: state.entries.drain(..count).collect(),
            dropped: std::mem::take(&mut state.dropped),
        }
    }
}

/// Seconds since 1970; 0 on a clock before that.
pub(super) fn unix_now_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_counted() {
        let journal = Journal::new(2);
        for _ in 0..5 {
            journal.note("ws://a", None, JournalKind::Said, &"ä".repeat(400));
        }
        let batch = journal.drain(10);
        assert_eq!((batch.entries.len(), batch.dropped), (2, 3));
        assert!(
            batch
                .entries
                .iter()
                .all(|entry| entry.detail.len() <= MAX_DETAIL_BYTES)
        );
        assert_eq!(journal.drain(10), JournalBatch::default());
    }
}
