//! What relays hand over becomes inputs. Everything is recorded before anyone acts on it.
mod answers;
mod receipts;

use autopilot_core::{
    Input,
    embedding::EMBEDDING,
    input::{Cancelled, Request},
    ports::market::{
        self, InputType, JobInput, JobRequest, Market, MarketError, MarketItem, Notice, Observation,
    },
};
use autopilot_events::{
    pb::BodyRef,
    words::{EventId, JobId, PublicKey},
};
use autopilot_store_sqlite::JournalEntry;
use futures_util::future::join_all;

use self::answers::{feedback_came, result_came};
use crate::{
    clock::now_ms,
    ledger::{Done, SubmitError},
    outside::Outside,
};

/// Notices taken at once. They are decided in order and committed together.
const BATCH: usize = 256;

/// Inputs of one job that may have to be fetched, at most.
const MAX_REMOTE_INPUTS: usize = 4;

/// Runs until market or ledger stop.
pub async fn run(outside: Outside) {
    loop {
        let batch = match outside.market() {
            Ok(market) => market.next_batch(BATCH).await,
            Err(error) => Err(error),
        };
        let notices = match batch {
            Ok(notices) => notices,
            Err(MarketError::Closed) => return,
            Err(error) => {
                tracing::error!(%error, "the market can't be listened to");
                return;
            }
        };
        let results = join_all(notices.into_iter().map(|notice| take(&outside, notice))).await;
        if results
            .iter()
            .any(|result| matches!(result, Err(SubmitError::Stopped)))
        {
            return;
        }
    }
}

async fn take(outside: &Outside, notice: Notice) -> Result<(), SubmitError> {
    let told = match notice {
        Notice::Observed(Observation { relay, item }) => match item {
            MarketItem::Request(request) => request_came(outside, relay, *request).await,
            MarketItem::Result(result) => result_came(outside, &relay, *result).await,
            MarketItem::Feedback(feedback) => feedback_came(outside, &relay, *feedback).await,
            MarketItem::Cancel(cancel) => {
                for native_id in cancel.events {
                    let cancelled = Cancelled {
                        native_id,
                        author: cancel.author,
                    };
                    let done = outside.ledger.submit(Input::Cancelled(cancelled), None).await?;
                    if let Done::Recorded { sequences, .. } = &done
                        && sequences.is_empty()
                    {
                        let text = format!(
                            "{relay} of {native_id}: nothing is undone, since it is not the author's, the work is done or the job is unknown"
                        );
                        journal(
                            outside,
                            "relay.cancel-ignored",
                            &cancel.native_id.to_string(),
                            text,
                        )
                        .await;
                    }
                }
                return Ok(());
            }
            MarketItem::Receipt(receipt) => receipts::came(outside, &relay, *receipt).await,
            MarketItem::Announcement(_) => return Ok(()),
        },
        Notice::Lagged { skipped } => {
            journal(
                outside,
                "relay.lagged",
                "",
                format!("{skipped} deliveries were skipped and are asked for again"),
            )
            .await;
            return Ok(());
        }
        Notice::Unreadable {
            relay,
            id,
            author,
            kind: kind @ 5_000..=5_999,
            created_at_s,
            reason,
            raw,
        } => {
            let unreadable = Unreadable {
                relay,
                id,
                author,
                kind,
                created_at_s,
                reason,
            };
            unreadable_came(outside, unreadable, &raw).await
        }
        Notice::Unreadable {
            relay, id, reason, ..
        } => {
            journal(
                outside,
                "relay.unreadable",
                &id.to_string(),
                format!("{relay} {reason}"),
            )
            .await;
            return Ok(());
        }
    };
    match told {
        Ok(Done::Duplicate { sequence }) => {
            journal(outside, "relay.duplicate", &sequence.to_string(), String::new()).await;
            Ok(())
        }
        Ok(_) => Ok(()),
        Err(SubmitError::Stopped) => Err(SubmitError::Stopped),
        Err(error) => {
            tracing::warn!(%error, "an observation was not recorded");
            journal(outside, "relay.not-recorded", "", error.to_string()).await;
            Ok(())
        }
    }
}

/// Moves what the adapter noted about relays into the journal, drops counted.
pub async fn drain_journal(outside: &Outside) {
    let Ok(market) = outside.market() else { return };
    let drained = market.drain_journal(1_000);
    let line = |entry: &market::JournalEntry| JournalEntry {
        at_ms: i64::try_from(entry.at_s.saturating_mul(1_000)).unwrap_or(i64::MAX),
        kind: format!("relay.{:?}", entry.what).to_lowercase(),
        subject: entry.event.map(|id| id.to_string()).unwrap_or_default(),
        text: format!("{} {}", entry.relay, entry.detail),
    };
    let mut lines: Vec<JournalEntry> = drained.entries.iter().map(line).collect();
    if drained.dropped > 0 {
        let text = format!("{} entries found the journal full", drained.dropped);
        lines.push(JournalEntry {
            at_ms: now_ms(),
            kind: "relay.dropped".to_owned(),
            subject: String::new(),
            text,
        });
    }
    if !lines.is_empty() {
        outside.ledger.journal(lines).await;
    }
}

async fn journal(outside: &Outside, kind: &str, subject: &str, text: String) {
    let line = JournalEntry {
        at_ms: now_ms(),
        kind: kind.to_owned(),
        subject: subject.to_owned(),
        text,
    };
    outside.ledger.journal(vec![line]).await;
}

/// It concerns nobody here.
fn nothing(outside: &Outside) -> Done {
    Done::Recorded {
        head: *outside.ledger.head().borrow(),
        sequences: Vec::new(),
    }
}

/// A request for us of which only the envelope can be read.
struct Unreadable {
    relay: String,
    id: EventId,
    author: PublicKey,
    kind: u16,
    created_at_s: u64,
    reason: String,
}

/// It is refused with its reason on record, and its buyer is told within the budget.
async fn unreadable_came(outside: &Outside, it: Unreadable, raw: &[u8]) -> Result<Done, SubmitError> {
    let kind = u32::from(it.kind);
    let served = outside
        .ledger
        .look(move |engine| engine.is_online() && engine.state().provider.policy().kinds.contains(&kind))
        .await?;
    if !served {
        return Ok(nothing(outside));
    }
    let job = JobId::derive(market::MARKET_NIP90, &it.id.0);
    let input = Input::Request(Request {
        native_id: it.id,
        requester: it.author,
        kind,
        bid: None,
        created_at_s: i64::try_from(it.created_at_s).unwrap_or(i64::MAX),
        ttl_s: 0,
        targeted: true,
        open: false,
        encrypted: false,
        input_bytes: 0,
        inputs: 0,
        remote_inputs: 0,
        result_room_bytes: 0,
        model: None,
        unreadable: it.reason,
        max_tokens: None,
        text: String::new(),
        topics: Vec::new(),
        refund_offer: String::new(),
        body: BodyRef {
            size: raw.len() as u64,
            ..BodyRef::default()
        },
        relay: it.relay,
    });
    outside
        .ledger
        .submit(input, Some((format!("job/{job}"), raw)))
        .await
}

async fn request_came(outside: &Outside, relay: String, request: JobRequest) -> Result<Done, SubmitError> {
    let subject = format!("job/{}", request.job_id());
    let unreadable = unreadable(&request);
    let input = Input::Request(Request {
        native_id: request.native_id,
        requester: request.requester,
        kind: u32::from(request.kind),
        bid: request.bid_msat,
        created_at_s: i64::try_from(request.created_at_s).unwrap_or(i64::MAX),
        ttl_s: request.ttl_s,
        targeted: request.targeted,
        open: request.open,
        encrypted: request.encryption.is_some(),
        input_bytes: request.input.len() as u64,
        remote_inputs: u32::try_from(remote(&request).count()).unwrap_or(u32::MAX),
        inputs: u32::try_from(request.inputs.len()).unwrap_or(u32::MAX),
        result_room_bytes: request.result_room_bytes() as u64,
        model: request.params.model.clone(),
        unreadable,
        max_tokens: request.params.max_tokens,
        text: request.input.clone(),
        topics: request.topics.clone(),
        refund_offer: request.params.refund.clone().unwrap_or_default(),
        body: BodyRef {
            size: request.raw.len() as u64,
            ..BodyRef::default()
        },
        relay,
    });
    outside.ledger.submit(input, Some((subject, &request.raw))).await
}

/// Inputs whose text lies elsewhere.
fn remote(request: &JobRequest) -> impl Iterator<Item = &JobInput> {
    request
        .inputs
        .iter()
        .filter(|input| matches!(input.input_type, InputType::Event | InputType::Job))
}

/// Why a request can't be served as it is written; empty when it can.
fn unreadable(request: &JobRequest) -> String {
    let has = |wanted: InputType| request.inputs.iter().any(|input| input.input_type == wanted);
    match request {
        _ if has(InputType::Url) => {
            "addresses of strangers are not fetched: send the text itself, or an event that holds it"
                .to_owned()
        }
        _ if has(InputType::Other) => "an input is of a type that is not known".to_owned(),
        r if remote(r).count() > MAX_REMOTE_INPUTS => {
            format!("more than {MAX_REMOTE_INPUTS} inputs would have to be fetched")
        }
        r if r.inputs.is_empty() || (r.input.is_empty() && remote(r).next().is_none()) => {
            "it holds no input".to_owned()
        }
        r if !r.params.malformed.is_empty() => {
            format!("parameters can't be read: {}", r.params.malformed.join(", "))
        }
        r if r.output.as_ref().is_some_and(|mime| !offered(r.kind, mime)) => {
            "the output type is not offered".to_owned()
        }
        _ => String::new(),
    }
}

/// What comes out of each kind: vectors are JSON, everything else is text.
fn offered(kind: u16, mime: &str) -> bool {
    match u32::from(kind) {
        EMBEDDING => mime == "application/json",
        _ => mime.starts_with("text/"),
    }
}
