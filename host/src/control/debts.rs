//! What is owed back to buyers who paid before a delivery that then failed, and paying it back by hand.
use std::time::Duration;

use autopilot_core::{Engine, input::Command, ports::wallet::Wallet, refund::RefundTo};
use autopilot_events::{
    Event,
    words::{JobId, Msat},
};
use autopilot_projections::jobs::Job;
use autopilot_proto::control::v1::{self as pb};
use tonic::Status;

use super::{Service, errors, views::basis};
use crate::{outside, secrets};

impl Service {
    pub(super) async fn answer_debts(&self, _: pb::DebtsRequest) -> Result<pb::DebtsReply, Status> {
        self.look(|engine| {
            let jobs = engine.state().jobs.open();
            let debts: Vec<pb::Debt> = jobs.filter_map(|(id, job)| debt(id, job)).collect();
            pb::DebtsReply {
                basis: Some(basis(engine, "ledger")),
                owed_msat: owed_msat(engine),
                debts,
            }
        })
        .await
    }

    pub(super) async fn answer_refund(&self, request: pb::RefundRequest) -> Result<pb::RefundReply, Status> {
        let job = self.find(&request.job).await?.job_id;
        let to = match self.outside.offer(&request.destination).await {
            Ok(offer) => RefundTo::Offer(
                offer,
                secrets::random::<16>().map_err(|error| errors::invalid(error.to_string()))?,
            ),
            Err(_) => {
                let decoded = self.outside.wallet.decode_invoice(&request.destination).await;
                let decoded = decoded.map_err(|_| {
                    errors::coded(
                        tonic::Code::InvalidArgument,
                        "invoice-unusable",
                        "a refund goes to a BOLT12 offer (lno1…) or a BOLT11 invoice, and this is neither",
                    )
                })?;
                RefundTo::Invoice(outside::bill(&request.destination, decoded))
            }
        };
        crate::treasury::observe(&self.outside)
            .await
            .map_err(errors::submit)?;
        let after = self.outside.ledger.head().borrow().sequence;
        self.command(Command::Refund {
            job,
            to,
            fee_ceiling: request.fee_ceiling_msat.map(Msat),
        })
        .await?;
        let wait = Duration::from_secs(u64::from(request.wait_s.min(600)));
        let about = |event: &Event| match event {
            Event::JobRefunded(m) => m.job_id == job.0,
            Event::JobRefundFailed(m) => m.job_id == job.0,
            _ => false,
        };
        let reply = match tokio::time::timeout(wait, self.first_after(after, about)).await {
            Ok(Err(status)) => return Err(status),
            Ok(Ok(Event::JobRefunded(m))) => pb::RefundReply {
                status: "refunded".to_owned(),
                amount_msat: m.amount_msat,
                fee_msat: m.fee_msat,
                payment_hash: hex::encode(m.payment_hash),
                ..pb::RefundReply::default()
            },
            Ok(Ok(Event::JobRefundFailed(m))) => pb::RefundReply {
                status: "failed".to_owned(),
                reason: m.reason,
                ..pb::RefundReply::default()
            },
            _ => pb::RefundReply {
                status: "pending".to_owned(),
                ..pb::RefundReply::default()
            },
        };
        Ok(pb::RefundReply {
            basis: Some(self.look(|engine| basis(engine, "ledger")).await?),
            job_id: job.to_string(),
            ..reply
        })
    }
}

/// All that is owed back now.
pub(super) fn owed_msat(engine: &Engine) -> u64 {
    let debts = engine.state().jobs.open().filter(|(_, job)| job.is_debt());
    let owed = debts
        .filter_map(|(_, job)| job.prepayment.as_ref())
        .map(|paid| paid.amount_msat);
    owed.fold(0, u64::saturating_add)
}

fn debt(id: &JobId, job: &Job) -> Option<pb::Debt> {
    let paid = job.prepayment.as_ref().filter(|_| job.is_debt())?;
    let (state, reason) = match &job.refund {
        Some(refund) if refund.under_way => ("under-way", String::new()),
        Some(refund) => ("failed", refund.failure.clone().unwrap_or_default()),
        None if job.refund_offer.is_empty() => {
            ("owed", "the buyer supplied no offer to pay back to".to_owned())
        }
        None => (
            "waiting",
            "it is paid back by itself once the wallet can send it with its fee".to_owned(),
        ),
    };
    Some(pb::Debt {
        job_id: id.to_string(),
        native_id: job.native_id.to_string(),
        requester: job.requester.to_string(),
        amount_msat: paid.amount_msat,
        since_ms: paid.settled_at_ms,
        why: job.failure.clone().unwrap_or_default(),
        refund_offer: job.refund_offer.clone(),
        state: state.to_owned(),
        reason,
    })
}
