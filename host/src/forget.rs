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
    /// One subject's: `job/<id>`, `purchase/<id>`.
    Subject(String),
    /// All jobs' of one buyer.
    Buyer(PublicKey),
    /// All whose first text was recorded before this (milliseconds since the Unix epoch).
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
        let readable = reader.readable_subjects(&subjects).await?;
        each(ledger, done, &readable, reason, rehearse).await?;
        // Recorded times never go back: behind this page everything is younger.
        if matches!(whose, Whose::Before(ms) if last.fact.recorded_at_ms >= *ms) {
            break;
        }
    }
    Ok(())
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
mod tests {
    use autopilot_core::{input::Request, policy::default_policy};
    use autopilot_events::{
        pb,
        words::{EventId, JobId},
    };
    use autopilot_store_sqlite::MasterKey;
    use tokio::sync::mpsc;

    use super::*;
    use crate::audit::Audit;

    /// A request that is refused, since the provider is offline; whom it names is told so, or nobody is.
    fn request(n: u8, buyer: u8, targeted: bool) -> Request {
        Request {
            native_id: EventId([n; 32]),
            requester: PublicKey([buyer; 32]),
            kind: 5050,
            bid: None,
            created_at_s: now_ms() / 1_000,
            ttl_s: 60,
            targeted,
            open: !targeted,
            encrypted: false,
            input_bytes: 10,
            inputs: 1,
            remote_inputs: 0,
            result_room_bytes: 40_000,
            model: None,
            unreadable: String::new(),
            max_tokens: None,
            text: String::new(),
            topics: Vec::new(),
            refund_offer: String::new(),
            body: pb::BodyRef::default(),
            relay: "wss://one".to_owned(),
        }
    }

    fn subject(n: u8) -> String {
        format!("job/{}", JobId::derive("nip90", &[n; 32]))
    }

    async fn ask(ledger: &Ledger, n: u8, buyer: u8, targeted: bool) -> pb::BodyRef {
        let input = Input::Request(request(n, buyer, targeted));
        let text = format!("the text of request {n}");
        let done = ledger
            .submit(input, Some((subject(n), text.as_bytes())))
            .await
            .unwrap();
        let Done::Recorded { sequences, .. } = done else {
            panic!("{done:?}")
        };
        let page = ledger.reader().facts(sequences[0] - 1, 1).await.unwrap();
        autopilot_events::texts::body_ref(&page[0].event).unwrap().clone()
    }

    async fn readable(ledger: &Ledger, references: &[pb::BodyRef]) -> Vec<bool> {
        let mut readable = Vec::new();
        for reference in references {
            readable.push(ledger.text(reference).await.unwrap().is_some());
        }
        readable
    }

    #[tokio::test]
    async fn by_job_by_buyer_and_by_age_and_never_what_is_still_needed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let (fatal, _stopped) = mpsc::unbounded_channel();
        let (ledger, _) = Ledger::open(&path, MasterKey([7; 32]), fatal).await.unwrap();
        let policy = Command::SetPolicy(default_policy(1_000));
        ledger.submit(Input::Person(policy), None).await.unwrap();
        // 1 and 2 are of one buyer, 3 of another; 4 waits for its answer.
        let mut texts = Vec::new();
        for (n, buyer, targeted) in [(1, 1, false), (2, 1, false), (3, 2, false), (4, 2, true)] {
            texts.push(ask(&ledger, n, buyer, targeted).await);
        }
        assert_eq!(readable(&ledger, &texts).await, [true; 4]);
        let run = |whose: Whose, rehearse: bool| {
            let ledger = ledger.clone();
            async move { forget(&ledger, whose, ForgetReason::Age, rehearse).await.unwrap() }
        };

        let would = run(Whose::Before(i64::MAX), true).await;
        assert_eq!(
            (would.subjects, would.needed.len(), would.overwritten),
            (3, 1, false)
        );
        assert_eq!(
            readable(&ledger, &texts).await,
            [true; 4],
            "a rehearsal forgets nothing"
        );

        let done = run(Whose::Subject(subject(3)), false).await;
        assert_eq!((done.subjects, done.overwritten), (1, true));
        assert!(ledger.forgotten_at_ms(&subject(3)).await.unwrap().is_some());
        assert_eq!(run(Whose::Subject(subject(3)), false).await.subjects, 0, "once");
        let done = run(Whose::Buyer(PublicKey([1; 32])), false).await;
        assert_eq!((done.subjects, done.needed.len()), (2, 0));
        assert_eq!(
            run(Whose::Before(1), false).await.subjects,
            0,
            "nothing is that old"
        );
        let done = run(Whose::Before(i64::MAX), false).await;
        assert_eq!(
            (done.subjects, done.needed.into_iter().collect::<Vec<_>>()),
            (0, vec![subject(4)])
        );
        assert_eq!(readable(&ledger, &texts).await, [false, false, false, true]);
        assert_eq!(ledger.forgotten_at_ms(&subject(4)).await.unwrap(), None);
        ledger.stop().await;

        // Without the host: erased there, valid elsewhere, and every fold as it would be without.
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("ledger")).unwrap();
        std::fs::copy(&path, crate::audit::ledger_path(home.path())).unwrap();
        let audit = Audit::open(home.path()).await.unwrap();
        let verdict = audit.verify(&mut |_| {}).await.unwrap();
        assert!(verdict.ok, "{verdict:?}");
        assert_eq!((verdict.bodies.erased, verdict.bodies.valid), (3, 1));
        let replay = audit.replay(None, &mut |_| {}).await.unwrap();
        assert!(replay.comparisons.iter().all(|found| found.equal != Some(false)));
        assert_eq!(
            replay.comparisons[0].equal,
            Some(true),
            "the snapshot is what the facts give"
        );
    }

    #[tokio::test]
    async fn a_retention_that_is_set_forgets_what_is_older() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let (fatal, _stopped) = mpsc::unbounded_channel();
        let (ledger, _) = Ledger::open(&path, MasterKey([7; 32]), fatal).await.unwrap();
        let keep = |keep_texts_days| {
            let ledger = ledger.clone();
            let policy = pb::Policy {
                keep_texts_days,
                ..default_policy(1_000)
            };
            async move {
                ledger
                    .submit(Input::Person(Command::SetPolicy(policy)), None)
                    .await
            }
        };
        keep(0).await.unwrap();
        let text = ask(&ledger, 1, 1, false).await;
        let mut retention = Retention::default();
        let days = |n: i64| now_ms() + n * DAY_MS;
        assert_eq!(
            retention.apply(&ledger, days(1_000)).await.unwrap(),
            None,
            "kept for good"
        );
        keep(30).await.unwrap();
        assert_eq!(
            retention
                .apply(&ledger, days(29))
                .await
                .unwrap()
                .unwrap()
                .subjects,
            0
        );
        assert_eq!(readable(&ledger, std::slice::from_ref(&text)).await, [true]);
        assert_eq!(
            retention.apply(&ledger, days(29)).await.unwrap(),
            None,
            "once a day"
        );
        let mut restarted = Retention::default();
        assert_eq!(
            restarted
                .apply(&ledger, days(31))
                .await
                .unwrap()
                .unwrap()
                .subjects,
            1
        );
        assert_eq!(readable(&ledger, &[text]).await, [false]);
        ledger.stop().await;
    }
}
