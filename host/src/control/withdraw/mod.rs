//! Withdrawing: first a plan that names payee, sum and fee ceiling, then exactly that plan. Between the two a person
//! says yes, and nothing is looked up again.
mod history;
mod plan;
mod sums;

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use autopilot_core::input::Command;
use autopilot_events::{Event, words::PaymentHash};
use autopilot_proto::control::v1 as pb;
use tonic::Status;

use super::{Service, errors, views::basis};

/// How long a plan is good.
const PLAN_LIFE: Duration = Duration::from_secs(300);
/// Plans that nobody carried out; beyond them the oldest goes.
const PLANS_MAX: usize = 32;

/// What was shown, and the command that does it.
pub(super) struct Planned {
    shown: pb::WithdrawalPlan,
    command: Command,
    made: Instant,
}

/// Plans that wait for a yes. Held in memory only: a plan is no intent.
#[derive(Default)]
pub(crate) struct Plans(Mutex<Vec<Planned>>);

impl Plans {
    fn keep(&self, planned: Planned) {
        let mut plans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        plans.retain(|plan| plan.made.elapsed() < PLAN_LIFE);
        if plans.len() >= PLANS_MAX {
            plans.remove(0);
        }
        plans.push(planned);
    }

    /// A plan is carried out once.
    fn take(&self, id: &str) -> Option<Planned> {
        let mut plans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        plans.retain(|plan| plan.made.elapsed() < PLAN_LIFE);
        let place = plans.iter().position(|plan| plan.shown.plan_id == id)?;
        Some(plans.remove(place))
    }
}

impl Service {
    /// Carries a plan out and waits for its outcome, as long as asked.
    pub(super) async fn answer_withdraw(
        &self,
        request: pb::WithdrawRequest,
    ) -> Result<pb::WithdrawReply, Status> {
        let gone = "this plan was carried out, or is older than five minutes: make it again";
        let planned = self.plans.take(&request.plan_id);
        let Planned { shown, command, .. } = planned.ok_or_else(|| errors::not_found(gone))?;
        let wait_s = request.wait_s;
        let mut reply = match command {
            Command::Pay { .. } => self.withdraw_by_invoice(&shown, command, wait_s).await?,
            Command::PayOffer(_) => self.withdraw_by_offer(command, wait_s).await?,
            Command::SendOnchain(approved) => {
                let sent = self.send_approved(approved, wait_s).await?;
                let status = match sent.status.as_str() {
                    "sent" => "succeeded",
                    other => other,
                };
                pb::WithdrawReply {
                    status: status.to_owned(),
                    intent_id: sent.intent_id,
                    txid: sent.txid,
                    reason: sent.reason,
                    amount_msat: shown.amount_msat,
                    ..pb::WithdrawReply::default()
                }
            }
            // Plans hold nothing else.
            _ => return Err(errors::not_found(gone)),
        };
        crate::treasury::observe(&self.outside)
            .await
            .map_err(errors::submit)?;
        let (basis, left_msat) = self
            .look(|engine| {
                let left_msat = engine.state().wallet.figures.spendable_msat;
                (basis(engine, "wallet"), left_msat)
            })
            .await?;
        (reply.basis, reply.left_msat) = (Some(basis), left_msat);
        reply.fee_ceiling_msat = shown.fee_ceiling_msat;
        (reply.kind, reply.network) = (shown.kind, shown.network);
        Ok(reply)
    }

    async fn withdraw_by_invoice(
        &self,
        shown: &pb::WithdrawalPlan,
        command: Command,
        wait_s: u32,
    ) -> Result<pb::WithdrawReply, Status> {
        let mut hash = PaymentHash([0; 32]);
        hex::decode_to_slice(&shown.payment_hash, &mut hash.0)
            .map_err(|_| errors::invalid("the plan names no payment hash"))?;
        let paid = self.pay_once(command, hash, wait_s).await?;
        Ok(pb::WithdrawReply {
            status: paid.status,
            payment_hash: paid.payment_hash,
            amount_msat: paid.amount_msat,
            fee_msat: paid.fee_msat,
            preimage: paid.preimage,
            reason: paid.reason,
            ..pb::WithdrawReply::default()
        })
    }

    async fn withdraw_by_offer(&self, command: Command, wait_s: u32) -> Result<pb::WithdrawReply, Status> {
        let Command::PayOffer(wish) = &command else {
            return Err(errors::invalid("the plan names no offer"));
        };
        let intent = wish.intent_id;
        let after = self.outside.ledger.head().borrow().sequence;
        self.command(command).await?;
        let mut reply = pb::WithdrawReply {
            status: "pending".to_owned(),
            intent_id: hex::encode(intent),
            ..pb::WithdrawReply::default()
        };
        let outcome = self.first_after(after, |event| match event {
            Event::WalletPaymentSent(m) => m.intent_id == intent,
            Event::OfferFailed(m) => m.intent_id == intent,
            _ => false,
        });
        let wait = Duration::from_secs(u64::from(wait_s.min(600)));
        let Ok(outcome) = tokio::time::timeout(wait, outcome).await else {
            return Ok(reply);
        };
        match outcome? {
            Event::WalletPaymentSent(m) => {
                reply.status = "succeeded".to_owned();
                reply.payment_hash = hex::encode(&m.payment_hash);
                reply.preimage = hex::encode(&m.preimage);
                (reply.amount_msat, reply.fee_msat) = (Some(m.amount_msat), Some(m.fee_msat));
            }
            Event::OfferFailed(m) => {
                reply.status = if m.in_doubt { "in-doubt" } else { "failed" }.to_owned();
                reply.reason = m.reason;
            }
            _ => {}
        }
        Ok(reply)
    }
}
