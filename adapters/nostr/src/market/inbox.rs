//! The inbox: every word of every relay passes here before anything believes it.
//!
//! A relay's event is checked in this order: asked for · signature · seen before · understood · wanted. Each relay
//! has a lane of its own, and lanes are emptied in turn: a relay that floods us fills its own lane and delays nobody
//! else's. What finds its lane full is not remembered as seen, and the relay is asked again once the lane is empty.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use autopilot_core::ports::market::{Interest, JournalKind, MarketError, Notice, Observation};
use autopilot_events::pb::KindDemand;
use autopilot_events::words::{EventId, PublicKey};
use nostr::filter::MatchEventOptions;
use nostr::{Event, Filter, JsonUtil, Keys, RelayMessage};
use tokio::sync::Notify;

use super::filters::{PARTS, Part, wanted};
use super::journal::Journal;
use super::lane::LaneStats;
use super::lanes::Lanes;
use super::preview::Preview;
use super::seen::Seen;
use super::supervisor::Resubscriptions;
use crate::nip90;
use crate::words::clip;

/// What becomes of a relay's message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It goes on to the connection's own housekeeping (acknowledgements, authentication).
    Pass,
    /// It ends here.
    Consumed,
}

pub(super) struct Inbox {
    me: Keys,
    seen_capacity: usize,
    lane_capacity: usize,
    lanes: Arc<Lanes>,
    journal: Arc<Journal>,
    watching: RwLock<Watching>,
    state: Mutex<State>,
    ready: Notify,
    resubscribe: Arc<Resubscriptions>,
    preview: Mutex<Preview>,
}

#[derive(Default)]
struct Watching {
    interest: Interest,
    filters: [Vec<Filter>; PARTS],
}

struct State {
    seen: [Seen; PARTS],
    lanes: Vec<Lane>,
    /// The lane whose turn it is.
    turn: usize,
    closed: bool,
}

#[derive(Default)]
struct Lane {
    queue: VecDeque<Notice>,
    skipped: u64,
}

impl Inbox {
    pub fn new(
        me: Keys,
        lanes: Arc<Lanes>,
        journal: Arc<Journal>,
        capacities: (usize, usize),
        resubscribe: Arc<Resubscriptions>,
    ) -> Self {
        let state = State {
            seen: Default::default(),
            lanes: Vec::new(),
            turn: 0,
            closed: false,
        };
        Self {
            me,
            lane_capacity: capacities.0.max(1),
            seen_capacity: capacities.1.max(2),
            lanes,
            journal,
            watching: RwLock::default(),
            state: Mutex::new(state),
            ready: Notify::new(),
            resubscribe,
            preview: Mutex::default(),
        }
    }

    /// Takes what was counted of previewed kinds.
    pub fn drain_demand(&self) -> Vec<KindDemand> {
        let mut preview = self.preview.lock().unwrap_or_else(PoisonError::into_inner);
        preview.drain()
    }

    /// Replaces the interest; answers with the parts that changed and must be asked for again.
    pub fn watch(&self, interest: Interest) -> Vec<(Part, Vec<Filter>)> {
        let me = PublicKey(self.me.public_key().to_bytes());
        let filters = Part::ALL.map(|part| part.filters(&interest, me));
        let mut watching = self.watching.write().unwrap_or_else(PoisonError::into_inner);
        let changed: Vec<_> = Part::ALL
            .into_iter()
            .zip(&filters)
            .zip(&watching.filters)
            .filter(|((_, new), old)| new != old)
            .map(|((part, new), _)| (part, new.clone()))
            .collect();
        *watching = Watching { interest, filters };
        drop(watching);
        let mut state = self.lock();
        for (part, _) in &changed {
            // Asked again: what is stored and matches comes again.
            state.seen[*part as usize] = Seen::default();
        }
        changed
    }

    /// Everything that is watched now.
    pub fn filters(&self) -> Vec<(Part, Vec<Filter>)> {
        let watching = self.watching.read().unwrap_or_else(PoisonError::into_inner);
        Part::ALL
            .into_iter()
            .zip(watching.filters.iter().cloned())
            .collect()
    }

    /// Takes a message of the relay `lane`.
    pub fn take(&self, lane: usize, text: &str) -> Verdict {
        let Some(stats) = self.lanes.stats(lane) else {
            return Verdict::Consumed;
        };
        let note = |event, what, detail: &str| self.journal.note(&stats.url, event, what, detail);
        match RelayMessage::from_json(text) {
            Ok(RelayMessage::Event {
                subscription_id,
                event,
            }) => {
                self.event(lane, &stats, subscription_id.as_str(), event.into_owned());
                return Verdict::Consumed;
            }
            Ok(RelayMessage::Closed {
                subscription_id,
                message,
            }) => {
                note(
                    None,
                    JournalKind::Said,
                    &format!("closed {subscription_id}: {message}"),
                );
                stats.failed(&message);
                if Part::of_name(subscription_id.as_str()).is_some() {
                    self.resubscribe.ask(lane);
                }
            }
            Ok(RelayMessage::Notice(words)) => note(None, JournalKind::Said, &words),
            Ok(_) => {}
            Err(_) => {
                stats.forged();
                note(
                    None,
                    JournalKind::Unreadable,
                    &format!("no relay message: {}", clip(text, 80)),
                );
                return Verdict::Consumed;
            }
        }
        stats.heard();
        Verdict::Pass
    }

    /// The connection of the relay `lane` broke, or was cut because of what it sent.
    pub fn broken(&self, lane: usize, why: &str) {
        if let Some(stats) = self.lanes.stats(lane) {
            stats.failed(why);
            self.journal.note(&stats.url, None, JournalKind::Connection, why);
        }
    }

    fn event(&self, lane: usize, stats: &LaneStats, subscription: &str, event: Event) {
        let id = event.id.to_bytes();
        let note = |what, detail: &str| self.journal.note(&stats.url, Some(EventId(id)), what, detail);
        let asked = Part::of_name(subscription).filter(|part| self.asked_for(*part, &event));
        let Some(part) = asked else {
            stats.forged();
            return note(JournalKind::Unreadable, "nobody asked for this event");
        };
        if event.verify().is_err() {
            stats.forged();
            return note(JournalKind::Forged, "id or signature is wrong");
        }
        stats.delivered();
        if self.lock().seen[part as usize].contains(&id) {
            return note(JournalKind::Duplicate, "");
        }
        if part == Part::Preview {
            // Counted and forgotten: a flood of what can't be claimed takes no place in the queue.
            let mut state = self.lock();
            if !state.seen[part as usize].contains(&id) {
                state.seen[part as usize].insert(id, self.seen_capacity);
                drop(state);
                let mut preview = self.preview.lock().unwrap_or_else(PoisonError::into_inner);
                preview.count(&event, &self.me);
            }
            return;
        }
        let relay = stats.url.clone();
        let notice = match nip90::read(&event, &self.me) {
            Ok(item) => {
                let watching = self.watching.read().unwrap_or_else(PoisonError::into_inner);
                let wanted = wanted(&item, &watching.interest);
                wanted.then_some(Notice::Observed(Observation { relay, item }))
            }
            Err(error) => {
                let reason = error.to_string();
                note(JournalKind::Unreadable, &reason);
                event
                    .tags
                    .public_keys()
                    .any(|key| *key == self.me.public_key())
                    .then(|| Notice::Unreadable {
                        relay,
                        id: EventId(id),
                        author: PublicKey(event.pubkey.to_bytes()),
                        kind: event.kind.as_u16(),
                        created_at_s: event.created_at.as_secs(),
                        reason,
                        raw: event.as_json().into_bytes(),
                    })
            }
        };
        self.put(lane, part, id, notice);
    }

    fn asked_for(&self, part: Part, event: &Event) -> bool {
        let watching = self.watching.read().unwrap_or_else(PoisonError::into_inner);
        let options = MatchEventOptions::new();
        watching.filters[part as usize]
            .iter()
            .any(|filter| filter.match_event(event, options))
    }

    /// Remembers the id and queues the notice, both or neither.
    fn put(&self, lane: usize, part: Part, id: [u8; 32], notice: Option<Notice>) {
        let mut state = self.lock();
        let seen_already = state.seen[part as usize].contains(&id);
        if state.lanes.len() <= lane {
            state.lanes.resize_with(lane + 1, Lane::default);
        }
        let Some(queue) = state.lanes.get_mut(lane) else {
            return;
        };
        if let (Some(notice), false) = (notice, seen_already) {
            if queue.queue.len() >= self.lane_capacity {
                queue.skipped = queue.skipped.saturating_add(1);
                return;
            }
            queue.queue.push_back(notice);
        }
        state.seen[part as usize].insert(id, self.seen_capacity);
        drop(state);
        self.ready.notify_one();
    }

    /// Waits for notices; see [`autopilot_core::ports::market::Market::next_batch`].
    pub async fn next_batch(&self, max: usize) -> Result<Vec<Notice>, MarketError> {
        loop {
            {
                let mut state = self.lock();
                let (batch, lagging) = state.take(max.max(1));
                for lane in lagging {
                    self.resubscribe.ask(lane);
                }
                if !batch.is_empty() {
                    return Ok(batch);
                }
                if state.closed {
                    return Err(MarketError::Closed);
                }
            }
            self.ready.notified().await;
        }
    }

    /// What is there now, without waiting.
    pub fn taken(&self) -> Vec<Notice> {
        self.lock().take(usize::MAX).0
    }

    pub fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes up to `max` notices, one per lane in turn; names the emptied lanes that had overflowed.
    fn take(&mut self, max: usize) -> (Vec<Notice>, Vec<usize>) {
        let (mut batch, mut lagging) = (Vec::new(), Vec::new());
        let mut idle = 0;
        while batch.len() < max && idle < self.lanes.len() {
            let index = self.turn % self.lanes.len();
            self.turn = (index + 1) % self.lanes.len();
            let Some(lane) = self.lanes.get_mut(index) else {
                break;
            };
            idle += 1;
            if let Some(notice) = lane.queue.pop_front() {
                batch.push(notice);
                idle = 0;
            } else if lane.skipped > 0 {
                batch.push(Notice::Lagged {
                    skipped: std::mem::take(&mut lane.skipped),
                });
                lagging.push(index);
            }
        }
        (batch, lagging)
    }
}
