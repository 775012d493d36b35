//! Offers a signed event to every relay. The first that takes it is enough to go on; the others are still told.
use autopilot_core::{
    Input,
    ports::market::{Market, PublishOutcome, SignedEvent},
};
use autopilot_events::words::EventId;
use tokio::sync::mpsc;

use super::{NotYet, happened};
use crate::outside::Outside;

pub(super) async fn publish(outside: &Outside, id: EventId) -> Result<(), NotYet> {
    let owed = outside
        .ledger
        .look(move |engine| engine.state().outbox.get(&id).cloned())
        .await?;
    let Some(owed) = owed else { return Ok(()) };
    tracing::Span::current().record("job", tracing::field::display(&owed.job));
    tracing::debug!("offered to every relay");
    let json = outside.ledger.text(&owed.event).await.map_err(NotYet::because)?;
    let json = json.ok_or_else(|| NotYet::because("the event's text was erased"))?;
    let event = SignedEvent {
        id,
        kind: u16::try_from(owed.kind).unwrap_or(0),
        json,
    };
    let mut outcomes = broadcast(outside, event, owed.relays);
    let (mut accepted, mut tried) = (0, 0);
    while let Some(outcome) = outcomes.recv().await {
        tried += 1;
        accepted += u32::from(outcome.accepted);
        // What the others answered by now counts too; whoever is slower is in the journal.
        while let Ok(outcome) = outcomes.try_recv() {
            tried += 1;
            accepted += u32::from(outcome.accepted);
        }
        if accepted > 0 {
            happened("publish");
            outside
                .ledger
                .submit(
                    Input::Published {
                        event_id: id,
                        accepted,
                        tried,
                    },
                    None,
                )
                .await?;
            return Ok(());
        }
    }
    Err(NotYet::Because(format!("none of {tried} relays took the event")))
}

/// Publishes in a task of its own, which ends by the adapter's bound. The adapter notes every outcome for the journal.
pub fn broadcast(
    outside: &Outside,
    event: SignedEvent,
    elsewhere: Vec<String>,
) -> mpsc::UnboundedReceiver<PublishOutcome> {
    let (tell, outcomes) = mpsc::unbounded_channel();
    let outside = outside.clone();
    tokio::spawn(async move {
        let Ok(market) = outside.market() else { return };
        // Whoever waits for the first outcome may have gone on.
        let tell = |outcome: &PublishOutcome| drop(tell.send(outcome.clone()));
        let (ours, others) = tokio::join!(
            market.publish(&event, tell),
            market.publish_elsewhere(&event, &elsewhere, tell)
        );
        if let Err(error) = ours.map(drop).and(others) {
            tracing::warn!(event = %event.id, %error, "publishing failed");
        }
    });
    outcomes
}
