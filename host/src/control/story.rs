//! The facts of one job or purchase, in order.
use autopilot_events::Recorded;
use autopilot_store_sqlite::{ReadError, Reader, rows::HistoryRow};

/// Facts read at once.
const PAGE: u32 = 256;
/// Facts looked through for one story: its own lie close together, but for a payment that comes late.
const SEARCH: u64 = 50_000;

/// A story, as far as it was looked for.
pub(super) struct Story {
    /// Its facts, and those of the wallet that its payment hash ties to it.
    pub facts: Vec<Recorded>,
    /// These are all.
    pub whole: bool,
}

/// The facts of a row of history.
pub(super) async fn story(reader: &Reader, row: &HistoryRow) -> Result<Story, ReadError> {
    let kind = match row.role.as_deref() {
        Some("buyer") => "purchase",
        _ => "job",
    };
    let stream = format!("{kind}/{}", row.job_id);
    let mut missing = reader.stream_version(&stream).await?;
    let hash = row.payment_hash.map(|hash| hash.to_vec());
    let mut facts = Vec::new();
    let mut after = row.first_sequence.saturating_sub(1);
    while missing > 0 && after.saturating_sub(row.first_sequence) < SEARCH {
        let page = reader.facts(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.fact.sequence;
        for fact in page {
            let own = fact.fact.stream == stream;
            let paid = fact.fact.stream == "wallet" && hash.as_ref() == Some(&fact.fact.correlation);
            if missing > 0 && (own || paid) {
                missing -= u64::from(own);
                facts.push(fact);
            }
        }
    }
    Ok(Story {
        facts,
        whole: missing == 0,
    })
}
