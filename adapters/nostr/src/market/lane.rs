//! What is known of one relay: counters and words for people, and the state of its connection.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use autopilot_core::ports::market::{RelayState, RelayStatus};
use nostr::Event;
use tokio::sync::watch;

use super::journal::unix_now_s;
use crate::nip90::ANNOUNCEMENT_KIND;
use crate::words::clip;

/// Events that one relay missed and that are kept for it: a few megabytes at most.
const MAX_MISSED: usize = 64;

/// Bytes kept of a relay's last complaint.
const MAX_ERROR_BYTES: usize = 200;

struct Missed {
    event: Event,
    until: Instant,
}

pub(super) struct LaneStats {
    /// The relay's address as configured.
    pub url: String,
    state: watch::Sender<RelayState>,
    connections: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
    delivered: AtomicU64,
    forged: AtomicU64,
    unanswered: AtomicU64,
    last_seen_s: AtomicU64,
    /// What it missed and is offered again, oldest first.
    missed: Mutex<VecDeque<Missed>>,
    /// Milliseconds and one; 0 is "not known".
    latency_ms: AtomicU64,
    last_error: Mutex<Option<String>>,
}

impl LaneStats {
    pub fn new(url: String) -> Self {
        Self {
            url,
            state: watch::Sender::new(RelayState::Idle),
            connections: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            forged: AtomicU64::new(0),
            unanswered: AtomicU64::new(0),
            last_seen_s: AtomicU64::new(0),
            missed: Mutex::default(),
            latency_ms: AtomicU64::new(0),
            last_error: Mutex::new(None),
        }
    }

    /// Something valid came.
    pub fn heard(&self) {
        self.last_seen_s.store(unix_now_s(), Ordering::Relaxed);
        self.unanswered.store(0, Ordering::Relaxed);
    }

    /// An event with a valid signature came.
    pub fn delivered(&self) {
        self.delivered.fetch_add(1, Ordering::Relaxed);
        self.heard();
    }

    /// Something came that no honest relay sends.
    pub fn forged(&self) {
        self.forged.fetch_add(1, Ordering::Relaxed);
    }

    /// A publication was accepted.
    pub fn accepted(&self, elapsed_ms: u64) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        self.latency_ms
            .store(elapsed_ms.saturating_add(1), Ordering::Relaxed);
        self.heard();
    }

    /// A publication was refused or not answered.
    pub fn refused(&self, why: &str) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        self.failed(why);
    }

    /// A publication found no connection. Why there is none was said when it broke.
    pub fn not_reached(&self, why: &str) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let mut slot = self.last_error.lock().unwrap_or_else(PoisonError::into_inner);
        slot.get_or_insert_with(|| why.to_owned());
    }

    /// A publication was not answered in time.
    pub fn unanswered(&self) {
        self.unanswered.fetch_add(1, Ordering::Relaxed);
    }

    /// Remembers what could not be handed over, to offer it again once the relay is back. Only results, which are
    /// owed, and announcements, of which the newest counts; nothing that a buyer no longer waits for.
    pub fn missed(&self, event: &Event, until: Instant) {
        let kind = event.kind.as_u16();
        if !(6_000..7_000).contains(&kind) && kind != ANNOUNCEMENT_KIND {
            return;
        }
        let mut missed = self.missed.lock().unwrap_or_else(PoisonError::into_inner);
        missed.retain(|other| other.event.id != event.id);
        if missed.len() >= MAX_MISSED {
            missed.pop_front();
        }
        missed.push_back(Missed {
            event: event.clone(),
            until,
        });
    }

    /// A newer announcement stands for all older ones; an event that was handed over is missed no more.
    pub fn forget(&self, event: &Event) {
        let replaces = event.kind.as_u16() == ANNOUNCEMENT_KIND;
        let mut missed = self.missed.lock().unwrap_or_else(PoisonError::into_inner);
        missed.retain(|other| other.event.id != event.id && !(replaces && other.event.kind == event.kind));
    }

    /// Everything that it missed and that is still of use.
    pub fn take_missed(&self) -> Vec<Event> {
        let missed = std::mem::take(&mut *self.missed.lock().unwrap_or_else(PoisonError::into_inner));
        let now = Instant::now();
        let useful = missed.into_iter().filter(|missed| missed.until > now);
        useful.map(|missed| missed.event).collect()
    }

    /// Something failed there.
    pub fn failed(&self, why: &str) {
        let mut slot = self.last_error.lock().unwrap_or_else(PoisonError::into_inner);
        *slot = Some(clip(why, MAX_ERROR_BYTES).to_owned());
    }

    /// The connection changed; true if that is news.
    pub fn enter(&self, state: RelayState) -> bool {
        if state == RelayState::Disconnected || state == RelayState::Terminated {
            self.connections.fetch_add(1, Ordering::Relaxed);
        }
        if state == RelayState::Connected {
            self.unanswered.store(0, Ordering::Relaxed);
        }
        self.state.send_replace(state) != state
    }

    pub fn state(&self) -> RelayState {
        *self.state.borrow()
    }

    /// Whether a connection is being made for the first time; a later one is not waited for.
    pub fn is_first_attempt(&self) -> bool {
        self.connections.load(Ordering::Relaxed) == 0
            && matches!(self.state(), RelayState::Idle | RelayState::Connecting)
    }

    /// Waits until the connection is up, or known to be down.
    pub async fn settled(&self) -> RelayState {
        let mut state = self.state.subscribe();
        let settled = state
            .wait_for(|state| !matches!(state, RelayState::Idle | RelayState::Connecting))
            .await;
        // The sender lives in `self`, so the wait cannot fail while we borrow it.
        settled.map_or(RelayState::Terminated, |state| *state)
    }

    pub fn report(&self) -> RelayStatus {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        RelayStatus {
            relay: self.url.clone(),
            state: self.state(),
            latency_ms: count(&self.latency_ms).checked_sub(1),
            last_seen_s: Some(count(&self.last_seen_s)).filter(|seen| *seen > 0),
            last_error: self
                .last_error
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
            accepted: count(&self.accepted),
            refused: count(&self.refused),
            delivered: count(&self.delivered),
            forged: count(&self.forged),
            unanswered: count(&self.unanswered),
        }
    }
}
