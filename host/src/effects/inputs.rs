//! Inputs that lie elsewhere: fetched, recorded, and only then worked on.
use autopilot_core::{
    Input,
    input::ResolvedInputs,
    ports::market::{InputType, JobRequest, Market, MarketItem, ResolveError, Resolved},
};
use autopilot_events::{
    pb::{self, BodyRef},
    words::JobId,
};
use futures_util::future::join_all;

use super::{NotYet, happened};
use crate::outside::Outside;

/// Fetches them all. What is not there yet is asked for again; the clock ends that.
pub(super) async fn resolve(outside: &Outside, id: JobId) -> Result<(), NotYet> {
    let job = outside
        .ledger
        .look(move |engine| engine.state().jobs.get(&id).cloned())
        .await?;
    let Some(job) = job else { return Ok(()) };
    let market = outside.market().map_err(NotYet::because)?;
    let MarketItem::Request(request) = outside.stored(&job.request).await.map_err(NotYet::Because)? else {
        return Err(NotYet::because("the stored event is no request"));
    };
    let remote: Vec<_> = positions(&request).collect();
    let fetched = join_all(remote.iter().map(|at| market.resolve(&request.inputs[*at]))).await;
    let (outcome, text, events) = match fetched.into_iter().collect::<Result<Vec<Resolved>, _>>() {
        Ok(all) => {
            let text: Vec<&str> = all.iter().map(|input| input.content.as_str()).collect();
            (
                Ok(recorded(id, &remote, &all)),
                text.join("\n"),
                Some(events(&all)),
            )
        }
        Err(ResolveError::Unsuitable(why)) => (Err(why), String::new(), None),
        Err(missing) => return Err(NotYet::because(missing)),
    };
    happened("resolve");
    let body = events
        .as_ref()
        .map(|events| (format!("job/{id}"), events.as_bytes()));
    let inputs = ResolvedInputs {
        job: id,
        outcome,
        text,
    };
    outside.ledger.submit(Input::Resolved(inputs), body).await?;
    Ok(())
}

/// The text that each input is or stands for, in order.
pub(super) async fn texts(
    outside: &Outside,
    request: &JobRequest,
    fetched: Option<&BodyRef>,
) -> Result<Vec<String>, String> {
    let mut texts: Vec<String> = request
        .inputs
        .iter()
        .map(|input| input.data().to_owned())
        .collect();
    let Some(fetched) = fetched else { return Ok(texts) };
    let events = outside
        .ledger
        .text(fetched)
        .await
        .map_err(|error| error.to_string())?;
    let events = match events {
        Some(events) => events,
        None => return Err(outside.lost(&fetched.subject).await),
    };
    let events: Vec<Content> = serde_json::from_slice(&events).map_err(|error| error.to_string())?;
    for (at, event) in positions(request).zip(events) {
        texts[at] = event.content;
    }
    Ok(texts)
}

#[derive(serde::Deserialize)]
struct Content {
    content: String,
}

/// Places of the inputs whose text lies elsewhere.
fn positions(request: &JobRequest) -> impl Iterator<Item = usize> + '_ {
    let remote = |at: &usize| {
        let input = &request.inputs[*at];
        matches!(input.input_type, InputType::Event | InputType::Job)
    };
    (0..request.inputs.len()).filter(remote)
}

fn recorded(id: JobId, positions: &[usize], all: &[Resolved]) -> pb::JobInputsResolved {
    let inputs = positions.iter().zip(all).map(|(at, input)| pb::ResolvedInput {
        position: u32::try_from(*at).unwrap_or(u32::MAX),
        r#type: match input.input_type {
            InputType::Job => "job",
            _ => "event",
        }
        .to_owned(),
        event_id: input.event.to_vec(),
        kind: u32::from(input.kind),
        author: input.author.to_vec(),
        bytes: input.content.len() as u64,
    });
    pb::JobInputsResolved {
        job_id: id.to_vec(),
        inputs: inputs.collect(),
        events: None,
    }
}

/// The signed events as they came, in a JSON array.
fn events(all: &[Resolved]) -> String {
    let one = |input: &Resolved| String::from_utf8_lossy(&input.raw).into_owned();
    format!("[{}]", all.iter().map(one).collect::<Vec<_>>().join(","))
}
