//! The history of jobs and purchases, page by page.
use autopilot_projections::rows::Role;
use autopilot_proto::control::v1::{self as pb};
use autopilot_store_sqlite::rows::{HistoryQuery, HistoryRow};
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
