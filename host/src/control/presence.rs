//! Whether this host earns, and the switch: online and offline.
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use autopilot_core::{Engine, canary, diagnosis, input::Command, ports::model::Model as _};
use autopilot_events::words::Msat;
use autopilot_proto::control::v1::{self as pb};
use tonic::Status;

use super::{Service, errors, terms::order_name, views::basis};
use crate::{clock, pulse::Beat, secrets};

impl Service {
    pub(super) async fn answer_status(&self, _: pb::StatusRequest) -> Result<pb::StatusReply, Status> {
        let beat = *self.heartbeat.borrow();
        let mut reply = self
            .look(move |engine| of_engine(engine, beat, clock::now_ms()))
            .await?;
        if reply.state == "offline" && self.connecting.load(Ordering::Relaxed) > 0 {
            reply.state = "connecting".to_owned();
        }
        reply.waiting_for = self.outside.waiting().unwrap_or_default();
        reply.model_fetch = self.outside.fetching.now().map(super::models::fetch);
        reply.home = self.home.path().display().to_string();
        reply.npub.clone_from(&self.npub);
        reply.network.clone_from(&self.config.network);
        reply.chain_source = self.config.chain.name().to_owned();
        reply.version = env!("CARGO_PKG_VERSION").to_owned();
        reply.warnings = self.warnings.to_vec();
        reply.ledger_check = self.outside.ledger.check().sentence();
        reply.owed_msat = self.look(super::debts::owed_msat).await?;
        if reply.owed_msat > 0 {
            let owed = Msat(reply.owed_msat);
            reply.warnings.push(format!(
                "{owed} are owed back to buyers for deliveries that failed: see `autopilotctl debts`"
            ));
        }
        reply.heads = Some(self.heads_in_short().await?);
        reply.relays_configured = u32::try_from(self.outside.relays().len()).unwrap_or(u32::MAX);
        reply.heartbeat_age_ms = beat.and_then(|beat| u64::try_from(clock::now_ms() - beat.at_ms).ok());
        if reply.waiting_for.is_empty()
            && let Ok(info) = autopilot_core::ports::wallet::Wallet::info(&self.outside.wallet).await
        {
            reply.node_id = hex::encode(info.node_id);
            reply.node_addresses = info.listening;
            reply.wallet_connected = info.connected;
        }
        Ok(reply)
    }

    /// Reads the ledger again, now, and waits for that.
    pub(super) async fn answer_check_ledger(
        &self,
        request: pb::CheckLedgerRequest,
    ) -> Result<pb::CheckLedgerReply, Status> {
        let patience = Duration::from_secs(u64::from(request.wait_s.min(600)));
        let (over, check) = self.outside.ledger.check_now(patience).await;
        let basis = self.look(|engine| basis(engine, "ledger")).await?;
        Ok(pb::CheckLedgerReply {
            basis: Some(basis),
            over,
            whole: over && check.defect.is_none(),
            facts: check.facts,
            of: check.of,
            whole_at_ms: check.whole_at_ms,
            sentence: check.sentence(),
        })
    }

    pub(super) async fn answer_go_online(
        &self,
        request: pb::GoOnlineRequest,
    ) -> Result<pb::StatusReply, Status> {
        let _connecting = Connecting::begin(&self.connecting);
        // One model that is ready is enough: what the other would serve is not announced.
        let (mut ready, mut failed) = (false, None);
        for model in self.outside.engines() {
            match model.describe().await {
                Ok(_) => ready = true,
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        if let Some(error) = failed.filter(|_| !ready) {
            return Err(errors::model(error));
        }
        let run_id = secrets::random::<16>()
            .map_err(|e| errors::invalid(e.to_string()))?
            .to_vec();
        let patience = Duration::from_secs(u64::from(request.wait_s.min(600)));
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            crate::treasury::observe(&self.outside)
                .await
                .map_err(errors::submit)?;
            match self
                .command(Command::GoOnline {
                    run_id: run_id.clone(),
                })
                .await
            {
                Ok(()) => return self.answer_status(pb::StatusRequest {}).await,
                Err(status) if tokio::time::Instant::now() >= deadline => return Err(status),
                // Wallet and relays give no event for everything that readiness rests on: look again, bounded.
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    }

    pub(super) async fn answer_go_offline(
        &self,
        request: pb::GoOfflineRequest,
    ) -> Result<pb::StatusReply, Status> {
        let reason = if request.reason.is_empty() {
            "asked to".to_owned()
        } else {
            request.reason
        };
        self.command(Command::GoOffline { reason }).await?;
        self.answer_status(pb::StatusRequest {}).await
    }
}

/// One call that waits to go online, for as long as it waits.
struct Connecting(Arc<AtomicU32>);

impl Connecting {
    fn begin(count: &Arc<AtomicU32>) -> Connecting {
        count.fetch_add(1, Ordering::Relaxed);
        Connecting(count.clone())
    }
}

impl Drop for Connecting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// `offline`, `online` or `degraded`, and what stands against earning.
pub(super) fn standing(engine: &Engine) -> (&'static str, Vec<String>) {
    let blockers = match engine.state().provider.policy {
        Some(_) => engine.standing(clock::now_ms()).against,
        None => Vec::new(),
    };
    let word = match (engine.is_online(), blockers.is_empty()) {
        (false, _) => "offline",
        (true, true) => "online",
        (true, false) => "degraded",
    };
    (word, blockers)
}

/// What the facts prove of all runs, and for one that is online now the time since it went online.
pub(super) fn uptime_ms(engine: &Engine, now_ms: i64) -> u64 {
    let provider = &engine.state().provider;
    let this_run = provider
        .online_since_ms
        .filter(|_| engine.is_online())
        .and_then(|since| u64::try_from(now_ms.saturating_sub(since)).ok())
        .unwrap_or(0)
        .max(provider.run_online_ms);
    provider.uptime_ms.saturating_add(this_run)
}

/// What the facts alone say: as a run that is over left it. Who could have earned then is not told by facts.
pub(super) fn as_recorded(engine: &Engine) -> pb::StatusReply {
    let online = engine.state().provider.online;
    pb::StatusReply {
        state: if online { "online" } else { "offline" }.to_owned(),
        blockers: Vec::new(),
        why_no_jobs: Vec::new(),
        can_earn: false,
        earning: String::new(),
        ..of_engine(engine, None, engine.head().recorded_at_ms)
    }
}

fn of_engine(engine: &Engine, beat: Option<Beat>, now_ms: i64) -> pb::StatusReply {
    let state = engine.state();
    let policy = state.provider.policy();
    let earning = engine.standing(now_ms);
    let (can_earn, earning) = (earning.can_earn(), earning.sentence());
    let (online, blockers) = standing(engine);
    let standing = diagnosis::Standing {
        readiness: engine.readiness(),
        online: engine.is_online(),
        announced: beat.and_then(|beat| beat.relays),
    };
    let causes = diagnosis::why_no_jobs(state, standing, now_ms);
    let cause = |cause: diagnosis::Cause| pb::Cause {
        code: cause.code.to_owned(),
        sentence: cause.sentence,
        next: cause.next,
    };
    pb::StatusReply {
        basis: Some(basis(engine, "ledger")),
        why_no_jobs: causes.into_iter().map(cause).collect(),
        state: online.to_owned(),
        blockers,
        can_earn,
        earning,
        public_key: state
            .provider
            .identity
            .as_ref()
            .map(|id| id.public_key.clone())
            .unwrap_or_default(),
        price_msat: policy.min_price_msat,
        order: order_name(policy.order).to_owned(),
        kinds: policy.kinds,
        model: engine.readiness().model.clone().unwrap_or_default(),
        uptime_ms: uptime_ms(engine, now_ms),
        jobs_in_flight: u32::try_from(state.jobs.in_flight()).unwrap_or(u32::MAX),
        relays_connected: engine.readiness().relays_connected,
        earned_msat: state.earnings.earned_msat,
        spendable_msat: state.wallet.figures.spendable_msat,
        price: state.price.newest.as_ref().map(|price| pb::RecordedPrice {
            currency: price.currency.clone(),
            per_btc: price.per_btc,
            decimals: price.decimals,
            source: price.source.clone(),
            observed_at_ms: price.observed_at_ms,
        }),
        canary: canary::words(state, now_ms),
        ..pb::StatusReply::default()
    }
}
