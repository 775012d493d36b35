//! Payments that leave: once for a hash or a key, and what becomes of them.
use autopilot_core::ports::wallet::{
    PayOffer, PayRequest, Payment, PaymentKind, PaymentStatus, WalletError, WalletErrorCode as Code,
    WalletEventKind as Kind,
};
use autopilot_events::words::{Msat, PaymentHash};

use super::{Leaving, Wallet, error, payment};
use crate::chance::Chance;

impl Wallet {
    /// Pays an invoice of somebody else's: once for a hash, again only when asked to after a failure.
    pub fn pay(&mut self, request: &PayRequest, now_s: u64) -> Result<Payment, WalletError> {
        self.answers()?;
        let Some((hash, asked_msat, expires_at_s)) = self.bills.get(&request.bolt11).copied() else {
            return Err(error(Code::InvalidArgument));
        };
        if self.own(&hash).is_some() {
            return Err(error(Code::SelfPayment));
        }
        let known = self.leaving.get(&hash.to_string());
        if let Some(leaving) = known
            && (leaving.payment.status != PaymentStatus::Failed || !request.retry_failed)
        {
            return Ok(leaving.payment.clone());
        }
        if now_s > expires_at_s {
            return Err(error(Code::Expired));
        }
        let amount = request.amount.unwrap_or(Msat(asked_msat));
        let attempts = known.map_or(0, |leaving| leaving.attempts) + 1;
        let payment = payment(hash.0, Some(hash), PaymentKind::Bolt11, amount, now_s);
        self.leave(hash.to_string(), payment, attempts, request.fee_ceiling)
    }

    fn leave(
        &mut self,
        key: String,
        mut payment: Payment,
        attempts: u32,
        ceiling: Msat,
    ) -> Result<Payment, WalletError> {
        let fee = Msat(ceiling.0.min(payment.amount.unwrap_or_default().0 / 200));
        let out = payment.amount.unwrap_or_default().0 + fee.0;
        if out > self.spendable_msat() {
            return Err(error(Code::InsufficientFunds));
        }
        if let Some(channel) = &mut self.channel {
            channel.balance_msat -= out;
        }
        payment.fee = Some(fee);
        self.leaving.insert(
            key,
            Leaving {
                payment: payment.clone(),
                attempts,
            },
        );
        Ok(payment)
    }

    /// Pays an offer, once for its key.
    pub fn pay_offer(
        &mut self,
        chance: &mut Chance,
        request: &PayOffer,
        now_s: u64,
    ) -> Result<Payment, WalletError> {
        self.answers()?;
        if let Some(leaving) = self.leaving.get(&request.key) {
            return Ok(leaving.payment.clone());
        }
        let hash = PaymentHash(chance.id());
        let payment = Payment {
            key: Some(request.key.clone()),
            ..payment(hash.0, Some(hash), PaymentKind::Bolt12, request.amount, now_s)
        };
        self.leave(request.key.clone(), payment, 1, request.fee_ceiling)
    }

    /// A payment under way comes to its end. One that failed may turn out to have succeeded: then it left all the same.
    pub fn resolve(&mut self, chance: &mut Chance, key: &str, succeeds: bool, now_s: u64) {
        let spendable = self.channel.as_ref().map_or(0, |channel| channel.balance_msat);
        let Some(leaving) = self.leaving.get_mut(key) else {
            return;
        };
        let payment = &mut leaving.payment;
        let (amount, fee) = (
            payment.amount.unwrap_or_default(),
            payment.fee.unwrap_or_default(),
        );
        let out = amount.0 + fee.0;
        let Some(channel) = &mut self.channel else { return };
        match (payment.status, succeeds) {
            (PaymentStatus::Pending, false) => {
                channel.balance_msat += out;
                payment.status = PaymentStatus::Failed;
                payment.failure = Some("simulated: no route".to_owned());
            }
            (PaymentStatus::Pending, true) => payment.status = PaymentStatus::Succeeded,
            (PaymentStatus::Failed, true) if spendable >= out => {
                channel.balance_msat -= out;
                payment.status = PaymentStatus::Succeeded;
                payment.failure = None;
            }
            _ => return,
        }
        payment.updated_at_s = now_s;
        let (payment_id, hash, key) = (payment.payment_id, payment.payment_hash, payment.key.clone());
        let event = if payment.status == PaymentStatus::Succeeded {
            let hash = hash.unwrap_or(PaymentHash(payment_id));
            self.moves.insert(format!("wallet/sent/{hash}"), -i128::from(out));
            Kind::PaymentSuccessful {
                payment_id,
                payment_hash: hash,
                preimage: None,
                amount: Some(amount),
                fee,
                settled_at_s: now_s,
                key,
            }
        } else {
            Kind::PaymentFailed {
                payment_id,
                payment_hash: hash,
                reason: "simulated: no route".to_owned(),
                key,
            }
        };
        self.tell(chance, event);
    }
}
