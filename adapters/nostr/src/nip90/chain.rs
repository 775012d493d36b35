//! Job chaining: what an input that is not text stands for.
//!
//! `event` is the content of that event. `job` is the content of a result of that job: of kind request + 1000, naming
//! the job, and by a provider that the job was for. Of several it is the oldest, ties going to the lowest id. What is
//! sealed is for somebody else and never passed on, even where we could open it.

use autopilot_core::ports::market::{InputType, ResolveError, Resolved};
use autopilot_events::words::{EventId, PublicKey};
use nostr::{Event, Filter, JsonUtil, Kind};

use super::tags::{TagList, check_bounds};
use super::{REQUEST_KINDS, RESULT_OFFSET, answer};

/// The most results of one job that are asked for.
const MAX_RESULTS: usize = 20;

/// Whether an event from a stranger's relay is its author's, and within our bounds.
pub(crate) fn is_sound(event: &Event) -> bool {
    event.verify().is_ok() && check_bounds(event).is_ok()
}

/// The first question to relays: the event that the input names.
pub(crate) fn named(id: EventId) -> Filter {
    Filter::new().id(nostr::EventId::from_byte_array(id.0)).limit(1)
}

/// The second question, for a job: its results.
pub(crate) fn results_of(job: &Event) -> Result<Filter, ResolveError> {
    let kind = job.kind.as_u16();
    if !REQUEST_KINDS.contains(&kind) {
        return Err(ResolveError::Unsuitable(format!(
            "the event it names is of kind {kind}, and no job"
        )));
    }
    Ok(Filter::new()
        .kind(Kind::from(kind + RESULT_OFFSET))
        .event(job.id)
        .limit(MAX_RESULTS))
}

/// The content of an event.
pub(crate) fn of_event(event: &Event) -> Result<Resolved, ResolveError> {
    resolved(InputType::Event, event)
}

/// The output of a job, among answers that fit [`results_of`].
pub(crate) fn of_job(job: &Event, answers: Vec<Event>) -> Result<Resolved, ResolveError> {
    let asked = TagList::of(job).keys("p");
    let by_whom = |event: &Event| asked.is_empty() || asked.contains(&PublicKey(event.pubkey.to_bytes()));
    let about = |event: &Event| {
        let carried = TagList::of(event).value("request").map(str::to_owned);
        carried.is_none_or(|json| answer::carried(&json, EventId(job.id.to_bytes())).is_some())
    };
    let oldest = answers
        .into_iter()
        .filter(|event| by_whom(event) && about(event))
        .min_by_key(|event| (event.created_at, event.id));
    resolved(
        InputType::Job,
        &oldest.ok_or(ResolveError::Missing(
            "no result of the job it names is there yet",
        ))?,
    )
}

fn resolved(input_type: InputType, event: &Event) -> Result<Resolved, ResolveError> {
    if TagList::of(event).has("encrypted") {
        return Err(ResolveError::Unsuitable(
            "what it names is sealed for somebody else".to_owned(),
        ));
    }
    if event.content.trim().is_empty() {
        return Err(ResolveError::Unsuitable("what it names is empty".to_owned()));
    }
    Ok(Resolved {
        input_type,
        event: EventId(event.id.to_bytes()),
        kind: event.kind.as_u16(),
        author: PublicKey(event.pubkey.to_bytes()),
        content: event.content.clone(),
        raw: event.as_json().into_bytes(),
    })
}
