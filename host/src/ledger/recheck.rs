//! Reads again, beside everything else, what opening the ledger took on trust: every fact, the indexes that tell it
//! about them, and that the live state is what the facts give. Slowly, unless somebody waits for it; a defect stops earning
//! and is said.
use std::time::{Duration, Instant};

use autopilot_core::{Input, input::Command};
use autopilot_events::Head;
use autopilot_projections::State;
use autopilot_store_sqlite::ReadError;

use super::{Ledger, SubmitError};
use crate::clock;

/// Time off for each unit of time at work.
const REST: u32 = 9;
/// From the end of one check to the next.
const AGAIN: Duration = Duration::from_secs(24 * 3_600);

/// How far the check is, and what it found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Check {
    /// Facts read again so far.
    pub facts: u64,
    /// Facts to be read.
    pub of: u64,
    /// Rounds begun since the ledger was opened.
    pub begun: u64,
    /// Rounds that came to their end and found everything whole.
    pub ended: u64,
    /// When everything was found whole (milliseconds since the Unix epoch); `None` while it is not read to the end.
    pub whole_at_ms: Option<i64>,
    /// What does not hold, and what to do.
    pub defect: Option<String>,
}

impl Check {
    /// One line for people.
    pub fn sentence(&self) -> String {
        match (&self.defect, self.whole_at_ms) {
            (Some(defect), _) => defect.clone(),
            (None, Some(_)) => format!("whole: all {} facts were read again", self.of),
            (None, None) if self.of == 0 => "not read again yet".to_owned(),
            (None, None) => format!("being read again: {} of {} facts", self.facts, self.of),
        }
    }
}

/// Checks now, once a day and whenever it is wanted, until the ledger stops or a defect is found.
pub async fn run(ledger: Ledger) {
    let mut wanted = ledger.check_wanted.subscribe();
    let mut hurried = false;
    while let Ok(true) = round(&ledger, hurried).await {
        // What was wanted while this round ran is the next one.
        hurried = tokio::time::timeout(AGAIN, wanted.changed()).await.is_ok();
    }
}

/// Whether everything holds. Where it does not, earning is stopped.
async fn round(ledger: &Ledger, hurried: bool) -> Result<bool, SubmitError> {
    let Some(defect) = check(ledger, hurried).await? else {
        return Ok(true);
    };
    tracing::error!(%defect, "the ledger does not hold");
    ledger
        .check
        .send_modify(|check| check.defect = Some(defect.clone()));
    stop_earning(ledger, defect).await?;
    Ok(false)
}

/// A sentence for what does not hold; an error when the ledger stopped meanwhile.
async fn check(ledger: &Ledger, hurried: bool) -> Result<Option<String>, SubmitError> {
    let (head, live) = ledger
        .look(|engine| (*engine.head(), engine.state().clone()))
        .await?;
    ledger.check.send_modify(|check| {
        check.facts = 0;
        check.of = head.sequence;
        check.begun += 1;
    });
    let mut folded = State::default();
    if let Err(error) = read(ledger, head, &mut folded, hurried).await {
        // A ledger that stops closes the connections of its readers; that is no defect.
        ledger.look(|_| ()).await?;
        return Ok(Some(defect(&error)));
    }
    let differing: Vec<String> = live
        .digests()
        .into_iter()
        .zip(folded.digests())
        .filter_map(|((label, live), (_, folded))| (live != folded).then_some(label))
        .collect();
    if !differing.is_empty() {
        return Ok(Some(other_state(&head, &differing)));
    }
    ledger.check.send_modify(|check| {
        check.whole_at_ms = Some(clock::now_ms());
        check.ended = check.begun;
    });
    tracing::info!(facts = head.sequence, "the ledger was read again and is whole");
    Ok(None)
}

/// Reads and folds everything up to `head`, resting after each piece while nobody waits.
async fn read(ledger: &Ledger, head: Head, folded: &mut State, mut hurried: bool) -> Result<(), ReadError> {
    let mut wanted = ledger.check_wanted.subscribe();
    let mut recheck = ledger.reader.recheck(head).await?;
    loop {
        let begun = Instant::now();
        let Some(progress) = recheck.step(|fact| folded.apply(fact)).await? else {
            return Ok(());
        };
        ledger.check.send_modify(|check| check.facts = progress.facts);
        if !hurried {
            // Somebody waits for the round behind this one.
            let rest = tokio::time::timeout(begun.elapsed() * REST, wanted.changed()).await;
            hurried = matches!(rest, Ok(Ok(())));
        }
    }
}

fn defect(error: &ReadError) -> String {
    format!(
        "the ledger does not hold: {error}. Look with `autopilotctl ledger verify`, copy the home folder aside, and \
         restore the ledger from a copy whose head you know"
    )
}

fn other_state(head: &Head, labels: &[String]) -> String {
    format!(
        "what this program goes by differs from the ledger's {} facts ({}): stop it, copy the home folder aside, and \
         start it again after `autopilotctl ledger verify`",
        head.sequence,
        labels.join(", ")
    )
}

async fn stop_earning(ledger: &Ledger, defect: String) -> Result<(), SubmitError> {
    let told = ledger.look(|engine| engine.readiness().clone()).await?;
    let readiness = autopilot_core::input::Readiness {
        ledger_problem: Some(defect),
        ..told
    };
    ledger.submit(Input::Readiness(readiness), None).await?;
    let offline = Command::GoOffline {
        reason: "the ledger does not hold".to_owned(),
    };
    ledger.submit(Input::Person(offline), None).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use autopilot_events::pb;
    use autopilot_store_sqlite::MasterKey;
    use tokio::{sync::mpsc, task::JoinSet};

    use super::*;

    /// Facts beyond the ones that every opening reads.
    const FACTS: u64 = 3_000;
    const WITHIN: Duration = Duration::from_secs(120);

    async fn open(path: &Path) -> Ledger {
        let (fatal, _stopped) = mpsc::unbounded_channel();
        Ledger::open(path, MasterKey([7; 32]), fatal).await.unwrap().0
    }

    async fn fill(ledger: &Ledger) {
        let mut submitted = JoinSet::new();
        for n in 0..FACTS {
            let ledger = ledger.clone();
            let price = pb::PriceObserved {
                currency: "EUR".to_owned(),
                per_btc: 100_000 + n,
                source: format!("somebody {n:04}"),
                observed_at_ms: 1 + n as i64,
                ..Default::default()
            };
            let input = Input::Person(Command::RecordPrice(price));
            submitted.spawn(async move { ledger.submit(input, None).await.map(drop) });
        }
        while let Some(done) = submitted.join_next().await {
            done.unwrap().unwrap();
        }
    }

    #[tokio::test]
    async fn a_whole_ledger_is_said_to_be_whole_and_a_bent_one_stops_earning() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.sqlite");
        let ledger = open(&path).await;
        fill(&ledger).await;
        assert!(round(&ledger, false).await.unwrap());
        assert!(ledger.check().whole_at_ms.is_some(), "{:?}", ledger.check());
        assert!(!ledger.check_now(Duration::ZERO).await.0, "nobody reads");
        let reading = tokio::spawn(run(ledger.clone()));
        let (over, check) = ledger.check_now(WITHIN).await;
        assert!(over && check.ended >= 2, "{check:?}");
        let (over, check) = ledger.check_now(WITHIN).await;
        assert!(
            over && check.ended >= 3,
            "each asking is a reading of its own: {check:?}"
        );
        reading.abort();
        assert_eq!((ledger.check().facts, ledger.check().of), (FACTS, FACTS));
        ledger.stop().await;

        let mut bytes = std::fs::read(&path).unwrap();
        let old = b"somebody 0007";
        let places: Vec<usize> = (0..bytes.len())
            .filter(|at| bytes[*at..].starts_with(old))
            .collect();
        // Wherever it lies: pages that compaction freed hold it too.
        places.iter().for_each(|at| bytes[*at] = b'S');
        assert!(!places.is_empty());
        std::fs::write(&path, bytes).unwrap();

        // An opening does not read that far back, and serves.
        let ledger = open(&path).await;
        assert!(!round(&ledger, false).await.unwrap());
        let defect = ledger.check().defect.unwrap();
        assert!(defect.starts_with("the ledger does not hold: "), "{defect}");
        let against = ledger
            .look(|engine| engine.readiness().ledger_problem.clone())
            .await
            .unwrap();
        assert_eq!(against, Some(defect));
        ledger.stop().await;
    }
}
