//! [`RelayMarket`]: the market over a configured set of Nostr relays.

mod config;
mod elsewhere;
mod filters;
mod guest;
mod heads;
mod inbox;
mod journal;
mod lane;
mod lanes;
mod preview;
mod publish;
mod reading;
mod relays;
mod seen;
mod supervisor;
mod transport;

pub use config::{DEFAULT_RELAYS, MAX_RELAYS, RelayConfig};
pub use heads::HeldHeads;
pub use reading::Reading;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use autopilot_core::ports::market::{
    Bill, Interest, JobInput, JobRequest, JobResult, JournalBatch, Market, MarketError, MarketItem,
    NewFeedback, NewReceipt, NewRequest, Notice, PublishOutcome, RelayStatus, ResolveError, Resolved,
    SignedEvent,
};
use autopilot_events::pb::KindDemand;
use autopilot_events::words::{EventId, PublicKey};
use nostr::RelayUrl;
use nostr_sdk::pool::monitor::Monitor;
use nostr_sdk::{Relay, RelayOptions, RelayPool};
use tokio::task::AbortHandle;

use self::inbox::Inbox;
use self::journal::Journal;
use self::lanes::Lanes;
use self::supervisor::{Resubscriptions, Supervisor};
use self::transport::GuardedTransport;
use crate::identity::Identity;
use crate::nip90;

/// State changes held for the supervisor.
const MONITOR_CAPACITY: usize = 1_024;

/// The market over relays. Dropping it ends its connections.
pub struct RelayMarket {
    identity: Identity,
    config: RelayConfig,
    pool: RelayPool,
    inbox: Arc<Inbox>,
    journal: Arc<Journal>,
    lanes: Arc<Lanes>,
    /// One relay is added, removed or tried again at a time.
    changing: tokio::sync::Mutex<()>,
    supervisor: AbortHandle,
    /// Date of the last announcement or withdrawal, Unix seconds.
    announced_s: AtomicU64,
}

impl RelayMarket {
    /// Starts connecting to every configured relay and returns at once. Nothing is watched yet.
    ///
    /// Must be called within a tokio runtime. Fails with [`MarketError::Relay`] for an address that is none, for no
    /// relay at all, and for more than [`MAX_RELAYS`].
    pub async fn connect(identity: Identity, config: RelayConfig) -> Result<Self, MarketError> {
        // An error says that the program has chosen a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let urls = parse_urls(&config.relays)?;
        let lanes = Arc::new(Lanes::default());
        let journal = Arc::new(Journal::new(config.journal_capacity));
        let resubscribe = Arc::new(Resubscriptions::default());
        let inbox = Arc::new(Inbox::new(
            identity.keys().clone(),
            Arc::clone(&lanes),
            Arc::clone(&journal),
            (config.lane_capacity, config.seen_capacity),
            Arc::clone(&resubscribe),
        ));
        let monitor = Monitor::new(MONITOR_CAPACITY);
        let statuses = monitor.subscribe();
        let transport = GuardedTransport {
            inbox: Arc::clone(&inbox),
            lanes: Arc::clone(&lanes),
            connect_timeout: config.connect_timeout,
        };
        let pool = RelayPool::builder()
            .websocket_transport(transport)
            .monitor(monitor)
            .build();
        // For relays that ask who we are (NIP-42).
        pool.state().set_signer(identity.keys().clone()).await;
        for url in &urls {
            add(&pool, &lanes, url, &config).await?;
        }
        let supervisor = Supervisor {
            inbox: Arc::clone(&inbox),
            journal: Arc::clone(&journal),
            lanes: Arc::clone(&lanes),
            resubscribe,
            publish_timeout: config.publish_timeout,
        };
        let supervisor = tokio::spawn(supervisor.run(statuses)).abort_handle();
        pool.connect().await;
        Ok(Self {
            identity,
            config,
            pool,
            inbox,
            journal,
            lanes,
            changing: tokio::sync::Mutex::default(),
            supervisor,
            announced_s: AtomicU64::new(0),
        })
    }

    /// The date of the next announcement: now, and at least a second after the one before, for of two with one date the
    /// lower id counts.
    fn next_date(&self, now_s: u64) -> u64 {
        let next = |last: u64| now_s.max(last.saturating_add(1));
        // The closure always answers, so the update always happens; both arms hold the value before it.
        let last = match self
            .announced_s
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |last| Some(next(last)))
        {
            Ok(last) | Err(last) => last,
        };
        next(last)
    }

    /// Where an answer can be found again: a relay of the buyer that is ours too, or our first.
    fn hint(&self, wishes: &[String]) -> String {
        let ours = self.lanes.addresses();
        let same = |ours: &str, wish: &String| ours.trim_end_matches('/') == wish.trim_end_matches('/');
        let shared = ours.iter().find(|url| wishes.iter().any(|wish| same(url, wish)));
        shared.or(ours.first()).cloned().unwrap_or_default()
    }
}

fn parse_urls(relays: &[String]) -> Result<Vec<RelayUrl>, MarketError> {
    let mut urls: Vec<RelayUrl> = Vec::new();
    for text in relays {
        let url = RelayUrl::parse(text)
            .map_err(|error| MarketError::Relay(format!("`{text}` is no relay address: {error}")))?;
        if !urls.contains(&url) {
            urls.push(url);
        }
    }
    match urls.len() {
        0 => Err(MarketError::Relay("no relay is configured".into())),
        count if count > MAX_RELAYS => Err(MarketError::Relay(format!(
            "{count} relays are configured, at most {MAX_RELAYS} are used"
        ))),
        _ => Ok(urls),
    }
}

/// Puts a relay into a lane and into the pool. It is not connected so far.
async fn add(
    pool: &RelayPool,
    lanes: &Lanes,
    url: &RelayUrl,
    config: &RelayConfig,
) -> Result<usize, MarketError> {
    let lane = lanes.reserve(url)?;
    let added = join(pool, url, config).await;
    if added.is_err() {
        lanes.remove(lane);
    }
    lanes.bind(lane, added?);
    Ok(lane)
}

async fn join(pool: &RelayPool, url: &RelayUrl, config: &RelayConfig) -> Result<Relay, MarketError> {
    let options = RelayOptions::new()
        .reconnect(true)
        .retry_interval(config.retry_interval)
        .adjust_retry_interval(false)
        .verify_subscriptions(true);
    let failed = |error: nostr_sdk::pool::pool::Error| MarketError::Relay(format!("{url}: {error}"));
    pool.add_relay(url, options).await.map_err(failed)?;
    pool.relay(url).await.map_err(failed)
}

impl Market for RelayMarket {
    fn public_key(&self) -> PublicKey {
        self.identity.public_key()
    }

    fn parse(&self, raw: &[u8]) -> Result<MarketItem, MarketError> {
        nip90::read_bytes(raw, self.identity.keys())
    }

    fn compose_request(&self, request: &NewRequest, created_at_s: u64) -> Result<SignedEvent, MarketError> {
        Ok(nip90::request(self.identity.keys(), request, created_at_s)?)
    }

    fn compose_result(
        &self,
        job: &JobRequest,
        content: &str,
        bill: Option<&Bill>,
        created_at_s: u64,
    ) -> Result<SignedEvent, MarketError> {
        let hint = &self.hint(&job.relays);
        Ok(nip90::result(
            self.identity.keys(),
            job,
            content,
            bill,
            hint,
            created_at_s,
        )?)
    }

    fn compose_feedback(
        &self,
        job: &JobRequest,
        feedback: &NewFeedback,
        created_at_s: u64,
    ) -> Result<SignedEvent, MarketError> {
        let hint = &self.hint(&job.relays);
        Ok(nip90::feedback_from_provider(
            self.identity.keys(),
            job,
            feedback,
            hint,
            created_at_s,
        )?)
    }

    fn compose_feedback_to_provider(
        &self,
        result: &JobResult,
        feedback: &NewFeedback,
        created_at_s: u64,
    ) -> Result<SignedEvent, MarketError> {
        let to = nip90::BuyerFeedback {
            job: result.job,
            provider: result.provider,
        };
        Ok(nip90::feedback_from_buyer(
            self.identity.keys(),
            to,
            feedback,
            &self.hint(&[]),
            created_at_s,
        )?)
    }

    fn compose_receipt(&self, receipt: &NewReceipt, created_at_s: u64) -> Result<SignedEvent, MarketError> {
        let hint = &self.hint(&[]);
        Ok(nip90::receipt(self.identity.keys(), receipt, hint, created_at_s)?)
    }

    fn compose_cancel(
        &self,
        job: EventId,
        reason: &str,
        created_at_s: u64,
    ) -> Result<SignedEvent, MarketError> {
        Ok(nip90::cancel(self.identity.keys(), job, reason, created_at_s)?)
    }

    fn compose_announcement(
        &self,
        kinds: &[u16],
        content: &str,
        created_at_s: u64,
    ) -> Result<SignedEvent, MarketError> {
        let name = &self.config.identifier;
        Ok(nip90::announcement(
            self.identity.keys(),
            name,
            kinds,
            content,
            self.next_date(created_at_s),
        )?)
    }

    fn compose_withdrawal(&self, created_at_s: u64) -> Result<SignedEvent, MarketError> {
        self.compose_announcement(&[], "", created_at_s)
    }

    fn compose_deletion(&self, withdrawal: &SignedEvent) -> Result<SignedEvent, MarketError> {
        let MarketItem::Announcement(last) = self.parse(&withdrawal.json)? else {
            return Err(MarketError::Invalid("this is no withdrawal".to_owned()));
        };
        let before_s = last.created_at_s.saturating_sub(1);
        Ok(nip90::deletion(
            self.identity.keys(),
            &self.config.identifier,
            before_s,
        )?)
    }

    async fn watch(&self, interest: Interest) -> Result<(), MarketError> {
        for (part, filters) in self.inbox.watch(interest) {
            for (relay, _) in self.lanes.used() {
                supervisor::send(&relay, part, filters.clone());
            }
        }
        Ok(())
    }

    async fn publish(
        &self,
        event: &SignedEvent,
        on_outcome: impl FnMut(&PublishOutcome) + Send,
    ) -> Result<Vec<PublishOutcome>, MarketError> {
        publish::publish(
            event,
            &self.lanes.used(),
            &self.journal,
            self.config.publish_timeout,
            on_outcome,
        )
        .await
    }

    async fn publish_elsewhere(
        &self,
        event: &SignedEvent,
        relays: &[String],
        on_outcome: impl FnMut(&PublishOutcome) + Send,
    ) -> Result<(), MarketError> {
        self.publish_as_guest(event, relays, on_outcome).await
    }

    async fn resolve(&self, input: &JobInput) -> Result<Resolved, ResolveError> {
        self.resolve_input(input).await
    }

    async fn next_batch(&self, max: usize) -> Result<Vec<Notice>, MarketError> {
        self.inbox.next_batch(max).await
    }

    async fn relays(&self) -> Vec<RelayStatus> {
        let used = self.lanes.used();
        used.iter().map(|(_, stats)| stats.report()).collect()
    }

    fn drain_demand(&self) -> Vec<KindDemand> {
        self.inbox.drain_demand()
    }

    fn drain_journal(&self, max: usize) -> JournalBatch {
        self.journal.drain(max)
    }

    async fn close(&self) {
        self.supervisor.abort();
        self.pool.shutdown().await;
        self.inbox.close();
    }
}

impl Drop for RelayMarket {
    fn drop(&mut self) {
        self.supervisor.abort();
        for (relay, _) in self.lanes.used() {
            relay.disconnect();
        }
    }
}
