//! A conversation as the ledger has it: found by walking back from message to message.
use autopilot_core::input::chat_outcome_key;
use autopilot_events::{Event, Recorded, pb};
use autopilot_store_sqlite::{ReadError, Reader};

/// The message that a fact asks, that fact, and the fact of its outcome where it has one; `None`: the fact asks nothing.
///
/// # Errors
/// [`ReadError`].
pub(crate) async fn asked_at(
    reader: &Reader,
    sequence: u64,
) -> Result<Option<(pb::ChatAsked, Recorded, Option<Recorded>)>, ReadError> {
    let fact = reader.facts(sequence.saturating_sub(1), 1).await?.pop();
    let Some((fact, asked)) = fact.and_then(|fact| match &fact.event {
        Event::ChatAsked(asked) => Some((fact.clone(), asked.clone())),
        _ => None,
    }) else {
        return Ok(None);
    };
    let outcome = reader.fact_by_key(&chat_outcome_key(&asked.message_id)).await?;
    Ok(Some((asked, fact, outcome)))
}
