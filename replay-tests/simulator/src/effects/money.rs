//! What the wallet is asked to pay.
use autopilot_core::{
    Input,
    input::{OfferedRefund, WalletInput},
    ports::wallet::{PayOffer, PayRequest, Payment, PaymentStatus, WalletError, WalletErrorCode},
    told,
};
use autopilot_events::{
    pb,
    words::{JobId, Msat, PaymentHash},
};

use super::offer;
use crate::{
    bug::Bug,
    oracle::Wrong,
    world::{Happening, Reply, Report, World},
};

impl World {
    /// What came of asking the wallet to pay.
    fn paid(
        &self,
        answer: Result<Option<WalletInput>, WalletError>,
        refused: impl FnOnce(&WalletError) -> WalletInput,
    ) -> Report {
        match answer {
            Ok(Some(outcome)) => Report::Submit(Box::new(Input::Wallet(outcome))),
            Ok(None) => Report::Nothing,
            Err(error) if error.is_final() => Report::Submit(Box::new(Input::Wallet(refused(&error)))),
            Err(_) => Report::NotYet,
        }
    }

    pub(super) fn pay(&mut self, hash: &PaymentHash, attempt: u32) -> Result<Report, Wrong> {
        let outgoing = self
            .host
            .as_ref()
            .and_then(|host| host.engine.state().wallet.outgoing_by_hash(hash));
        let Some(approval) = outgoing.map(|outgoing| outgoing.approval.clone()) else {
            return Ok(Report::Nothing);
        };
        self.oracle.may_pay(hash, approval.amount_msat)?;
        let request = PayRequest {
            bolt11: approval.bolt11.clone(),
            amount: None,
            fee_ceiling: Msat(approval.fee_ceiling_msat),
            payee: approval.payee.as_slice().try_into().ok(),
            retry_failed: attempt > 1,
        };
        let now_s = self.now_s();
        let answer = self.wallet.pay(&request, now_s);
        self.settles_some_day(&answer, hash.to_string());
        let outcome = answer.map(|payment| told::outcome(&payment, &approval));
        Ok(self.paid(outcome, |error| told::refused(*hash, error)))
    }

    /// A payment that has just left ends after a while.
    fn settles_some_day(&mut self, answer: &Result<Payment, WalletError>, key: String) {
        if !matches!(answer, Ok(payment) if payment.status == PaymentStatus::Pending) {
            return;
        }
        let most_ms = if self.fault(10) { 600_000 } else { 8_000 };
        let wait_ms = self.chance.between(200, most_ms);
        let fails = self.fault(25);
        self.later(wait_ms, Happening::Resolves(key.clone(), !fails));
        if fails && self.chance.one_in(6) {
            // It seemed to have failed, and arrived all the same.
            let wait_ms = wait_ms + self.chance.between(1, 120_000);
            self.later(wait_ms, Happening::Resolves(key, true));
        }
    }

    pub(super) fn pay_offer(&mut self, intent: &str) -> Result<Report, Wrong> {
        let offers = self.host.as_ref().map(|host| host.engine.state().wallet.offers());
        let found = offers.and_then(|mut offers| {
            offers
                .find(|(known, _)| *known == intent)
                .map(|(_, approved)| approved.clone())
        });
        let Some(approved) = found else {
            return Ok(Report::Nothing);
        };
        self.oracle.may_pay_offer(intent, approved.amount_msat)?;
        let key = match self.is(Bug::FreshOfferKey) {
            true => format!("{}{:04x}", told::offer_key(intent), self.number % 0xffff),
            false => told::offer_key(intent),
        };
        let request = PayOffer {
            key: key.clone(),
            bolt12: approved.bolt12.clone(),
            amount: Msat(approved.amount_msat),
            fee_ceiling: Msat(approved.fee_ceiling_msat),
        };
        let now_s = self.now_s();
        let known = self.wallet.leaving.contains_key(&key);
        let answer = self.wallet.pay_offer(&mut self.chance, &request, now_s);
        if !known {
            self.settles_some_day(&answer, key);
        }
        // Without an outcome the wallet is asked again how far it is.
        let pending = matches!(&answer, Ok(payment) if payment.status == PaymentStatus::Pending);
        let outcome = answer.map(|payment| told::offer_outcome(&payment, &approved));
        Ok(match pending {
            true => Report::NotYet,
            false => self.paid(outcome, |error| told::offer_refused(&approved, error)),
        })
    }

    pub(super) fn refund(&mut self, id: &JobId) -> Report {
        let bolt12 = self
            .host
            .as_ref()
            .and_then(|host| host.engine.state().jobs.get(id))
            .map(|job| job.refund_offer.clone());
        let Some(bolt12) = bolt12 else {
            return Report::Nothing;
        };
        if !self.wallet.up {
            return Report::NotYet;
        }
        let figures = self.wallet.figures();
        self.submit(Input::Wallet(WalletInput::Balances(figures)), Reply::Nobody);
        let offer = match bolt12.contains("broken") {
            true => Err("the buyer's offer can't be read: simulated".to_owned()),
            false => Ok(offer(&bolt12)),
        };
        Report::Submit(Box::new(Input::Refund(OfferedRefund { job: *id, offer })))
    }

    pub(super) fn send_onchain(&mut self, intent: &str) -> Report {
        let sends = self
            .host
            .as_ref()
            .map(|host| host.engine.state().wallet.onchain());
        let found = sends.and_then(|mut sends| {
            sends
                .find(|(known, _)| *known == intent)
                .map(|(_, approved)| approved.clone())
        });
        let Some(approved) = found else {
            return Report::Nothing;
        };
        let (sat, now_s) = (approved.amount_sat.unwrap_or(0), self.now_s());
        let answer = self
            .wallet
            .send_onchain(&mut self.chance, &format!("onchain/{intent}"), sat, now_s);
        let failed = |error: &WalletError| {
            WalletInput::OnchainFailed(pb::OnchainFailed {
                intent_id: approved.intent_id.clone(),
                reason: error.message.clone(),
            })
        };
        let sent = answer.map(|txid| {
            Some(WalletInput::OnchainSent(pb::OnchainSent {
                intent_id: approved.intent_id.clone(),
                txid,
                amount_sat: sat,
            }))
        });
        if matches!(&sent, Err(error) if error.code == WalletErrorCode::Unavailable) {
            return Report::NotYet;
        }
        self.paid(sent, failed)
    }
}
