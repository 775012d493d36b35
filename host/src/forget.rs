//! Forgetting texts: of one job, of one buyer, or by age; and the policy's retention, which does it by itself.
use std::{collections::BTreeSet, time::Duration};

use autopilot_core::{Input, forget::needed, group::Done, input::Command, refusal::Code};
use autopilot_events::{
    Event, Recorded,
    pb::{ForgetReason, Purpose},
    words::PublicKey,
};
use autopilot_store_sqlite::ReadError;
use futures_util::future::join_all;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::{
    clock::now_ms,
    ledger::{Ledger, SubmitError},
};

/// Facts read at a time.
const PAGE: u32 = 4_096;
/// Subjects that are forgotten in one commit.
const AT_ONCE: usize = 256;
/// The retention is applied this often, and at once when it was changed.
const DAILY: Duration = Duration::from_secs(24 * 3_600);
/// How soon a change is seen.
const LOOK: Duration = Duration::from_secs(60);
const DAY_MS: i64 = 24 * 3_600 * 1_000;

/// Whose texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// One subject's: `job/<id>`, `purchase/<id>`, `chat/<id>`.
    Subject(String),
    /// All jobs' of one buyer.
    Buyer(PublicKey),
    /// All whose first text was recorded before this (milliseconds since the Unix epoch); conversations, whose last was.
    Before(i64),
}

/// What was forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Subjects whose key is dropped; in a rehearsal: would be.
    pub subjects: u64,
    /// Subjects that are kept, since something open rests on them.
    pub needed: BTreeSet<String>,
    /// Why the first of them is.
    pub needed_because: String,
    /// No remains lie in free pages or in the log any more; otherwise they go at the next start.
    pub overwritten: bool,
}

/// Why texts could not be forgotten.
#[derive(Debug, thiserror::Error)]
pub enum ForgetError {
    /// The ledger says no, or stopped.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The ledger can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// The subject that a fact begins, dated by it.
fn begun(fact: &Recorded) -> Option<&str> {
    let reference = match &fact.event {
        Event::JobReceived(m) => m.request.as_ref(),
        Event::BuyModeStarted(m) => m.prompt.as_ref(),
        Event::ChatAsked(m) if m.previous == 0 => m.text.as_ref(),
        Event::EventSigned(m) if m.purpose == Purpose::Request as i32 => m.event.as_ref(),
        _ => None,
    };
    reference.map(|reference| reference.subject.as_str())
}

fn is_of(fact: &Recorded, buyer: &PublicKey) -> bool {
    matches!(&fact.event, Event::JobReceived(m) if m.requester == buyer.0)
}

/// Forgets texts, in bounded memory and group by group, and has the remains overwritten. With `rehearse` it only counts.
///
/// # Errors
/// [`ForgetError`]; what one subject alone is refused for is one, what some of many are is counted.
pub async fn forget(
    ledger: &Ledger,
    whose: Whose,
    reason: ForgetReason,
    rehearse: bool,
) -> Result<Forgotten, ForgetError> {
    let mut done = Forgotten::default();
    if let Whose::Subject(subject) = &whose {
        let found = ledger
            .reader()
            .readable_subjects(std::slice::from_ref(subject))
            .await?;
        each(ledger, &mut done, &found, reason, rehearse).await?;
    } else {
        sweep(ledger, &mut done, &whose, reason, rehearse).await?;
    }
    // Once for all of them: it copies the file.
    done.overwritten = !rehearse && ledger.scrub().await;
    Ok(done)
}

async fn sweep(
    ledger: &Ledger,
    done: &mut Forgotten,
    whose: &Whose,
    reason: ForgetReason,
    rehearse: bool,
) -> Result<(), ForgetError> {
    let (reader, end) = (ledger.reader(), ledger.head().borrow().sequence);
    let mut after = 0;
    while after < end {
        let page = reader.facts(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.fact.sequence;
        let meant = |fact: &&Recorded| match whose {
            Whose::Buyer(buyer) => is_of(fact, buyer),
            Whose::Before(ms) => fact.fact.recorded_at_ms < *ms,
            Whose::Subject(_) => false,
        };
        let subjects: Vec<String> = page
            .iter()
            .filter(meant)
            .filter_map(begun)
            .map(ToOwned::to_owned)
            .collect();
        let mut readable = reader.readable_subjects(&subjects).await?;
        if let Whose::Before(ms) = whose {
            let alive = gone_on_with(ledger, *ms).await?;
            readable.retain(|subject| !alive.contains(subject));
        }
        each(ledger, done, &readable, reason, rehearse).await?;
        // Recorded times never go back: behind this page everything is younger.
        if matches!(whose, Whose::Before(ms) if last.fact.recorded_at_ms >= *ms) {
            break;
        }
    }
    Ok(())
}

/// Conversations in which something happened at this time or after it: they are not old, however early they began.
async fn gone_on_with(ledger: &Ledger, ms: i64) -> Result<BTreeSet<String>, SubmitError> {
    ledger
        .look(move |engine| {
            let threads = engine.state().chat.threads();
            let alive = threads.filter(|(_, thread)| thread.last_at_ms >= ms);
            alive.map(|(id, _)| id.subject()).collect()
        })
        .await
}

async fn each(
    ledger: &Ledger,
    done: &mut Forgotten,
    subjects: &[String],
    reason: ForgetReason,
    rehearse: bool,
) -> Result<(), ForgetError> {
    for group in subjects.chunks(AT_ONCE) {
        let outcomes = join_all(group.iter().map(|subject| one(ledger, subject, reason, rehearse))).await;
        for (subject, outcome) in group.iter().zip(outcomes) {
            match outcome? {
                None => done.subjects += 1,
                Some(why) => {
                    if done.needed.is_empty() {
                        done.needed_because.clone_from(&why);
                    }
                    done.needed.insert(subject.clone());
                }
            }
        }
    }
    Ok(())
}

/// Forgets one subject, or says why it is needed.
async fn one(
    ledger: &Ledger,
    subject: &str,
    reason: ForgetReason,
    rehearse: bool,
) -> Result<Option<String>, SubmitError> {
    let subject = subject.to_owned();
    if rehearse {
        let why = ledger
            .look(move |engine| needed(engine.state(), &subject))
            .await?;
        return Ok(why.map(ToOwned::to_owned));
    }
    let command = Command::Forget { subject, reason };
    match ledger.submit(Input::Person(command), None).await {
        Ok(Done::Recorded { .. } | Done::Duplicate { .. }) => Ok(None),
        Err(SubmitError::Refused(refusal)) if refusal.code == Code::StillNeeded => Ok(Some(refusal.sentence)),
        Err(error) => Err(error),
    }
}

/// When the policy's retention was applied last, and which one.
#[derive(Debug, Default)]
struct Retention {
    applied: Option<(u32, Instant)>,
}

impl Retention {
    /// Applies it where it is due; `None` where it is not, or where texts are kept for good.
    async fn apply(&mut self, ledger: &Ledger, now_ms: i64) -> Result<Option<Forgotten>, ForgetError> {
        let days = ledger
            .look(|engine| engine.state().provider.policy().keep_texts_days)
            .await?;
        let due = self
            .applied
            .is_none_or(|(before, at)| before != days || at.elapsed() >= DAILY);
        if !due {
            return Ok(None);
        }
        self.applied = Some((days, Instant::now()));
        if days == 0 {
            return Ok(None);
        }
        let before = now_ms.saturating_sub(i64::from(days).saturating_mul(DAY_MS));
        let done = forget(ledger, Whose::Before(before), ForgetReason::Retention, false).await?;
        Ok(Some(done))
    }
}

/// Finishes what a stop interrupted, and applies the policy's retention: at the start, daily, and when it was changed.
/// Runs until the ledger stops.
pub async fn retention(ledger: Ledger) {
    ledger.scrub().await;
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut retention = Retention::default();
    loop {
        looks.tick().await;
        match retention.apply(&ledger, now_ms()).await {
            Ok(Some(done)) if done.subjects > 0 => {
                tracing::info!(subjects = done.subjects, "texts were forgotten by age");
            }
            Ok(_) => {}
            Err(ForgetError::Submit(SubmitError::Stopped)) => return,
            Err(error) => {
                tracing::warn!(%error, "old texts are not all forgotten; it is tried again tomorrow")
            }
        }
    }
}

#[cfg(test)]
mod tests;
