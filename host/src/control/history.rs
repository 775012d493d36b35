//! The history of jobs and purchases, page by page.
use autopilot_projections::rows::Role;
use autopilot_proto::control::v1::{self as pb};
use autopilot_store_sqlite::{
    Search,
    rows::{HistoryQuery, HistoryRow},
};
use tonic::Status;

use super::{Service, errors, views::basis};

/// Rows on a page of history at most.
const MAX_PAGE: u32 = 500;

impl Service {
    pub(super) async fn answer_history(
        &self,
        request: pb::HistoryRequest,
    ) -> Result<pb::HistoryReply, Status> {
        let role = match request.role.as_str() {
            "" => None,
            "provider" => Some(Role::Provider),
            "buyer" => Some(Role::Buyer),
            _ => return Err(errors::invalid("role is provider or buyer")),
        };
        let some = |text: String| (!text.is_empty()).then_some(text);
        let query = HistoryQuery {
            role,
            work: some(request.work),
            money: some(request.money),
            search: search(&request.search)?,
            before: (request.before_sequence > 0).then_some(request.before_sequence),
            after: None,
            limit: if request.limit == 0 {
                50
            } else {
                request.limit.min(MAX_PAGE)
            },
        };
        let (rows, _) = self
            .outside
            .ledger
            .reader()
            .history(&query)
            .await
            .map_err(errors::read)?;
        let full = rows.len() as u32 == query.limit;
        let next = rows.last().filter(|_| full).map_or(0, |row| row.first_sequence);
        let basis = self.look(|engine| basis(engine, "ledger")).await?;
        let rows = rows.into_iter().map(history_line).collect();
        Ok(pb::HistoryReply {
            basis: Some(basis),
            rows,
            next_before_sequence: next,
        })
    }
}

/// What a person typed: a kind, the beginning of an id or key, or of a model's name.
fn search(text: &str) -> Result<Option<Search>, Status> {
    let text = text.trim();
    let digits = !text.is_empty() && text.chars().all(|c| c.is_ascii_hexdigit());
    Ok(Some(match text.len() {
        0 => return Ok(None),
        1..=5 if digits && text.parse::<u32>().is_ok() => Search::Kind(text.parse().unwrap_or_default()),
        1..=5 if digits => {
            return Err(errors::invalid("an id is looked for by at least 6 of its digits"));
        }
        6..=64 if digits => Search::Id(text.to_lowercase()),
        _ => match autopilot_nostr::public_key(text) {
            Some(key) => Search::Id(key.to_string()),
            None => Search::Model(text.to_owned()),
        },
    }))
}

fn history_line(row: HistoryRow) -> pb::HistoryLine {
    let text = |id: Option<String>| id.unwrap_or_default();
    pb::HistoryLine {
        job_id: row.job_id.to_string(),
        role: text(row.role),
        native_id: text(row.native_id.map(|id| id.to_string())),
        counterparty: text(row.counterparty.map(|id| id.to_string())),
        kind: row.kind.unwrap_or(0),
        first_sequence: row.first_sequence,
        received_at_ms: row.received_at_ms,
        work: text(row.work),
        money: text(row.money),
        price_msat: row.price_msat,
        settled_msat: row.settled_msat,
        settled_at_ms: row.settled_at_ms,
        payment_hash: text(row.payment_hash.map(|hash| hash.to_string())),
        result_digest: text(row.result_digest.map(|digest| digest.to_string())),
        reason: text(row.reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_an_id_a_kind_or_a_model() {
        let found = |text: &str| search(text).ok().flatten();
        assert_eq!(found("  "), None);
        assert_eq!(found("5050"), Some(Search::Kind(5_050)));
        assert_eq!(found("AB12cd"), Some(Search::Id("ab12cd".to_owned())));
        assert_eq!(found("Qwen"), Some(Search::Model("Qwen".to_owned())));
        assert!(search("abc").is_err(), "too short to be found by");
        let npub = "npub180cvv07tjdrrgpa0j7j7tmnyl2yr6yr7l8j4s3evf6u64th6gkwsyjh6w6";
        let key = "3bf0c63fcb93463407af97a5e5ee64fa883d107ef9e558472c4eb9aaaefa459d";
        assert_eq!(found(npub), Some(Search::Id(key.to_owned())));
    }
}
