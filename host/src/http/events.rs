//! `GET /v1/events`: the facts after a number, out of the ledger. A page that waits for the first one, or server-sent events
//! for whoever accepts them. Only a place is held for a reader, so that one who is slow slows himself alone and misses none.
use std::{convert::Infallible, time::Duration};

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::{Stream, StreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::{Face, errors::Problem};
use crate::{
    audit::{FactDocument, fact_line},
    control::{
        errors,
        follow::{Follower, PAGE},
    },
};

/// Facts on a page, at most and without a word.
const LIMIT_MAX: u32 = 1_000;
const LIMIT: u32 = 100;
/// The longest wait for the first one, in seconds.
const WAIT_MAX_S: u64 = 60;
/// So often a stream without facts says that it is there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Asked {
    after: u64,
    limit: Option<u32>,
    wait_s: u64,
}

#[derive(Serialize)]
struct Page {
    events: Vec<FactDocument>,
    /// Where the next page begins.
    after: u64,
    /// The last durable fact.
    head: u64,
}

pub(super) async fn answer(
    State(face): State<Face>,
    headers: HeaderMap,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(asked) = asked.map_err(|error| Problem::invalid(error.body_text()))?;
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let streams = text(header::ACCEPT).is_some_and(|accept| accept.contains("text/event-stream"));
    let ledger = &face.service.outside.ledger;
    if streams {
        let after = match text(header::HeaderName::from_static("last-event-id")) {
            None | Some("") => asked.after,
            Some(id) => {
                let id = id.parse();
                id.map_err(|_| Problem::invalid("Last-Event-ID is the number of a fact"))?
            }
        };
        let events = facts(Follower::new(ledger, after));
        let left = asked.limit.map_or(usize::MAX, |limit| limit as usize);
        let stream = Sse::new(events.take(left)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
        return Ok(stream.into_response());
    }
    let limit = asked.limit.unwrap_or(LIMIT).clamp(1, LIMIT_MAX);
    let wait = Duration::from_secs(asked.wait_s.min(WAIT_MAX_S));
    let mut follower = Follower::new(ledger, asked.after);
    let facts = match wait.is_zero() {
        true => ledger.reader().facts(asked.after, limit).await,
        false => timeout(wait, follower.next(limit))
            .await
            .unwrap_or_else(|_| Ok(Vec::new())),
    };
    let facts = facts.map_err(|error| Problem::from(errors::read(error)))?;
    Ok(Json(Page {
        after: facts.last().map_or(asked.after, |last| last.fact.sequence),
        events: facts.iter().map(|fact| fact_line(fact).into()).collect(),
        head: ledger.head().borrow().sequence,
    })
    .into_response())
}

/// Facts as events, a page at a time, and the next page only once this one was taken.
fn facts(follower: Follower) -> impl Stream<Item = Result<Event, Infallible>> {
    let pages = stream::unfold(follower, async |mut follower| match follower.next(PAGE).await {
        Ok(facts) if facts.is_empty() => None,
        Ok(facts) => Some((facts, follower)),
        Err(error) => {
            // The stream ends; whoever comes back with its last number is told the cause.
            tracing::warn!(%error, "a stream of facts ends");
            None
        }
    });
    pages.flat_map(|facts| {
        stream::iter(facts).map(|fact| {
            let document = FactDocument::from(fact_line(&fact));
            Ok(Event::default()
                .id(fact.fact.sequence.to_string())
                .data(document.to_json()))
        })
    })
}
