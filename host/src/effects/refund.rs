//! Pays a debt back to the offer that its buyer supplied: the wallet reads the offer, the decider approves.
use autopilot_core::{Input, input::OfferedRefund};
use autopilot_events::words::JobId;

use super::NotYet;
use crate::{outside::Outside, treasury};

pub(super) async fn refund(outside: &Outside, id: JobId) -> Result<(), NotYet> {
    let offer = outside
        .ledger
        .look(move |engine| engine.state().jobs.get(&id).map(|job| job.refund_offer.clone()))
        .await?;
    let Some(bolt12) = offer else { return Ok(()) };
    let offer = match outside.offer(&bolt12).await {
        Ok(offer) => Ok(offer),
        Err(error) if error.is_final() => Err(format!("the buyer's offer can't be read: {}", error.message)),
        Err(error) => return Err(NotYet::because(error)),
    };
    treasury::observe(outside).await?;
    let refund = OfferedRefund { job: id, offer };
    outside.ledger.submit(Input::Refund(refund), None).await?;
    Ok(())
}
