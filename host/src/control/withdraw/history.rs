//! What a person named, beside the payments that it led to.
use autopilot_core::ports::wallet::Payment;
use autopilot_events::{Event, pb as facts};
use tonic::Status;

use crate::control::{Service, errors};

impl Service {
    /// What a person's destination turned out to be when a payment of ours was approved, where one was given.
    pub(in crate::control) async fn resolution_of(
        &self,
        payment: &Payment,
    ) -> Result<Option<facts::Resolution>, Status> {
        let Some(hash) = payment.payment_hash.filter(|_| payment.outbound) else {
            return Ok(None);
        };
        let reader = self.outside.ledger.reader();
        let key = autopilot_core::input::sent_key(&hash.0);
        let sent = reader.fact_by_key(&key).await.map_err(errors::read)?;
        let Some(Event::WalletPaymentSent(sent)) = sent.map(|fact| fact.event) else {
            let look = move |engine: &autopilot_core::Engine| {
                let outgoing = engine.state().wallet.outgoing_by_hash(&hash);
                outgoing.and_then(|outgoing| outgoing.approval.resolution.clone())
            };
            return self.look(look).await;
        };
        let Some(before) = sent.approval.checked_sub(1) else {
            return Ok(None);
        };
        let approval = reader.facts(before, 1).await.map_err(errors::read)?.pop();
        Ok(match approval.map(|fact| fact.event) {
            Some(Event::PaymentApproved(m)) => m.resolution,
            Some(Event::OfferApproved(m)) => m.resolution,
            _ => None,
        })
    }
}
