//! Questions that every ledger has to answer rightly, whatever happened to its processes.
use std::{collections::BTreeMap, path::Path};

use anyhow::{Result, ensure};
use autopilot_events::{Event, words::JobId};
use autopilot_host::audit::Audit;

/// What became of one job.
#[derive(Debug, Default)]
struct Story {
    executed: u32,
    invoices: u32,
    settled: u32,
    started_after_result: bool,
}

/// Counts that hold for a sound ledger.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sound {
    /// Facts in all.
    pub facts: u64,
    /// Jobs settled.
    pub settled: u64,
    /// Sum of what they brought, in msat.
    pub settled_msat: u64,
    /// Difference that the last reconciliation with the wallet found, in msat.
    pub difference_msat: i64,
}

/// Reads a ledger without its host: chain, tree of stories, and the digests of a replay against the live ones.
///
/// # Errors
/// The first thing that does not hold.
pub async fn sound(home: &Path) -> Result<Sound> {
    let audit = Audit::open(home).await?;
    let verdict = audit.verify(&mut |_| {}).await?;
    ensure!(verdict.ok, "the chain does not verify: {verdict:?}");
    let replay = audit.replay(None, &mut |_| {}).await?;
    ensure!(
        replay
            .comparisons
            .iter()
            .any(|c| c.what == "snapshot" && c.equal == Some(true)),
        "no live snapshot to compare a replay with: {:?}",
        replay.comparisons
    );
    for comparison in &replay.comparisons {
        ensure!(
            comparison.equal != Some(false),
            "a replay gives another digest than the live view: {comparison:?}"
        );
    }
    let mut jobs: BTreeMap<JobId, Story> = BTreeMap::new();
    let mut sound = Sound::default();
    let mut after = 0;
    loop {
        let facts = audit.facts(after, 1_000).await?;
        let Some(last) = facts.last() else { break };
        after = last.fact.sequence;
        for fact in &facts {
            sound.facts += 1;
            match &fact.event {
                Event::JobStarted(m) => {
                    let story = jobs.entry(JobId::of(&m.job_id)).or_default();
                    story.started_after_result |= story.executed > 0;
                }
                Event::JobExecuted(m) => jobs.entry(JobId::of(&m.job_id)).or_default().executed += 1,
                Event::InvoiceIssued(m) => jobs.entry(JobId::of(&m.job_id)).or_default().invoices += 1,
                Event::JobSettled(m) => {
                    jobs.entry(JobId::of(&m.job_id)).or_default().settled += 1;
                    sound.settled += 1;
                    sound.settled_msat += m.amount_msat;
                }
                Event::WalletReconciled(m) => sound.difference_msat = m.difference_msat,
                _ => {}
            }
        }
    }
    for (id, story) in &jobs {
        ensure!(
            !story.started_after_result && story.executed <= 1,
            "job {id} was worked again: {story:?}"
        );
        ensure!(story.invoices <= 1, "job {id} has a second invoice: {story:?}");
        ensure!(story.settled <= 1, "job {id} was counted twice: {story:?}");
    }
    Ok(sound)
}
