//! Keeps every relay subscribed to what is watched: after a connection came up, after a relay closed a subscription,
//! and after a lane overflowed. Subscriptions are sent by us and not kept by the SDK, which forgets those that a
//! relay closes with an unknown word, and those made in the second of a reconnect.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use autopilot_core::ports::market::{JournalKind, RelayState};
use nostr::{ClientMessage, Filter, RelayUrl, SubscriptionId};
use nostr_sdk::pool::monitor::MonitorNotification;
use nostr_sdk::{Relay, RelayStatus};
use tokio::sync::{Notify, broadcast};
use tokio::time::Instant;

use super::filters::Part;
use super::inbox::Inbox;
use super::journal::Journal;
use super::lanes::Lanes;
use super::publish::offer_again;

/// The least time between two renewals at one relay that were not caused by a new connection: a relay that closes
/// subscriptions as fast as they are made, or floods, is asked no faster.
const RENEWAL_PAUSE: Duration = Duration::from_secs(2);

/// Relays at which everything shall be asked for again.
#[derive(Default)]
pub(super) struct Resubscriptions {
    due: Mutex<BTreeSet<usize>>,
    wake: Notify,
}

impl Resubscriptions {
    /// Asks for a renewal at this relay.
    pub fn ask(&self, lane: usize) {
        self.due().insert(lane);
        self.wake.notify_one();
    }

    fn take(&self) -> BTreeSet<usize> {
        std::mem::take(&mut *self.due())
    }

    fn due(&self) -> MutexGuard<'_, BTreeSet<usize>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct Supervisor {
    pub inbox: Arc<Inbox>,
    pub journal: Arc<Journal>,
    pub lanes: Arc<Lanes>,
    pub resubscribe: Arc<Resubscriptions>,
    pub publish_timeout: Duration,
}

impl Supervisor {
    /// Runs until its task is aborted.
    pub async fn run(self, mut statuses: broadcast::Receiver<MonitorNotification>) {
        let mut open_at = Instant::now();
        loop {
            let renewal = async {
                tokio::time::sleep_until(open_at).await;
                self.resubscribe.wake.notified().await;
            };
            tokio::select! {
                status = statuses.recv() => match status {
                    Ok(MonitorNotification::StatusChanged { relay_url, status }) => self.changed(&relay_url, status),
                    Err(broadcast::error::RecvError::Lagged(_)) => self.compare(),
                    Err(broadcast::error::RecvError::Closed) => return,
                },
                () = renewal => {
                    for lane in self.resubscribe.take() {
                        self.renew(lane);
                    }
                    // What is asked for meanwhile is done after the pause: the wake-up is kept.
                    open_at = Instant::now() + RENEWAL_PAUSE;
                }
            }
        }
    }

    fn changed(&self, url: &RelayUrl, status: RelayStatus) {
        let Some(lane) = self.lanes.lane_of(url) else {
            return;
        };
        let Some((relay, stats)) = self.lanes.get(lane) else {
            return;
        };
        let state = state_of(status);
        if stats.enter(state) {
            self.journal
                .note(&stats.url, None, JournalKind::Connection, &status.to_string());
        }
        if state == RelayState::Connected {
            self.renew(lane);
            let journal = Arc::clone(&self.journal);
            tokio::spawn(offer_again(relay, stats, journal, self.publish_timeout));
        }
    }

    /// Some changes were missed: look at how things stand.
    fn compare(&self) {
        for (lane, relay, stats) in self.lanes.numbered() {
            let state = state_of(relay.status());
            if stats.enter(state) && state == RelayState::Connected {
                self.renew(lane);
            }
        }
    }

    fn renew(&self, lane: usize) {
        if let Some((relay, _)) = self.lanes.get(lane) {
            for (part, filters) in self.inbox.filters() {
                if !filters.is_empty() {
                    send(&relay, part, filters);
                }
            }
        }
    }
}

/// Subscribes one relay to one part, or ends that subscription. A relay that is not connected is told once it is.
pub(super) fn send(relay: &Relay, part: Part, filters: Vec<Filter>) {
    if !relay.is_connected() {
        return;
    }
    let id = SubscriptionId::new(part.name());
    let message = if filters.is_empty() {
        ClientMessage::close(id)
    } else {
        ClientMessage::req(id, filters)
    };
    if let Err(error) = relay.send_msg(message) {
        tracing::debug!(relay = %relay.url(), %error, "subscription not sent; it is sent again on reconnect");
    }
}

fn state_of(status: RelayStatus) -> RelayState {
    match status {
        RelayStatus::Initialized | RelayStatus::Pending => RelayState::Idle,
        RelayStatus::Connecting => RelayState::Connecting,
        RelayStatus::Connected => RelayState::Connected,
        RelayStatus::Disconnected | RelayStatus::Sleeping => RelayState::Disconnected,
        RelayStatus::Terminated | RelayStatus::Banned => RelayState::Terminated,
    }
}
