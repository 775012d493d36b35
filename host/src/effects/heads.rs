//! Tells relays the newest signed head.
use autopilot_core::Input;
use autopilot_events::pb;

use super::{NotYet, happened, publish::broadcast};
use crate::{heads, outside::Outside};

/// The event is composed from the fact: its id is the same at every try.
pub(super) async fn publish(outside: &Outside, size: u64) -> Result<(), NotYet> {
    // A home without relays tells nobody.
    let Ok(market) = outside.market() else {
        return Ok(());
    };
    let signed = outside
        .ledger
        .look(|engine| engine.state().heads.unpublished().cloned())
        .await?;
    let Some(signed) = signed.filter(|signed| signed.size == size) else {
        return Ok(());
    };
    let at_s = u64::try_from(signed.at_ms / 1_000).unwrap_or(0);
    let event = market
        .compose_head(&signed.note, &signed.verifier_key, at_s)
        .map_err(NotYet::because)?;
    let event_id = event.id.to_vec();
    let elsewhere = heads::elsewhere(outside).await.map_err(NotYet::because)?;
    let mut outcomes = broadcast(outside, event, elsewhere);
    let (mut relays, mut relays_tried) = (Vec::new(), 0);
    while let Some(outcome) = outcomes.recv().await {
        relays_tried += 1;
        relays.extend(outcome.accepted.then_some(outcome.relay));
    }
    if relays.is_empty() {
        return Err(NotYet::Because(format!(
            "none of {relays_tried} relays took the head"
        )));
    }
    happened("publish-head");
    let published = pb::HeadPublished {
        size,
        event_id,
        relays,
        relays_tried,
    };
    outside
        .ledger
        .submit(Input::HeadPublished(published), None)
        .await?;
    Ok(())
}
