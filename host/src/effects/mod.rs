//! Carries out outstanding work. What is outstanding comes from the ledger after each commit; work that is no longer
//! outstanding is dropped, and dropping a task cancels it.
mod chat;
mod embed;
mod heads;
mod inputs;
mod money;
mod offers;
mod publish;
mod refund;
pub(crate) use publish::broadcast;
mod sign;
mod work;

use std::{collections::HashMap, time::Duration};

use autopilot_core::Effect;
use tokio::task::AbortHandle;
use tracing::{Instrument, field::Empty};

use crate::{crash, ledger::SubmitError, outside::Outside};

/// First pause after a failed try; doubled up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Why a try did not come to an outcome; it is repeated.
#[derive(Debug, thiserror::Error)]
enum NotYet {
    #[error(transparent)]
    Ledger(#[from] SubmitError),
    #[error("{0}")]
    Because(String),
}

impl NotYet {
    fn because(cause: impl ToString) -> NotYet {
        NotYet::Because(cause.to_string())
    }
}

struct Running(AbortHandle);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs until the ledger stops.
pub async fn run(outside: Outside) {
    let mut outstanding = outside.ledger.outstanding();
    let mut running: HashMap<Effect, Running> = HashMap::new();
    loop {
        let wanted = outstanding.borrow_and_update().clone();
        running.retain(|effect, task| !task.0.is_finished() && wanted.contains(effect));
        for effect in wanted.iter() {
            running.entry(effect.clone()).or_insert_with(|| {
                let sequence = outside.ledger.head().borrow().sequence;
                let work = persist(outside.clone(), effect.clone()).instrument(span(effect, sequence));
                Running(tokio::spawn(work).abort_handle())
            });
        }
        if outstanding.changed().await.is_err() {
            return;
        }
    }
}

/// Tries until there is an outcome.
async fn persist(outside: Outside, effect: Effect) {
    let mut pause = FIRST_PAUSE;
    let mut told = String::new();
    loop {
        // Its end is the fact that it leads to; work that is no longer outstanding is dropped without a word.
        tracing::debug!("begins");
        crash::point("effect.before", name(&effect));
        match perform(&outside, &effect).await {
            Ok(()) => return,
            Err(NotYet::Ledger(SubmitError::Stopped)) => return,
            Err(cause) => {
                let cause = cause.to_string();
                match cause == told {
                    true => tracing::debug!(cause, "still not; trying again"),
                    false => tracing::warn!(cause, "not yet; trying again"),
                }
                told = cause;
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn perform(outside: &Outside, effect: &Effect) -> Result<(), NotYet> {
    match effect {
        Effect::Run { job, attempt } => work::run(outside, *job, *attempt).await,
        Effect::Answer { message } => chat::answer(outside, *message).await,
        Effect::Refund { job } => refund::refund(outside, *job).await,
        Effect::Resolve { job } => inputs::resolve(outside, *job).await,
        Effect::Invoice {
            job,
            amount,
            expiry_s,
        } => money::invoice(outside, *job, *amount, *expiry_s).await,
        Effect::Sign { job, purpose } => sign::sign(outside, *job, *purpose).await,
        Effect::TellLoser { purchase, result } => sign::tell_loser(outside, *purchase, *result).await,
        Effect::Receipt { purchase } => sign::receipt(outside, *purchase).await,
        Effect::PublishHead { size } => heads::publish(outside, *size).await,
        Effect::Publish { event } => publish::publish(outside, *event).await,
        Effect::Pay {
            payment_hash,
            attempt,
        } => money::pay(outside, *payment_hash, *attempt).await,
        Effect::PayOffer { intent } => offers::pay(outside, intent).await,
        Effect::SendOnchain { intent } => money::send_onchain(outside, intent).await,
    }
}

/// The span of an effect's work, so that each line of it says for which job it was done, and which fact led to it.
fn span(effect: &Effect, sequence: u64) -> tracing::Span {
    let span = tracing::info_span!(
        "effect",
        what = name(effect),
        sequence,
        job = Empty,
        about = Empty
    );
    match effect {
        Effect::Run { job, .. }
        | Effect::Resolve { job }
        | Effect::Refund { job }
        | Effect::Invoice { job, .. }
        | Effect::Sign { job, .. } => span.record("job", tracing::field::display(job)),
        Effect::TellLoser { purchase, .. } | Effect::Receipt { purchase } => {
            span.record("job", tracing::field::display(purchase))
        }
        Effect::Answer { message } => span.record("about", tracing::field::display(message)),
        Effect::PublishHead { size } => span.record("about", size),
        Effect::Publish { event } => span.record("about", tracing::field::display(event)),
        Effect::Pay { payment_hash, .. } => span.record("about", tracing::field::display(payment_hash)),
        Effect::PayOffer { intent, .. } | Effect::SendOnchain { intent } => {
            span.record("about", tracing::field::display(intent))
        }
    };
    span
}

/// Name of an effect at its crash points.
fn name(effect: &Effect) -> &'static str {
    match effect {
        Effect::Run { .. } => "run",
        Effect::Answer { .. } => "answer",
        Effect::Refund { .. } => "refund",
        Effect::Resolve { .. } => "resolve",
        Effect::Invoice { .. } => "invoice",
        Effect::Sign { .. } => "sign",
        Effect::TellLoser { .. } => "tell-loser",
        Effect::Receipt { .. } => "receipt",
        Effect::PublishHead { .. } => "publish-head",
        Effect::Publish { .. } => "publish",
        Effect::Pay { .. } => "pay",
        Effect::PayOffer { .. } => "pay-offer",
        Effect::SendOnchain { .. } => "send-onchain",
    }
}

/// The effect happened outside; its outcome is not recorded yet.
fn happened(what: &str) {
    crash::point("effect.after", what);
}
