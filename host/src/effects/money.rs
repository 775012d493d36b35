//! What the wallet is asked to do. Each call is keyed inside the wallet process, so that repeating it is harmless.
use std::time::Duration;

use autopilot_core::{
    Input,
    input::WalletInput,
    ports::wallet::{OnchainAmount, PayRequest, Wallet},
    told,
};
use autopilot_events::{
    pb,
    words::{JobId, Msat, PaymentHash},
};

use super::{NotYet, happened};
use crate::outside::Outside;

pub(super) async fn invoice(outside: &Outside, id: JobId, amount: Msat, expiry_s: u32) -> Result<(), NotYet> {
    let key = format!("job/{id}");
    let invoice = outside
        .wallet
        .create_invoice(&key, amount, "Autopilot job", expiry_s)
        .await
        .map_err(NotYet::because)?;
    happened("invoice");
    let issued = pb::InvoiceIssued {
        job_id: id.to_vec(),
        payment_hash: invoice.payment_hash.to_vec(),
        bolt11: invoice.bolt11,
        amount_msat: invoice.amount.0,
        expires_at_ms: i64::try_from(invoice.expires_at_s.saturating_mul(1_000)).unwrap_or(i64::MAX),
        pay_first: false, // The decider knows.
    };
    outside.ledger.submit(Input::Invoiced(issued), None).await?;
    Ok(())
}

/// Asks the wallet to pay what was approved. An outcome that is not final comes as a wallet event later.
pub(super) async fn pay(outside: &Outside, hash: PaymentHash, attempt: u32) -> Result<(), NotYet> {
    let outgoing = outside
        .ledger
        .look(move |engine| engine.state().wallet.outgoing_by_hash(&hash).cloned())
        .await?;
    let Some(approval) = outgoing.map(|outgoing| outgoing.approval) else {
        return Ok(());
    };
    // A payee that can't be reached now may be back in a moment.
    tokio::time::sleep(pause_before(attempt)).await;
    let amountless = outside
        .wallet
        .decode_invoice(&approval.bolt11)
        .await
        .map_err(NotYet::because)?
        .amount
        .is_none();
    let request = PayRequest {
        bolt11: approval.bolt11.clone(),
        amount: amountless.then_some(Msat(approval.amount_msat)),
        fee_ceiling: Msat(approval.fee_ceiling_msat),
        payee: approval.payee.as_slice().try_into().ok(),
        retry_failed: attempt > 1,
    };
    let answer = outside.wallet.pay(request).await;
    happened("pay");
    let outcome = match answer {
        Ok(payment) => told::outcome(&payment, &approval),
        Err(error) if error.is_final() => Some(told::refused(hash, &error)),
        Err(error) => return Err(NotYet::because(error)),
    };
    if let Some(outcome) = outcome {
        outside.ledger.submit(Input::Wallet(outcome), None).await?;
    }
    Ok(())
}

/// Nothing before the first attempt, then 1, 2, 4 … at most 30 seconds.
fn pause_before(attempt: u32) -> Duration {
    match attempt {
        0 | 1 => Duration::ZERO,
        again => Duration::from_secs(1 << (again - 2).min(5)).min(Duration::from_secs(30)),
    }
}

pub(super) async fn send_onchain(outside: &Outside, intent: &str) -> Result<(), NotYet> {
    let wanted = intent.to_owned();
    let approved = outside
        .ledger
        .look(move |engine| {
            engine
                .state()
                .wallet
                .onchain()
                .find(|(id, _)| **id == wanted)
                .map(|(_, a)| a.clone())
        })
        .await?;
    let Some(approved) = approved else { return Ok(()) };
    let amount = approved.amount_sat.map_or(OnchainAmount::All, OnchainAmount::Sat);
    let answer = outside
        .wallet
        .send_onchain(&format!("onchain/{intent}"), &approved.address, amount)
        .await;
    happened("send-onchain");
    let outcome = match answer {
        Ok(send) => match send.txid {
            Some(txid) => WalletInput::OnchainSent(pb::OnchainSent {
                intent_id: approved.intent_id,
                amount_sat: outside.sent_onchain_sat(&txid, approved.amount_sat).await,
                txid,
            }),
            None => WalletInput::OnchainFailed(pb::OnchainFailed {
                intent_id: approved.intent_id,
                reason:
                    "the wallet stopped in between and can't tell; nothing is sent again under this intent"
                        .to_owned(),
            }),
        },
        Err(error) if error.is_final() => WalletInput::OnchainFailed(pb::OnchainFailed {
            intent_id: approved.intent_id,
            reason: error.message,
        }),
        Err(error) => return Err(NotYet::because(error)),
    };
    outside.ledger.submit(Input::Wallet(outcome), None).await?;
    Ok(())
}

impl Outside {
    /// What an on-chain payment moved, as the wallet's own list says; what was asked for until it lists it.
    async fn sent_onchain_sat(&self, txid: &str, asked_sat: Option<u64>) -> u64 {
        let page = self.wallet.payments(500, None).await;
        let listed = page.ok().and_then(|page| {
            page.payments
                .into_iter()
                .find(|p| p.txid.as_deref() == Some(txid))
        });
        listed
            .and_then(|payment| payment.amount)
            .map(Msat::sat_floor)
            .or(asked_sat)
            .unwrap_or(0)
    }
}
