//! From the first fact to the last one: each fact, and what the fold of movements tells of it.
use autopilot_events::{Head, Recorded, words::JobId};
use autopilot_projections::movements::{Movements, Subject, Told};
use autopilot_store_sqlite::Progress;

use super::BooksError;
use crate::audit::Audit;

/// Facts of one page.
const PAGE: u32 = 4_096;

/// What is met on the way.
pub(super) enum Step<'a> {
    /// The next fact.
    Fact(&'a Recorded),
    /// What it completes.
    Told(Told),
}

/// Walks to `end`, or to the end that the ledger has now. A story that was over is looked up again, so that the fold need not keep it.
pub(super) async fn walk(
    audit: &Audit,
    end: Option<Head>,
    progress: &mut (dyn FnMut(Progress) + Send),
    mut each: impl FnMut(Step<'_>) -> Result<(), BooksError>,
) -> Result<(Head, Movements), BooksError> {
    let end = match end {
        Some(end) => end,
        None => audit.head().await?,
    };
    let mut movements = Movements::default();
    let mut at = 0;
    while at < end.sequence {
        let page = audit.facts(at, PAGE).await?;
        for fact in page.iter().take_while(|fact| fact.fact.sequence <= end.sequence) {
            at = fact.fact.sequence;
            let told = movements.apply(fact);
            for told in told {
                each(Step::Told(recall(audit, told).await?))?;
            }
            each(Step::Fact(fact))?;
        }
        progress(Progress {
            facts: at,
            of: end.sequence,
        });
        if page.is_empty() {
            break;
        }
    }
    if let Some(movement) = movements.end() {
        let told = Told::Moved(Box::new(movement));
        each(Step::Told(recall(audit, told).await?))?;
    }
    Ok((end, movements))
}

async fn recall(audit: &Audit, told: Told) -> Result<Told, BooksError> {
    let Told::Moved(mut movement) = told else {
        return Ok(told);
    };
    if let (true, Some(id)) = (movement.subject.forgotten, movement.subject.id) {
        movement.subject = look_up(audit, id, movement.sequence).await?;
    }
    Ok(Told::Moved(movement))
}

/// A story from its own facts, up to the movement that asks.
async fn look_up(audit: &Audit, id: JobId, until: u64) -> Result<Subject, BooksError> {
    let mut subject = Subject {
        id: Some(id),
        forgotten: true,
        ..Subject::default()
    };
    let Some(row) = audit.reader().history_one(&id).await? else {
        return Ok(subject);
    };
    let streams = [format!("job/{id}"), format!("purchase/{id}")];
    let mut after = row.first_sequence.saturating_sub(1);
    while after < until {
        let page = audit.facts(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.fact.sequence;
        page.iter()
            .filter(|fact| fact.fact.sequence < until && streams.contains(&fact.fact.stream))
            .for_each(|fact| subject.learn(fact));
    }
    Ok(subject)
}
