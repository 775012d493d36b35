//! Buy mode: started and killed by a person, and the task that makes each purchase when it is due.
use std::time::Duration;

use autopilot_core::{Engine, Input, buy_mode, input::Command};
use autopilot_events::pb::BuyModeStarted;
use autopilot_proto::control::v1::{self as pb};
use tokio::time::MissedTickBehavior;
use tonic::Status;

use super::{Service, buy::order, errors, views::basis};
use crate::{clock, outside::Outside, secrets};

/// Pace is kept to the second: what is due is looked for this often.
const LOOK: Duration = Duration::from_secs(1);

impl Service {
    pub(super) async fn answer_start_buy_mode(
        &self,
        request: pb::StartBuyModeRequest,
    ) -> Result<pb::BuyModeReply, Status> {
        let provider = match request.provider.as_str() {
            "" => Vec::new(),
            key => hex::decode(key)
                .ok()
                .filter(|key| key.len() == 32)
                .ok_or_else(|| errors::invalid("a provider's key has 64 hexadecimal digits"))?,
        };
        if request.input.is_empty() {
            return Err(errors::invalid("there is nothing to ask"));
        }
        self.outside.market().map_err(errors::market)?;
        crate::treasury::observe(&self.outside)
            .await
            .map_err(errors::submit)?;
        let id = secrets::random::<16>().map_err(|e| errors::invalid(e.to_string()))?;
        let or = |given: u32, usual: u32| if given == 0 { usual } else { given };
        let terms = BuyModeStarted {
            buy_mode_id: id.to_vec(),
            budget_msat: request.budget_msat,
            per_job_msat: request.per_job_msat,
            fee_ceiling_msat: request.fee_ceiling_msat,
            pay_first_ceiling_msat: request.pay_first_ceiling_msat,
            pace_ms: u64::from(request.pace_s) * 1_000,
            count: request.count,
            at_once: or(request.at_once, 1),
            kind: or(request.kind, autopilot_core::policy::TEXT_GENERATION),
            provider,
            deadline_s: or(request.deadline_s, 60),
            window_s: request.window_s,
            max_tokens: request.max_tokens,
            ends_at_ms: clock::now_ms().saturating_add(i64::from(or(request.for_s, 86_400)) * 1_000),
            prompt: None,
        };
        if request.dry_run {
            self.rehearse(Command::StartBuyMode(terms)).await?;
            return Ok(pb::BuyModeReply::default());
        }
        let body = Some((format!("buy_mode/{}", hex::encode(id)), request.input.as_bytes()));
        let start = Input::Person(Command::StartBuyMode(terms));
        self.outside
            .ledger
            .submit(start, body)
            .await
            .map_err(errors::submit)?;
        self.answer_buy_mode(pb::BuyModeRequest {}).await
    }

    pub(super) async fn answer_stop_buy_mode(
        &self,
        _: pb::StopBuyModeRequest,
    ) -> Result<pb::BuyModeReply, Status> {
        self.command(Command::StopBuyMode).await?;
        self.answer_buy_mode(pb::BuyModeRequest {}).await
    }

    pub(super) async fn answer_buy_mode(&self, _: pb::BuyModeRequest) -> Result<pb::BuyModeReply, Status> {
        self.look(shown).await
    }
}

fn shown(engine: &Engine) -> pb::BuyModeReply {
    let basis = Some(basis(engine, "ledger"));
    let Some(mode) = &engine.state().buy_modes.last else {
        return pb::BuyModeReply {
            basis,
            state: "never".to_owned(),
            ..pb::BuyModeReply::default()
        };
    };
    let running = mode.stopped.is_empty();
    pb::BuyModeReply {
        basis,
        state: if running { "running" } else { "stopped" }.to_owned(),
        buy_mode_id: hex::encode(&mode.terms.buy_mode_id),
        reason: mode.stopped.clone(),
        budget_msat: mode.terms.budget_msat,
        spent_msat: mode.spent_msat,
        reserved_msat: mode.reserved_msat(),
        left_msat: mode.left_msat(),
        purchases: mode.purchases,
        paid: mode.paid,
        open: mode.open().map(ToString::to_string).collect(),
        next_at_ms: running.then(|| buy_mode::next_at_ms(mode)),
        ends_at_ms: mode.terms.ends_at_ms,
        provider: hex::encode(&mode.terms.provider),
        per_job_msat: mode.terms.per_job_msat,
        pace_s: mode.terms.pace_ms / 1_000,
        count: mode.terms.count,
    }
}

/// Makes each purchase when it is due, until the ledger stops. The decider judges again, so that nothing is bought twice.
pub async fn run(outside: Outside) {
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut quiet = false;
    loop {
        ticks.tick().await;
        let now_ms = clock::now_ms();
        let look =
            move |engine: &Engine| buy_mode::due(engine.state(), now_ms).map(|mode| mode.terms.clone());
        let Ok(due) = outside.ledger.look(look).await else {
            return;
        };
        let Some(terms) = due else { continue };
        match buy(&outside, terms).await {
            Ok(()) => quiet = false,
            // Said once: the cause (no money, no relay) may last.
            Err(status) if !quiet => {
                tracing::warn!(
                    cause = status.message(),
                    "the buy mode can't buy now; it goes on trying"
                );
                quiet = true;
            }
            Err(_) => {}
        }
    }
}

async fn buy(outside: &Outside, terms: BuyModeStarted) -> Result<(), Status> {
    let reference = terms.prompt.clone().unwrap_or_default();
    let prompt = outside.ledger.text(&reference).await.map_err(errors::read)?;
    let input = match prompt.and_then(|bytes| String::from_utf8(bytes).ok()) {
        Some(input) => input,
        None => return Err(errors::not_found(outside.lost(&reference.subject).await)),
    };
    let request = pb::BuyRequest {
        input,
        kind: terms.kind,
        budget_msat: terms.per_job_msat,
        fee_ceiling_msat: terms.fee_ceiling_msat,
        deadline_s: terms.deadline_s,
        provider: hex::encode(&terms.provider),
        pay_first_ceiling_msat: terms.pay_first_ceiling_msat,
        max_tokens: terms.max_tokens,
        window_s: terms.window_s,
        ..pb::BuyRequest::default()
    };
    let order = order(outside, request, terms.buy_mode_id).await?;
    order.place(outside).await
}
