//! `GET /v1/snapshot`: what control shows, at once. Each view is whole or says what is wrong with it; one that can't be
//! answered takes no other along.
use std::collections::BTreeSet;

use autopilot_events::words::Digest;
use autopilot_proto::control::v1::{self as pb, watch_update::Answer};
use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Face, canonical::canonical, errors::Problem};
use crate::control::watch::{trouble, view_names};

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Asked {
    /// Names with commas between; all without this.
    views: Option<String>,
    /// "Today" as the asker understands it.
    day_start_ms: i64,
    day_end_ms: i64,
}

#[derive(Serialize)]
struct Snapshot {
    /// The last fact that was durable before the views were made.
    revision: u64,
    /// Of the canonical bytes of `views`.
    signature: String,
    views: Value,
}

pub(super) async fn answer(
    State(face): State<Face>,
    headers: HeaderMap,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(asked) = asked.map_err(|error| Problem::invalid(error.body_text()))?;
    let names = names(asked.views.as_deref())?;
    // Before the views: whoever goes on with the events after it misses none.
    let revision = face.service.outside.ledger.head().borrow().sequence;
    let request = pb::WatchRequest {
        day_start_ms: asked.day_start_ms,
        day_end_ms: asked.day_end_ms,
        ..pb::WatchRequest::default()
    };
    let views = names.into_iter().map(async |name| {
        let view = face.service.view_named(name, &request).await;
        (
            name.to_owned(),
            view.map_or_else(|status| json!({ "trouble": trouble(&status) }), shown),
        )
    });
    let views = Value::Object(join_all(views).await.into_iter().collect::<Map<_, _>>());
    let signature = Digest::of_content(canonical(&views).as_bytes()).to_string();
    let tag = format!("\"{signature}\"");
    let tagged = [
        (header::ETAG, tag.clone()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    if knows(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, tagged).into_response());
    }
    let snapshot = Snapshot {
        revision,
        signature,
        views,
    };
    Ok((tagged, Json(snapshot)).into_response())
}

fn names(views: Option<&str>) -> Result<BTreeSet<&'static str>, Problem> {
    let Some(views) = views else {
        return Ok(view_names().collect());
    };
    let asked = views.split(',').map(str::trim).filter(|name| !name.is_empty());
    asked
        .map(|name| {
            let known = view_names().find(|known| *known == name);
            known.ok_or_else(|| Problem::invalid(format!("there is no view {name:?}")))
        })
        .collect()
}

/// A view without the name of its kind.
fn shown(answer: Answer) -> Value {
    match serde_json::to_value(answer) {
        Ok(Value::Object(tagged)) => tagged
            .into_iter()
            .next()
            .map(|(_, view)| view)
            .unwrap_or_default(),
        // An answer of the contract is one field with its message.
        other => other.unwrap_or_default(),
    }
}

fn knows(headers: &HeaderMap, tag: &str) -> bool {
    let known = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok());
    known
        .flat_map(|value| value.split(','))
        .map(|known| known.trim().trim_start_matches("W/"))
        .any(|known| known == "*" || known == tag)
}
