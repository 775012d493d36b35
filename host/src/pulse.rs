//! What a host does by the clock: ticks for deadlines, figures, heartbeats, and what it listens for.
use std::time::Duration;

use autopilot_core::{
    Engine, Input,
    demand::KNOWN_KINDS,
    embedding::{EMBEDDING, MAX_TEXTS},
    input::EmbeddingModel,
    ports::{
        market::{Interest, Market},
        wallet::NodeId,
    },
};
use autopilot_events::words::Msat;
use autopilot_nostr::nip90::embedding::ENCODING;
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval},
};

use crate::{clock, effects, intake, ledger::SubmitError, outside::Outside, treasury};

/// Deadlines are looked at this often.
const TICK: Duration = Duration::from_secs(1);
/// Figures of wallet, relays and model are asked for this often, events apart.
const OBSERVE: Duration = Duration::from_secs(2);
/// Presence is announced this often while online (stale after 90 s).
pub const HEARTBEAT: Duration = Duration::from_secs(30);
/// The kind as relays know it; it fits, since kinds end at 5999.
const EMBEDDING_KIND: u16 = EMBEDDING as u16;
/// Answers that came while this program was down are asked for, as far back as a purchase may wait, in seconds.
const ANSWERS_BACK_S: u64 = 3_600;

/// Receipts that came while this program was down are asked for, as far back as this, in seconds.
const RECEIPTS_BACK_S: u64 = 7 * 24 * 3_600;

/// The last announcement.
#[derive(Clone, Copy, Debug)]
pub struct Beat {
    /// When it was sent.
    pub at_ms: i64,
    /// How many relays took it; none while they are still asked.
    pub relays: Option<u32>,
}

/// Time passes, until the ledger stops.
pub async fn tick(outside: Outside) {
    let mut ticks = every(TICK);
    loop {
        ticks.tick().await;
        if outside.ledger.submit(Input::Tick, None).await.is_err() {
            return;
        }
    }
}

/// Figures are asked for and lost peers connected again, until the ledger stops.
pub async fn observe(outside: Outside, peers: Vec<(NodeId, String)>) {
    let mut ticks = every(OBSERVE);
    let mut onchain = treasury::onchain::Watch::default();
    loop {
        ticks.tick().await;
        treasury::connect_missing(&outside, &peers).await;
        intake::drain_journal(&outside).await;
        if count_demand(&outside).await.is_err() {
            return;
        }
        match treasury::observe(&outside).await {
            Ok(Some(balances)) => {
                if let Err(error) = onchain.look(&outside, &balances).await {
                    tracing::warn!(%error, "the wallet's transactions are not all recorded yet");
                }
            }
            Ok(None) => {}
            Err(_) => return,
        }
    }
}

/// Hands over what relays have of demand that can't be claimed.
async fn count_demand(outside: &Outside) -> Result<(), SubmitError> {
    let seen = outside.market().map(Market::drain_demand).unwrap_or_default();
    match seen.is_empty() {
        true => Ok(()),
        false => outside.ledger.submit(Input::Demand(seen), None).await.map(drop),
    }
}

fn every(period: Duration) -> tokio::time::Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Listens for what matters now, and announces while online. Runs until the ledger stops.
pub async fn presence(outside: Outside, heartbeat: watch::Sender<Option<Beat>>) {
    let mut head = outside.ledger.head();
    let mut watched = None;
    let mut previewed = (Vec::new(), 0);
    // The same for the whole run, so that relays are asked once.
    let receipts_since_s = clock::now_s().saturating_sub(RECEIPTS_BACK_S);
    let mut online = false;
    let mut announced = Vec::new();
    let mut next_beat = Instant::now();
    loop {
        let Ok(now) = outside.ledger.look(Listening::of).await else {
            return;
        };
        let Ok(market) = outside.market() else { return };
        let preview = now.preview_kinds();
        if previewed.0 != preview {
            // What was stored before is history, not demand.
            previewed = (preview, clock::now_s());
        }
        let interest = Interest {
            preview_kinds: previewed.0.clone(),
            preview_since_s: previewed.1,
            receipts_since_s: now.provides.then_some(receipts_since_s),
            ..now.interest()
        };
        if watched.as_ref() != Some(&interest) {
            match market.watch(interest.clone()).await {
                Ok(()) => watched = Some(interest),
                Err(error) => tracing::warn!(%error, "can't listen to the relays yet"),
            }
        }
        // A model that came or went is told at once.
        if now.online && (Instant::now() >= next_beat || announced != now.servable) {
            heartbeat.send_replace(Some(Beat {
                at_ms: clock::now_ms(),
                relays: None,
            }));
            announce(&outside, &now, &heartbeat);
            announced.clone_from(&now.servable);
            next_beat = Instant::now() + HEARTBEAT;
        }
        if online && !now.online {
            withdraw(&outside).await;
            heartbeat.send_replace(None);
            next_beat = Instant::now();
        }
        online = now.online;
        let pause = if online {
            next_beat
        } else {
            Instant::now() + HEARTBEAT
        };
        tokio::select! {
            changed = head.changed() => if changed.is_err() { return },
            () = tokio::time::sleep_until(pause) => {}
        }
    }
}

/// Withdraws the announcement, so that nothing keeps saying "online". Bounded by the adapter.
pub async fn withdraw(outside: &Outside) {
    let Ok(market) = outside.market() else { return };
    match market.compose_withdrawal(clock::now_s()) {
        Ok(event) => {
            // The replacement for relays that know no deletion, the deletion for those that keep old versions.
            let deletion = market.compose_deletion(&event);
            for event in [Ok(event), deletion].into_iter().flatten() {
                let mut outcomes = effects::broadcast(outside, event, Vec::new());
                while outcomes.recv().await.is_some() {}
            }
        }
        Err(error) => tracing::warn!(%error, "the announcement can't be withdrawn"),
    }
}

fn announce(outside: &Outside, now: &Listening, heartbeat: &watch::Sender<Option<Beat>>) {
    let Ok(market) = outside.market() else { return };
    let mut content = serde_json::json!({
        "name": "Autopilot",
        "about": "A local model that works for sats",
        "model": now.model,
        "price_msat": now.price.0,
        "encryptionSupported": true,
    });
    if let Some(model) = now
        .embedding
        .as_ref()
        .filter(|_| now.servable.contains(&EMBEDDING_KIND))
    {
        content["embeddings"] = serde_json::json!({
            "kind": EMBEDDING_KIND,
            "model": model.name,
            "dimensions": model.dimensions,
            "encoding": ENCODING,
            "normalized": true,
            "max_texts": MAX_TEXTS,
        });
    }
    match market.compose_announcement(&now.servable, &content.to_string(), clock::now_s()) {
        Ok(event) => {
            let mut outcomes = effects::broadcast(outside, event, Vec::new());
            let heartbeat = heartbeat.clone();
            // Ends by the adapter's bound.
            tokio::spawn(async move {
                let mut taken = 0;
                while let Some(outcome) = outcomes.recv().await {
                    taken += u32::from(outcome.accepted);
                }
                heartbeat.send_modify(|beat| {
                    if let Some(beat) = beat {
                        beat.relays = Some(taken);
                    }
                });
            });
        }
        Err(error) => tracing::warn!(%error, "presence can't be announced"),
    }
}

/// What the state of the ledger means for the relays.
struct Listening {
    online: bool,
    provides: bool,
    since_s: u64,
    skew_s: u64,
    kinds: Vec<u16>,
    /// Of these, what a model is ready for: only this is announced.
    servable: Vec<u16>,
    model: String,
    embedding: Option<EmbeddingModel>,
    price: Msat,
    own_jobs: Vec<autopilot_events::words::EventId>,
    own_kinds: Vec<u16>,
    in_flight: Vec<autopilot_events::words::EventId>,
    oldest_purchase_s: Option<u64>,
}

impl Listening {
    fn of(engine: &Engine) -> Listening {
        let state = engine.state();
        let policy = state.provider.policy();
        let kind = |kind: u32| u16::try_from(kind).ok();
        let mut own_kinds: Vec<u16> = state
            .purchases
            .listened()
            .filter_map(|(_, p)| kind(p.terms.kind))
            .collect();
        own_kinds.sort_unstable();
        own_kinds.dedup();
        let since_ms = state.provider.online_since_ms.unwrap_or_default();
        let buys = state.purchases.listened().next().is_some();
        Listening {
            online: engine.is_online(),
            provides: state.provider.policy.is_some(),
            since_s: u64::try_from(since_ms / 1_000).unwrap_or(0),
            skew_s: u64::from(policy.max_clock_skew_s),
            kinds: policy.kinds.iter().copied().filter_map(kind).collect(),
            servable: policy
                .kinds
                .iter()
                .copied()
                .filter(|kind| engine.readiness().serves(*kind).is_some())
                .filter_map(kind)
                .collect(),
            embedding: engine.readiness().embedding.clone(),
            model: engine.readiness().model.clone().unwrap_or_default(),
            price: Msat(policy.min_price_msat),
            // Late answers to those that are over come by our name: each job asked for by its id comes again with every
            // other that is added.
            own_jobs: state.purchases.open().map(|(_, p)| p.native_id).collect(),
            own_kinds,
            in_flight: state.jobs.open().map(|(_, job)| job.native_id).collect(),
            oldest_purchase_s: buys.then(|| clock::now_s().saturating_sub(ANSWERS_BACK_S) / 3_600 * 3_600),
        }
    }

    /// What is only counted: every known kind while offline, those that are not served while online.
    fn preview_kinds(&self) -> Vec<u16> {
        let served = |kind: &u16| self.kinds.contains(kind);
        let mut kinds: Vec<u16> = match (self.provides, self.online) {
            (false, _) => Vec::new(),
            (true, true) => KNOWN_KINDS.into_iter().filter(|kind| !served(kind)).collect(),
            (true, false) => KNOWN_KINDS
                .into_iter()
                .chain(self.kinds.iter().copied())
                .collect(),
        };
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    /// Jobs are listened for only while online. Old ones come too: admission judges their age.
    fn interest(&self) -> Interest {
        Interest {
            request_kinds: if self.online {
                self.kinds.clone()
            } else {
                Vec::new()
            },
            requests_since_s: self.since_s.saturating_sub(self.skew_s),
            own_jobs: self.own_jobs.clone(),
            own_kinds: self.own_kinds.clone(),
            cancels_of: self.in_flight.clone(),
            answers_since_s: self.oldest_purchase_s,
            announcements_for: Vec::new(),
            announcements_since_s: 0,
            receipts_since_s: None,
            preview_kinds: Vec::new(),
            preview_since_s: 0,
        }
    }
}
