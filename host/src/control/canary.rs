//! The canary: a tiny job from a throw-away key, through the real relays, worked like any other. What is seen here was
//! seen as a stranger sees it; what the wallet has stands in the ledger.
mod stranger;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use autopilot_core::{
    canary as trial,
    canary::outcome,
    input::Command,
    policy::TEXT_GENERATION,
    ports::market::{JobInput, JobParams, MARKET_NIP90, Market, NewRequest, SignedEvent},
};
use autopilot_events::{
    pb as facts,
    words::{JobId, Msat, PublicKey},
};
use autopilot_nostr::{Identity, RelayConfig, RelayMarket};
use autopilot_proto::control::v1::{self as pb};
use tokio::time::{Instant, timeout_at};
use tonic::Status;

use self::stranger::{Trial, connected, listen, publish};
use super::{Service, client, errors, views::basis};
use crate::clock;

/// What is asked: short to read and to answer.
const QUESTION: &str = "Say yes.";
const MAX_TOKENS: u32 = 4;
/// The wallet's word may come so long after the payer's.
const SETTLE: Duration = Duration::from_secs(60);

/// Who pays, if anybody does: another home on this machine.
struct Payer {
    socket: PathBuf,
    fee_ceiling_msat: u64,
}

impl Service {
    pub(super) async fn answer_canary(&self, request: pb::CanaryRequest) -> Result<pb::CanaryReply, Status> {
        let service = self.clone();
        // A task of its own: a caller that goes away does not leave a trial without an end.
        let task = tokio::spawn(async move { service.canary(request).await });
        task.await.map_err(|error| errors::invalid(error.to_string()))?
    }

    async fn canary(&self, request: pb::CanaryRequest) -> Result<pb::CanaryReply, Status> {
        let payer = match request.pay_with.as_str() {
            "" => None,
            home if Path::new(home) == self.home.path() => {
                return Err(errors::invalid(
                    "a wallet can't pay itself: name another home folder",
                ));
            }
            home => Some(Payer {
                socket: PathBuf::from(home).join("run").join("control.sock"),
                fee_ceiling_msat: request.fee_ceiling_msat,
            }),
        };
        let wait = Duration::from_secs(u64::from(request.wait_s.clamp(1, 600)));
        let deadline = Instant::now() + wait;
        let ours = self.outside.market().map_err(errors::market)?.public_key();
        let stranger = RelayMarket::connect(Identity::throw_away(), RelayConfig::new(self.outside.relays()))
            .await
            .map_err(errors::market)?;
        connected(&stranger).await;
        let price = self
            .look(|engine| engine.state().provider.policy().min_price_msat)
            .await?;
        let new = NewRequest {
            kind: u16::try_from(TEXT_GENERATION).unwrap_or_default(),
            inputs: vec![JobInput::text(QUESTION)],
            params: JobParams {
                max_tokens: Some(MAX_TOKENS),
                ttl_s: u32::try_from(wait.as_secs()).ok(),
                ..JobParams::default()
            },
            bid_msat: Some(Msat(price)),
            providers: vec![ours],
            relays: self.outside.relays(),
            ..NewRequest::default()
        };
        let event = stranger
            .compose_request(&new, clock::now_s())
            .map_err(errors::market)?;
        let id = JobId::derive(MARKET_NIP90, &event.id.0);
        let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        let started = facts::CanaryStarted {
            job_id: id.to_vec(),
            native_id: event.id.to_vec(),
            requester: stranger.public_key().to_vec(),
            price_msat: price,
            deadline_ms: clock::now_ms().saturating_add(wait_ms),
            pays: payer.is_some(),
        };
        self.command(Command::StartCanary(started)).await?;
        let mut trial = Trial::default();
        let (end, detail) = self
            .attempt(&stranger, &event, ours, payer, deadline, &mut trial)
            .await;
        stranger.close().await;
        let finished = facts::CanaryFinished {
            job_id: id.to_vec(),
            outcome: end.to_owned(),
            stages: trial.stages,
            detail,
        };
        self.command(Command::FinishCanary(finished.clone())).await?;
        let (basis, words) = self
            .look(|engine| {
                (
                    basis(engine, "relay"),
                    trial::words(engine.state(), clock::now_ms()),
                )
            })
            .await?;
        let stages = finished.stages.into_iter().map(|stage| pb::CanaryRung {
            name: stage.name,
            at_ms: stage.at_ms,
            detail: stage.detail,
        });
        Ok(pb::CanaryReply {
            basis: Some(basis),
            job_id: id.to_string(),
            outcome: finished.outcome,
            detail: finished.detail,
            words,
            stages: stages.collect(),
        })
    }

    /// From the first relay to the wallet. Answers with the outcome and what to know about it.
    async fn attempt(
        &self,
        stranger: &RelayMarket,
        event: &SignedEvent,
        ours: PublicKey,
        payer: Option<Payer>,
        deadline: Instant,
        trial: &mut Trial,
    ) -> (&'static str, String) {
        if let Err(cause) = publish(stranger, event, trial).await {
            return (outcome::FAILED, cause);
        }
        let bill = |trial: &Trial| trial.worked || trial.refused.is_some() || trial.bill.is_some();
        listen(stranger, event.id, ours, deadline, trial, bill).await;
        if let Some(why) = &trial.refused {
            return (outcome::FAILED, format!("the provider said no: {why}"));
        }
        let Some(bolt11) = trial.bill.clone().and_then(|bill| bill.bolt11) else {
            let cause = match (trial.accepted, trial.worked) {
                (_, true) => "a result came, and no invoice with it",
                (true, false) => "the job was taken, and no result came in time: see `autopilotctl jobs`",
                (false, false) => {
                    "no answer of the provider came back through the relays in time: see `autopilotctl relays`"
                }
            };
            return (outcome::FAILED, cause.to_owned());
        };
        let Some(payer) = payer else {
            let end = if trial.worked {
                outcome::WORKED
            } else {
                outcome::QUOTED
            };
            return (end, self.unpaid(trial.worked).await);
        };
        if let Err(cause) = self.paid(&payer, bolt11, event, trial).await {
            return (outcome::FAILED, cause);
        }
        if !trial.worked {
            listen(
                stranger,
                event.id,
                ours,
                Instant::now() + SETTLE,
                trial,
                |trial| trial.worked || trial.refused.is_some(),
            )
            .await;
        }
        match trial.worked {
            true => (outcome::PAID, String::new()),
            false => (
                outcome::FAILED,
                "paid first, and no result came: see `autopilotctl jobs`".to_owned(),
            ),
        }
    }

    /// A wallet can't pay itself: what can be said instead.
    async fn unpaid(&self, worked: bool) -> String {
        let now_ms = clock::now_ms();
        let standing = self
            .look(move |engine| {
                let (ready, last) = (
                    engine.readiness().clone(),
                    engine.state().earnings.last_settled_at_ms,
                );
                (ready, engine.state().provider.policy().min_price_msat, last)
            })
            .await;
        let Ok((ready, price, last)) = standing else {
            return String::new();
        };
        let arrives = match (ready.receivable.0 >= price, ready.wallet_problem) {
            (true, _) => format!("a payment of {} would arrive now", Msat(price)),
            (false, Some(problem)) => format!("a payment would NOT arrive now: {problem}"),
            (false, None) => format!(
                "a payment would NOT arrive now: {} can be received",
                ready.receivable
            ),
        };
        let last = last.map_or("none was settled yet".to_owned(), |at| {
            format!("the last one was settled {} ago", trial::span(now_ms - at))
        });
        let not = match worked {
            true => "not paid, since a wallet can't pay itself",
            false => "not worked, since it is paid first and a wallet can't pay itself",
        };
        format!("{not} (--pay-with HOME pays from another one); {arrives}, {last}")
    }

    /// The other wallet pays, and ours says so.
    async fn paid(
        &self,
        payer: &Payer,
        bolt11: String,
        event: &SignedEvent,
        trial: &mut Trial,
    ) -> Result<(), String> {
        let mut other = client::client(&payer.socket).map_err(|e| e.to_string())?;
        let pay = pb::PayRequest {
            payment_request: bolt11,
            fee_ceiling_msat: payer.fee_ceiling_msat,
            wait_s: u32::try_from(SETTLE.as_secs()).unwrap_or_default(),
            ..pb::PayRequest::default()
        };
        let reply = other
            .pay(pay)
            .await
            .map_err(|status| format!("the other wallet: {}", status.message()))?;
        let reply = reply.into_inner();
        if reply.status != "succeeded" {
            return Err(format!(
                "the other wallet's payment is {}: {}",
                reply.status, reply.reason
            ));
        }
        let id = JobId::derive(MARKET_NIP90, &event.id.0);
        let mut head = self.outside.ledger.head();
        let until = Instant::now() + SETTLE;
        loop {
            head.borrow_and_update();
            let settled = self.look(move |engine| arrived(engine.state(), id)).await;
            if settled.map_err(|status| status.message().to_owned())? {
                trial.reach("paid", format!("routing {} msat", reply.fee_msat.unwrap_or(0)));
                return Ok(());
            }
            if timeout_at(until, head.changed()).await.is_err() {
                return Err("the other wallet paid, and ours has not seen it".to_owned());
            }
        }
    }
}

/// The wallet's word on the trial's payment is in the ledger, before the work or after it.
fn arrived(state: &autopilot_projections::State, id: JobId) -> bool {
    let settled = state
        .canaries
        .last
        .as_ref()
        .is_some_and(|c| c.job == id && c.settled_at_ms.is_some());
    settled || state.jobs.get(&id).is_some_and(|job| job.money.arrived())
}
