//! What relays hand over becomes inputs. Everything is recorded before anyone acts on it.
use autopilot_core::{
    Input,
    input::{Answer, AnswerKind, Cancelled, Request},
    ports::market::{
        self, FeedbackStatus, JobFeedback, JobRequest, JobResult, Market, MarketError, MarketItem, Notice,
        Observation,
    },
};
use autopilot_events::{
    pb::BodyRef,
    words::{JobId, PublicKey},
};
use autopilot_store_sqlite::JournalEntry;
use futures_util::future::join_all;

use crate::{
    clock::now_ms,
    ledger::{Done, SubmitError},
    outside::Outside,
};

/// Notices taken at once. They are decided in order and committed together.
const BATCH: usize = 256;

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
            MarketItem::Result(result) => result_came(outside, *result).await,
            MarketItem::Feedback(feedback) => feedback_came(outside, *feedback).await,
            MarketItem::Cancel(cancel) => {
                for native_id in cancel.events {
                    let cancelled = Cancelled {
                        native_id,
                        author: cancel.author,
                    };
                    outside.ledger.submit(Input::Cancelled(cancelled), None).await?;
                }
                return Ok(());
            }
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

async fn request_came(outside: &Outside, relay: String, request: JobRequest) -> Result<Done, SubmitError> {
    let subject = format!("job/{}", request.job_id());
    let unreadable = match &request {
        r if r.input.is_empty() && !r.has_remote_inputs => "it holds no input".to_owned(),
        r if r.has_remote_inputs => {
            "an input would have to be fetched first, which is not offered".to_owned()
        }
        r if !r.params.malformed.is_empty() => {
            format!("parameters can't be read: {}", r.params.malformed.join(", "))
        }
        r if r.output.as_ref().is_some_and(|mime| !mime.starts_with("text/")) => {
            "the output type is not offered".to_owned()
        }
        _ => String::new(),
    };
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
        model: request.params.model.clone(),
        unreadable,
        max_tokens: request.params.max_tokens,
        text: request.input.clone(),
        topics: request.topics.clone(),
        body: BodyRef {
            size: request.raw.len() as u64,
            ..BodyRef::default()
        },
        relay,
    });
    outside.ledger.submit(input, Some((subject, &request.raw))).await
}

async fn result_came(outside: &Outside, result: JobResult) -> Result<Done, SubmitError> {
    let own = outside.market().map(Market::public_key).unwrap_or_default();
    let valid = match &result {
        r if !r.request_matches => Err("the request that it carries is not the one that it names".to_owned()),
        r if r.customer.is_some_and(|customer| customer != own) => {
            Err("it is for another customer".to_owned())
        }
        r if r.content.trim().is_empty() => Err("it is empty".to_owned()),
        _ => Ok(()),
    };
    let bill = result.bill.as_ref().and_then(|bill| bill.bolt11.clone());
    answer(
        outside,
        result.job.0,
        result.provider,
        result.native_id,
        AnswerKind::Result(valid),
        bill,
        &result.raw,
    )
    .await
}

async fn feedback_came(outside: &Outside, feedback: JobFeedback) -> Result<Done, SubmitError> {
    let kind = match feedback.status {
        FeedbackStatus::PaymentRequired => AnswerKind::PaymentRequired,
        FeedbackStatus::Processing => AnswerKind::Status("processing".to_owned()),
        FeedbackStatus::Error => AnswerKind::Status("error".to_owned()),
        FeedbackStatus::Success => AnswerKind::Status("success".to_owned()),
        FeedbackStatus::Partial => AnswerKind::Status("partial".to_owned()),
    };
    let bill = feedback.bill.as_ref().and_then(|bill| bill.bolt11.clone());
    answer(
        outside,
        feedback.job.0,
        feedback.author,
        feedback.native_id,
        kind,
        bill,
        &feedback.raw,
    )
    .await
}

async fn answer(
    outside: &Outside,
    job: [u8; 32],
    provider: PublicKey,
    event_id: autopilot_events::words::EventId,
    kind: AnswerKind,
    bolt11: Option<String>,
    raw: &[u8],
) -> Result<Done, SubmitError> {
    let purchase = JobId::derive(autopilot_core::ports::market::MARKET_NIP90, &job);
    let nothing = Done::Recorded {
        head: *outside.ledger.head().borrow(),
        sequences: Vec::new(),
    };
    let known = outside
        .ledger
        .look(move |engine| engine.state().purchases.listened().any(|(id, _)| *id == purchase))
        .await?;
    if !known {
        return Ok(nothing);
    }
    let invoice = match bolt11 {
        Some(bolt11) => Some(outside.bill(&bolt11).await),
        None => None,
    };
    let body = BodyRef::default();
    let input = Input::Answer(Answer {
        purchase,
        provider,
        event_id,
        kind,
        invoice,
        body,
    });
    outside
        .ledger
        .submit(input, Some((format!("purchase/{purchase}"), raw)))
        .await
}
