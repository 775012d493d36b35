//! "Did you mean": the nearest of what there is, where somebody named what there is not.
use autopilot_proto::control::v1::HistoryRequest;

use crate::{
    connect::{Client, call},
    failure::{Failure, Kind, Outcome},
    output::short,
};

/// The candidate nearest to what was given, if it is near enough to be meant: a quarter of its letters may differ.
pub fn nearest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let bound = (given.chars().count() / 4).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(given, candidate), candidate))
        .filter(|(distance, _)| *distance <= bound)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The same for ids, which are mostly named by their beginning.
fn nearest_id<'a>(given: &str, ids: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_ascii_lowercase();
    let ids: Vec<&str> = ids.into_iter().collect();
    let beginnings: Vec<String> = ids
        .iter()
        .map(|id| id.chars().take(given.chars().count()).collect())
        .collect();
    let found = nearest(&given, beginnings.iter().map(String::as_str))?;
    ids.into_iter().find(|id| id.starts_with(found))
}

/// Adds the job that was meant to a failure that found none.
pub async fn job(client: &mut Client, command: &str, given: &str, done: Outcome) -> Outcome {
    let Err(failure) = done else { return Ok(()) };
    if failure.kind != Kind::NotFound {
        return Err(failure);
    }
    let newest = HistoryRequest {
        limit: 500,
        ..HistoryRequest::default()
    };
    // Without a list there is nothing to suggest; the failure stands all the same.
    let rows = call(client.history(newest))
        .await
        .map_or_else(|_| Vec::new(), |reply| reply.rows);
    let ids = rows.iter().map(|row| row.job_id.as_str());
    Err(match nearest_id(given, ids) {
        Some(id) => failure.next(format!("did you mean autopilotctl {command} {}", short(id))),
        None => failure.next("autopilotctl history"),
    })
}

/// Adds the model that was meant to a failure that found none.
pub fn model(failure: Failure, given: &str, names: &[String]) -> Failure {
    match nearest(given, names.iter().map(String::as_str)) {
        Some(name) if failure.kind == Kind::NotFound => {
            failure.next(format!("did you mean autopilotctl model pull {name}"))
        }
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_near_is_suggested() {
        let names = ["smollm2-135m", "qwen3-1.7b"];
        assert_eq!(nearest("smollm-135m", names), Some("smollm2-135m"));
        assert_eq!(nearest("qwen3-1.7", names), Some("qwen3-1.7b"));
        assert_eq!(nearest("llama", names), None);
        let ids = ["3fa9c1d2e5", "77aa00112233"];
        assert_eq!(nearest_id("3fa9c1d3", ids), Some("3fa9c1d2e5"));
        assert_eq!(nearest_id("3FA9C12D", ids), Some("3fa9c1d2e5"));
        assert_eq!(nearest_id("deadbeef", ids), None);
    }
}
