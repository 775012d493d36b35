//! Composes and signs what is to be said about a job. Until it is recorded nobody saw it.
use autopilot_core::{
    Input,
    ports::market::{
        Bill, FeedbackStatus, JobRequest, Market, MarketError, MarketItem, NewFeedback, NewReceipt,
        SignedEvent,
    },
};
use autopilot_events::{
    pb::{self, Purpose},
    words::{EventId, JobId, Msat},
};
use autopilot_projections::jobs::Job;

use super::{NotYet, happened};
use crate::{clock, outside::Outside};

/// How long a result or a receipt is offered to relays, in milliseconds: it is owed even after the job's own deadline.
const RESULT_BOUND_MS: i64 = 24 * 3_600_000;
/// Relays of a buyer's wishes that get its answers, and the longest address among them in bytes.
const MAX_RELAYS: usize = 4;
const MAX_RELAY_BYTES: usize = 200;
/// How long feedback is, in milliseconds.
const FEEDBACK_BOUND_MS: i64 = 10 * 60_000;

pub(super) async fn sign(outside: &Outside, id: JobId, purpose: i32) -> Result<(), NotYet> {
    let job = outside
        .ledger
        .look(move |engine| engine.state().jobs.get(&id).cloned())
        .await?;
    let (Some(job), Ok(purpose)) = (job, Purpose::try_from(purpose)) else {
        return Ok(());
    };
    let request = match outside.stored(&job.request).await {
        Ok(MarketItem::Request(request)) => *request,
        // What can't be read was refused for that; its buyer is told so.
        Err(_) if purpose == Purpose::Error => {
            JobRequest::unreadable(job.native_id, job.requester, u16::try_from(job.kind).unwrap_or(0))
        }
        Ok(_) => return Err(NotYet::because("the stored event is no request")),
        Err(cause) => return Err(NotYet::Because(cause)),
    };
    let output = match (&job.output, purpose) {
        (Some(output), Purpose::Result) => {
            let text = outside.ledger.text(output).await.map_err(NotYet::because)?;
            String::from_utf8(text.ok_or_else(|| NotYet::because("the output was erased"))?)
                .map_err(NotYet::because)?
        }
        _ => String::new(),
    };
    let event = compose(outside, &job, &request, purpose, &output).map_err(NotYet::because)?;
    happened("sign");
    let bound_ms = if purpose == Purpose::Result {
        RESULT_BOUND_MS
    } else {
        FEEDBACK_BOUND_MS
    };
    let signed = pb::EventSigned {
        relays: elsewhere(&request, &outside.relays()),
        ..said(&event, purpose, id, bound_ms)
    };
    outside
        .ledger
        .submit(Input::Signed(signed), Some((format!("job/{id}"), &event.json)))
        .await?;
    Ok(())
}

/// Tells the provider of a result that it will not be paid, and why. Never "success".
pub(super) async fn tell_loser(outside: &Outside, id: JobId, result: EventId) -> Result<(), NotYet> {
    let loser = outside
        .ledger
        .look(move |engine| {
            let purchases = &engine.state().purchases;
            let purchase = purchases.get(&id).or_else(|| purchases.recent(&id))?;
            purchase.losers.get(&result).cloned()
        })
        .await?;
    let Some(loser) = loser else { return Ok(()) };
    let MarketItem::Result(lost) = outside.stored(&loser.result).await.map_err(NotYet::Because)? else {
        return Err(NotYet::because("the stored event is no result"));
    };
    let feedback = NewFeedback {
        status: FeedbackStatus::Error,
        reason: loser.reason,
        content: String::new(),
        bill: None,
    };
    let market = outside.market().map_err(NotYet::because)?;
    let event = market
        .compose_feedback_to_provider(&lost, &feedback, clock::now_s())
        .map_err(NotYet::because)?;
    let signed = pb::EventSigned {
        about: result.to_vec(),
        ..said(&event, Purpose::LostRace, id, FEEDBACK_BOUND_MS)
    };
    outside
        .ledger
        .submit(
            Input::Signed(signed),
            Some((format!("purchase/{id}"), &event.json)),
        )
        .await?;
    Ok(())
}

/// Our word, for the provider, that its result is paid: the wallet's outcome is a fact.
pub(super) async fn receipt(outside: &Outside, id: JobId) -> Result<(), NotYet> {
    let paid = outside
        .ledger
        .look(move |engine| {
            let purchases = &engine.state().purchases;
            let purchase = purchases.get(&id).or_else(|| purchases.recent(&id))?;
            let winner = purchase.winner.as_ref()?;
            Some(NewReceipt {
                job: purchase.native_id,
                result: winner.owed_receipt()?,
                provider: winner.provider,
                payment_hash: winner.payment_hash,
                amount_msat: Msat(winner.amount_msat),
            })
        })
        .await?;
    let Some(receipt) = paid else { return Ok(()) };
    let market = outside.market().map_err(NotYet::because)?;
    let event = market
        .compose_receipt(&receipt, clock::now_s())
        .map_err(NotYet::because)?;
    happened("receipt");
    let signed = said(&event, Purpose::Receipt, id, RESULT_BOUND_MS);
    let body = Some((format!("purchase/{id}"), event.json.as_slice()));
    outside.ledger.submit(Input::Signed(signed), body).await?;
    Ok(())
}

/// What is recorded of an event of ours before anybody sees it: offered to our own relays for so many milliseconds.
fn said(event: &SignedEvent, purpose: Purpose, id: JobId, bound_ms: i64) -> pb::EventSigned {
    pb::EventSigned {
        event_id: event.id.to_vec(),
        purpose: purpose as i32,
        job_id: id.to_vec(),
        kind: u32::from(event.kind),
        event: None,
        deadline_ms: clock::now_ms().saturating_add(bound_ms),
        about: Vec::new(),
        relays: Vec::new(),
    }
}

/// Where answers go besides our own relays: the buyer's first wishes. The adapter visits none inside our own network.
fn elsewhere(request: &JobRequest, ours: &[String]) -> Vec<String> {
    let same = |a: &str, b: &str| {
        a.trim_end_matches('/')
            .eq_ignore_ascii_case(b.trim_end_matches('/'))
    };
    let foreign = |wish: &&String| {
        let relay = wish.starts_with("wss://") || wish.starts_with("ws://");
        relay && wish.len() <= MAX_RELAY_BYTES && !ours.iter().any(|url| same(url, wish))
    };
    request
        .relays
        .iter()
        .filter(foreign)
        .take(MAX_RELAYS)
        .cloned()
        .collect()
}

fn compose(
    outside: &Outside,
    job: &Job,
    request: &JobRequest,
    purpose: Purpose,
    output: &str,
) -> Result<SignedEvent, MarketError> {
    let market = outside.market()?;
    let bill = job.invoice.as_ref().map(|invoice| Bill {
        amount_msat: Msat(invoice.amount_msat),
        bolt11: Some(invoice.bolt11.clone()),
    });
    let say = |status: FeedbackStatus, reason: &str, bill: Option<Bill>| {
        let feedback = NewFeedback {
            status,
            reason: reason.to_owned(),
            content: String::new(),
            bill,
        };
        market.compose_feedback(request, &feedback, clock::now_s())
    };
    match purpose {
        Purpose::Result => market.compose_result(request, output, bill.as_ref(), clock::now_s()),
        Purpose::PaymentRequired => say(
            FeedbackStatus::PaymentRequired,
            "pay this invoice, then the work begins",
            bill,
        ),
        Purpose::Success => say(FeedbackStatus::Success, "paid", None),
        Purpose::Error => say(
            FeedbackStatus::Error,
            job.failure.as_deref().unwrap_or("failed"),
            None,
        ),
        _ => say(FeedbackStatus::Processing, "", None),
    }
}
