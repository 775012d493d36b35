//! The activity feed: the ledger read backwards, each fact in words.
use autopilot_projections::activity::{self, Domain};
use autopilot_proto::control::v1::{self as pb};
use autopilot_store_sqlite::{ReadError, Reader};
use tonic::Status;

use super::{Service, errors, views::basis};

/// Lines on a page at most.
const MAX_PAGE: u32 = 200;
/// Facts read at once.
const STEP: u64 = 1_000;
/// Facts looked through for one page of a domain: a rare one costs several calls, none of them long.
const SEARCH: u64 = 20_000;

impl Service {
    pub(super) async fn answer_activity(
        &self,
        request: pb::ActivityRequest,
    ) -> Result<pb::ActivityReply, Status> {
        let domain = match request.domain.as_str() {
            "" => None,
            name => Some(Domain::of_name(name).ok_or_else(|| {
                errors::invalid("the domain is chat, job, wallet, network, sync or ledger")
            })?),
        };
        let limit = match request.limit {
            0 => 50,
            limit => limit.min(MAX_PAGE),
        };
        let basis = self.look(|engine| basis(engine, "ledger")).await?;
        let newest = basis.sequence.saturating_add(1);
        let before = match request.before_sequence {
            0 => newest,
            before => before.min(newest),
        };
        let page = backwards(self.outside.ledger.reader(), before, domain, limit as usize);
        let (lines, next) = page.await.map_err(errors::read)?;
        Ok(pb::ActivityReply {
            basis: Some(basis),
            lines,
            next_before_sequence: next,
        })
    }
}

/// Lines of facts before this one, newest first, and the fact before which looking goes on (0: there is nothing more).
async fn backwards(
    reader: &Reader,
    before: u64,
    domain: Option<Domain>,
    limit: usize,
) -> Result<(Vec<pb::ActivityLine>, u64), ReadError> {
    let mut lines = Vec::new();
    let mut at = before;
    let step = domain.map_or(limit as u64, |_| STEP);
    while at > 1 && lines.len() < limit && before - at < SEARCH {
        let after = (at - 1).saturating_sub(step);
        let wanted = u32::try_from(at - 1 - after).unwrap_or(u32::MAX);
        for fact in reader.facts(after, wanted).await?.iter().rev() {
            at = fact.fact.sequence;
            if domain.is_none_or(|domain| activity::domain(&fact.event) == domain) {
                lines.push(line(activity::line(fact)));
            }
            if lines.len() == limit {
                break;
            }
        }
    }
    Ok((lines, if at > 1 { at } else { 0 }))
}

/// A line as the contract carries it.
pub(super) fn line(line: activity::Line) -> pb::ActivityLine {
    pb::ActivityLine {
        sequence: line.sequence,
        at_ms: line.at_ms,
        domain: line.domain.name().to_owned(),
        source: line.source.to_owned(),
        sentence: line.sentence,
        subject: line.subject,
        r#type: line.kind,
    }
}

#[cfg(test)]
mod tests {
    use autopilot_events::{Event, pb as facts};
    use autopilot_store_sqlite::Store;

    use super::*;
    use crate::control::tests::stored;

    /// Wallet figures, and one policy at this place.
    async fn ledger(folder: &std::path::Path, facts: u64, policy: u64) -> Store {
        let event = |n| match n == policy {
            true => Event::from(facts::IdentityBackedUp::default()),
            false => Event::from(facts::WalletBalanceObserved::default()),
        };
        stored(folder, (1..=facts).map(event), 500).await.0
    }

    #[tokio::test]
    async fn pages_follow_each_other_to_the_first_fact_and_a_rare_domain_is_found_in_bounded_steps() {
        let folder = tempfile::tempdir().unwrap();
        let end = SEARCH + 3_000;
        let store = ledger(folder.path(), end, 7).await;
        let reader = store.reader();
        let (lines, next) = backwards(&reader, end + 1, None, 50).await.unwrap();
        let numbers: Vec<u64> = lines.iter().map(|line| line.sequence).collect();
        assert_eq!(numbers, ((end - 49)..=end).rev().collect::<Vec<_>>());
        assert_eq!(next, end - 49);
        let (lines, next) = backwards(&reader, 21, None, 50).await.unwrap();
        assert_eq!(
            (lines.len(), next),
            (20, 0),
            "the first page ends at the first fact"
        );

        let (lines, next) = backwards(&reader, end + 1, Some(Domain::Ledger), 50)
            .await
            .unwrap();
        assert!(
            lines.is_empty() && next > 1,
            "not found yet, and says where to go on: {next}"
        );
        let (lines, next) = backwards(&reader, next, Some(Domain::Ledger), 50).await.unwrap();
        assert_eq!((lines.len(), next), (1, 0));
        assert_eq!((lines[0].sequence, lines[0].domain.as_str()), (7, "ledger"));
        store.close().await;
    }
}
