//! Payments to BOLT12 offers: the wallet is asked once for an intent, and asked again only how far it is.
use std::time::Duration;

use autopilot_core::{
    Input,
    ports::wallet::{PayOffer, Wallet},
    told,
};
use autopilot_events::words::Msat;

use super::{NotYet, happened};
use crate::outside::Outside;

/// How often the wallet is asked how far a payment is. Its own event usually comes first.
const ASK_AGAIN: Duration = Duration::from_secs(5);

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
        key: told::offer_key(intent),
        bolt12: approved.bolt12.clone(),
        amount: Msat(approved.amount_msat),
        fee_ceiling: Msat(approved.fee_ceiling_msat),
    };
    loop {
        let answer = outside.wallet.pay_offer(request.clone()).await;
        happened("pay-offer");
        let outcome = match answer {
            Ok(payment) => told::offer_outcome(&payment, &approved),
            Err(error) if error.is_final() => Some(told::offer_refused(&approved, &error)),
            Err(error) => return Err(NotYet::because(error)),
        };
        if let Some(outcome) = outcome {
            outside.ledger.submit(Input::Wallet(outcome), None).await?;
            return Ok(());
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}
