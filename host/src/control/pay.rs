//! Paying an invoice: an approval fact first, then the outcome as the facts tell it.
use std::time::Duration;

use autopilot_core::{input::Command, ports::wallet::Wallet};
use autopilot_events::{
    Event, pb as facts,
    words::{Msat, PaymentHash},
};
use autopilot_proto::control::v1::{self as pb};
use tonic::Status;

use super::{Service, errors, views::basis};
use crate::outside;

impl Service {
    /// Approves and waits for the outcome, as long as asked. The same invoice twice answers with the first payment.
    pub(super) async fn answer_pay(&self, request: pb::PayRequest) -> Result<pb::PayReply, Status> {
        let decoded = self
            .outside
            .wallet
            .decode_invoice(&request.payment_request)
            .await
            .map_err(errors::wallet)?;
        let hash = decoded.payment_hash;
        let command = Command::Pay {
            bill: outside::bill(&request.payment_request, decoded),
            amount: request.amount_msat.map(Msat),
            fee_ceiling: Msat(request.fee_ceiling_msat),
            resolution: None,
        };
        self.pay_once(command, hash, request.wait_s).await
    }

    /// Approves and waits; an invoice that was paid before answers with that payment.
    pub(super) async fn pay_once(
        &self,
        command: Command,
        hash: PaymentHash,
        wait_s: u32,
    ) -> Result<pb::PayReply, Status> {
        crate::treasury::observe(&self.outside)
            .await
            .map_err(errors::submit)?;
        if let Some(done) = self.sent(hash).await? {
            return Ok(done);
        }
        let after = self.outside.ledger.head().borrow().sequence;
        self.command(command).await?;
        let wait = Duration::from_secs(u64::from(wait_s.min(600)));
        let outcome = tokio::time::timeout(wait, self.outcome(hash, after)).await;
        match outcome {
            Ok(reply) => reply,
            Err(_) => Ok(pb::PayReply {
                basis: Some(self.look(|engine| basis(engine, "ledger")).await?),
                payment_hash: hash.to_string(),
                status: "pending".to_owned(),
                ..pb::PayReply::default()
            }),
        }
    }

    /// The first outcome of a payment that was recorded after a fact.
    async fn outcome(&self, hash: PaymentHash, after: u64) -> Result<pb::PayReply, Status> {
        let is_outcome = |event: &Event| match event {
            Event::WalletPaymentSent(m) => m.payment_hash == hash.0,
            Event::WalletPaymentFailed(m) => m.payment_hash == hash.0,
            _ => false,
        };
        match self.first_after(after, is_outcome).await? {
            Event::WalletPaymentFailed(m) => self.failed(&m).await,
            Event::WalletPaymentSent(m) => self.succeeded(&m).await,
            // Nothing else fits the question above.
            other => Err(errors::invalid(format!("{} is no outcome", other.kind()))),
        }
    }

    /// The first fact after a number that fits, once it is there.
    pub(super) async fn first_after(
        &self,
        mut after: u64,
        fits: impl Fn(&Event) -> bool,
    ) -> Result<Event, Status> {
        let mut head = self.outside.ledger.head();
        loop {
            head.borrow_and_update();
            loop {
                let reader = self.outside.ledger.reader();
                let facts = reader.facts(after, 500).await.map_err(errors::read)?;
                let Some(last) = facts.last() else { break };
                after = last.fact.sequence;
                if let Some(fact) = facts.into_iter().find(|fact| fits(&fact.event)) {
                    return Ok(fact.event);
                }
            }
            if head.changed().await.is_err() {
                return Err(errors::submit(crate::ledger::SubmitError::Stopped));
            }
        }
    }

    async fn sent(&self, hash: PaymentHash) -> Result<Option<pb::PayReply>, Status> {
        let key = autopilot_core::input::sent_key(&hash.0);
        let fact = self
            .outside
            .ledger
            .reader()
            .fact_by_key(&key)
            .await
            .map_err(errors::read)?;
        match fact.map(|fact| fact.event) {
            Some(Event::WalletPaymentSent(m)) => self.succeeded(&m).await.map(Some),
            _ => Ok(None),
        }
    }

    async fn succeeded(&self, m: &facts::WalletPaymentSent) -> Result<pb::PayReply, Status> {
        Ok(pb::PayReply {
            basis: Some(self.look(|engine| basis(engine, "wallet")).await?),
            payment_hash: hex::encode(&m.payment_hash),
            status: "succeeded".to_owned(),
            amount_msat: Some(m.amount_msat),
            fee_msat: Some(m.fee_msat),
            preimage: hex::encode(&m.preimage),
            reason: String::new(),
        })
    }

    async fn failed(&self, m: &facts::WalletPaymentFailed) -> Result<pb::PayReply, Status> {
        Ok(pb::PayReply {
            basis: Some(self.look(|engine| basis(engine, "wallet")).await?),
            payment_hash: hex::encode(&m.payment_hash),
            status: "failed".to_owned(),
            reason: m.reason.clone(),
            ..pb::PayReply::default()
        })
    }
}
