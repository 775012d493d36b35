//! Answers to our own requests: results and feedback, with the invoice that they carry read by the wallet.
use autopilot_core::{
    Input,
    embedding::EMBEDDING,
    input::{Answer, AnswerKind, Bill},
    ports::market::{self, FeedbackStatus, JobFeedback, JobResult, Market},
};
use autopilot_events::{
    pb::BodyRef,
    words::{EventId, JobId, PublicKey},
};
use autopilot_nostr::nip90::embedding::Embeddings;

use super::{journal, nothing};
use crate::{
    ledger::{Done, SubmitError},
    outside::Outside,
};

pub(super) async fn result_came(
    outside: &Outside,
    relay: &str,
    result: JobResult,
) -> Result<Done, SubmitError> {
    let own = outside.market().map(Market::public_key).unwrap_or_default();
    let valid = match &result {
        r if !r.request_matches => Err("the request that it carries is not the one that it names".to_owned()),
        r if r.customer.is_some_and(|customer| customer != own) => {
            Err("it is for another customer".to_owned())
        }
        r if r.encryption.is_none() && r.asked.as_ref().is_some_and(|asked| asked.sealed) => {
            Err("the request was sealed, and it is not".to_owned())
        }
        r if r.content.trim().is_empty() => Err("it is empty".to_owned()),
        r if u32::from(r.kind) == EMBEDDING + 1_000 => {
            let asked = r.asked.as_ref().map_or(0, |asked| asked.inputs);
            Embeddings::read(&r.content, asked)
                .map(drop)
                .map_err(|error| error.to_string())
        }
        _ => Ok(()),
    };
    let came = Came {
        relay,
        job: result.job,
        provider: result.provider,
        event_id: result.native_id,
        bill: result.bill.as_ref(),
        raw: &result.raw,
    };
    answer(outside, came, AnswerKind::Result(valid)).await
}

pub(super) async fn feedback_came(
    outside: &Outside,
    relay: &str,
    feedback: JobFeedback,
) -> Result<Done, SubmitError> {
    let kind = match feedback.status {
        FeedbackStatus::PaymentRequired => AnswerKind::PaymentRequired,
        FeedbackStatus::Processing => AnswerKind::Status("processing".to_owned()),
        FeedbackStatus::Error => AnswerKind::Status("error".to_owned()),
        FeedbackStatus::Success => AnswerKind::Status("success".to_owned()),
        FeedbackStatus::Partial => AnswerKind::Status("partial".to_owned()),
    };
    let came = Came {
        relay,
        job: feedback.job,
        provider: feedback.author,
        event_id: feedback.native_id,
        bill: feedback.bill.as_ref(),
        raw: &feedback.raw,
    };
    answer(outside, came, kind).await
}

/// An answer as it came, before it is held against a purchase.
struct Came<'a> {
    relay: &'a str,
    job: EventId,
    provider: PublicKey,
    event_id: EventId,
    bill: Option<&'a market::Bill>,
    raw: &'a [u8],
}

async fn answer(outside: &Outside, came: Came<'_>, kind: AnswerKind) -> Result<Done, SubmitError> {
    let purchase = JobId::derive(market::MARKET_NIP90, &came.job.0);
    let known = outside
        .ledger
        .look(move |engine| engine.state().purchases.listened().any(|(id, _)| *id == purchase))
        .await?;
    if !known {
        let text = format!(
            "{} answers {}, which we did not ask or do not wait for",
            came.relay, came.job
        );
        journal(outside, "relay.unasked-answer", &came.event_id.to_string(), text).await;
        return Ok(nothing(outside));
    }
    let invoice = match came.bill {
        Some(bill) => asked_for(outside, bill).await,
        None => None,
    };
    let input = Input::Answer(Answer {
        purchase,
        provider: came.provider,
        event_id: came.event_id,
        kind,
        invoice,
        body: BodyRef::default(),
    });
    let body = Some((format!("purchase/{purchase}"), came.raw));
    let done = outside.ledger.submit(input, body).await?;
    if let Done::Recorded { sequences, .. } = &done
        && sequences.is_empty()
    {
        let text = format!(
            "{} answers {purchase} once more, which changes nothing",
            came.relay
        );
        journal(outside, "relay.answer-ignored", &came.event_id.to_string(), text).await;
    }
    Ok(done)
}

/// The invoice of a bill, read by the wallet. What the bill says beside it has to be the same sum.
async fn asked_for(outside: &Outside, bill: &market::Bill) -> Option<Result<Bill, String>> {
    let read = outside.bill(bill.bolt11.as_deref()?).await;
    Some(read.and_then(|invoice| match invoice.amount {
        Some(asked) if asked != bill.amount_msat => Err(format!(
            "mismatched: the answer says {}, its invoice {asked}",
            bill.amount_msat
        )),
        _ => Ok(invoice),
    }))
}
