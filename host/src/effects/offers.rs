//! Payments to BOLT12 offers: the wallet is asked once for an intent, and asked again only how far it is.
use std::time::Duration;

use autopilot_core::{
    Input,
    input::WalletInput,
    ports::wallet::{PayOffer, Payment, PaymentStatus, Wallet},
};
use autopilot_events::{pb, words::Msat};

use super::{NotYet, happened, money::is_final};
use crate::outside::Outside;

/// What the wallet calls the intents of this host.
const KEY: &str = "offer/";
/// How often the wallet is asked how far a payment is. Its own event usually comes first.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// The intent that a wallet's key names; empty for keys of others.
pub(crate) fn intent_of(key: Option<&str>) -> Vec<u8> {
    let intent = key.and_then(|key| key.strip_prefix(KEY));
    intent.and_then(|hex| hex::decode(hex).ok()).unwrap_or_default()
}

/// Sees a payment through until it has an outcome. Once that is recorded, this effect is no longer outstanding.
pub(super) async fn pay(outside: &Outside, intent: &str) -> Result<(), NotYet> {
    let wanted = intent.to_owned();
    let approved = outside
        .ledger
        .look(move |engine| {
            engine
                .state()
                .wallet
                .offers()
                .find(|(id, _)| **id == wanted)
                .map(|(_, a)| a.clone())
        })
        .await?;
    let Some(approved) = approved else { return Ok(()) };
    let request = PayOffer {
        key: format!("{KEY}{intent}"),
        bolt12: approved.bolt12.clone(),
        amount: Msat(approved.amount_msat),
        fee_ceiling: Msat(approved.fee_ceiling_msat),
    };
    loop {
        let answer = outside.wallet.pay_offer(request.clone()).await;
        happened("pay-offer");
        let outcome = match answer {
            Ok(payment) => outcome(&payment, &approved),
            Err(error) if is_final(&error) => {
                let reason = format!("{}: {}", error.code.name(), error.message);
                Some(failed(&approved, reason, false))
            }
            Err(error) => return Err(NotYet::because(error)),
        };
        if let Some(outcome) = outcome {
            outside.ledger.submit(Input::Wallet(outcome), None).await?;
            return Ok(());
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

fn failed(approved: &pb::OfferApproved, reason: String, in_doubt: bool) -> WalletInput {
    WalletInput::OfferFailed(pb::OfferFailed {
        intent_id: approved.intent_id.clone(),
        reason,
        in_doubt,
    })
}

fn outcome(payment: &Payment, approved: &pb::OfferApproved) -> Option<WalletInput> {
    match (payment.status, payment.payment_hash) {
        (PaymentStatus::Succeeded, Some(hash)) => Some(WalletInput::Sent(pb::WalletPaymentSent {
            payment_id: payment.payment_id.to_vec(),
            payment_hash: hash.to_vec(),
            amount_msat: payment.amount.map_or(approved.amount_msat, |amount| amount.0),
            fee_msat: payment.fee.unwrap_or_default().0,
            preimage: payment
                .preimage
                .map(|preimage| preimage.to_vec())
                .unwrap_or_default(),
            settled_at_ms: i64::try_from(payment.updated_at_s.saturating_mul(1_000)).unwrap_or(i64::MAX),
            intent_id: approved.intent_id.clone(),
            approval: 0,
        })),
        (PaymentStatus::Failed, _) => {
            let reason = payment.failure.clone();
            let reason = reason.unwrap_or_else(|| "the wallet says that it failed".to_owned());
            Some(failed(approved, reason, false))
        }
        (PaymentStatus::InDoubt, _) => {
            let reason = "the wallet stopped in between and can't tell whether the payee was asked; nothing is sent \
                          again under this intent, and a payment that went out all the same will be recorded";
            Some(failed(approved, reason.to_owned(), true))
        }
        _ => None,
    }
}
