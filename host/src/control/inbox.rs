//! The inbox: requests as they came, what was decided of each and why, and what could not be claimed.
use std::collections::HashMap;

use autopilot_core::{Engine, diagnosis::next_command};
use autopilot_events::{Event, Recorded, pb as facts, words::JobId};
use autopilot_projections::{
    jobs::Work,
    rows::{Role, refusal_name},
};
use autopilot_proto::control::v1::{self as pb};
use autopilot_store_sqlite::{
    ReadError, Reader,
    rows::{HistoryQuery, HistoryRow},
};
use tonic::Status;

use super::{Service, errors, refusals::demands, views::basis};
use crate::clock;

/// Requests on a page at most.
const MAX_PAGE: u32 = 200;
/// Facts read at once around a request: what was decided of it stands close behind.
const NEAR: u32 = 64;
/// Demand of this time back is shown beside the requests, in milliseconds.
const DEMAND_MS: i64 = 3_600_000;

/// The facts that a line rests on.
#[derive(Clone, Default)]
pub(super) struct Decided {
    received: Option<facts::JobReceived>,
    accepted: Option<facts::JobAccepted>,
    refused: Option<facts::JobRefused>,
}

impl Service {
    pub(super) async fn answer_inbox(&self, request: pb::InboxRequest) -> Result<pb::InboxReply, Status> {
        let limit = match request.limit {
            0 => 50,
            limit => limit.min(MAX_PAGE),
        };
        let query = HistoryQuery {
            role: Some(Role::Provider),
            before: (request.before_sequence > 0).then_some(request.before_sequence),
            limit,
            ..HistoryQuery::default()
        };
        let reader = self.outside.ledger.reader();
        let (rows, _) = reader.history(&query).await.map_err(errors::read)?;
        let mut decided = decisions(reader, &rows).await.map_err(errors::read)?;
        for row in &rows {
            let known = decided.entry(row.job_id).or_default();
            // Judged once its inputs were here: much later, and rarely.
            if known.refused.is_none()
                && let Some((received, refused)) = self.refusal(row).await?
            {
                known.received = Some(received);
                known.refused = Some(refused);
            }
        }
        let full = rows.len() as u32 == limit;
        let next = rows.last().filter(|_| full).map_or(0, |row| row.first_sequence);
        let now_ms = clock::now_ms();
        self.look(move |engine| {
            let since_ms = now_ms.saturating_sub(DEMAND_MS);
            let seen = engine.state().missed.since(since_ms);
            let line = |row: &HistoryRow| {
                let decided = decided.get(&row.job_id).cloned().unwrap_or_default();
                line(engine, row, decided)
            };
            pb::InboxReply {
                basis: Some(basis(engine, "ledger")),
                requests: rows.iter().map(line).collect(),
                next_before_sequence: next,
                online: engine.is_online(),
                demand_since_ms: since_ms - since_ms.rem_euclid(DEMAND_MS),
                offline: demands(&seen.offline),
                other_kinds: demands(&seen.other_kinds),
            }
        })
        .await
    }
}

/// The facts about these requests, from the places where they were recorded.
pub(super) async fn decisions(
    reader: &Reader,
    rows: &[HistoryRow],
) -> Result<HashMap<JobId, Decided>, ReadError> {
    let mut decided: HashMap<JobId, Decided> =
        rows.iter().map(|row| (row.job_id, Decided::default())).collect();
    let mut read_up_to = 0;
    for row in rows.iter().rev() {
        // The request's fact and the judgement were recorded together.
        if row.first_sequence < read_up_to {
            continue;
        }
        let page = reader.facts(row.first_sequence.saturating_sub(1), NEAR).await?;
        read_up_to = page.last().map_or(0, |last| last.fact.sequence);
        page.iter().for_each(|fact| learn(&mut decided, fact));
    }
    Ok(decided)
}

fn learn(decided: &mut HashMap<JobId, Decided>, fact: &Recorded) {
    let mut of = |id: &[u8], learn: &dyn Fn(&mut Decided)| {
        if let Some(known) = decided.get_mut(&JobId::of(id)) {
            learn(known);
        }
    };
    match &fact.event {
        Event::JobReceived(m) => of(&m.job_id, &|known| known.received = Some(m.clone())),
        Event::JobAccepted(m) => of(&m.job_id, &|known| known.accepted = Some(m.clone())),
        Event::JobRefused(m) => of(&m.job_id, &|known| known.refused = Some(m.clone())),
        _ => {}
    }
}

pub(super) fn line(engine: &Engine, row: &HistoryRow, decided: Decided) -> pb::InboxLine {
    let work = row.work.clone().unwrap_or_default();
    let decision = match (work.as_str(), &decided.refused) {
        (_, Some(_)) | ("refused", _) => "refused",
        ("received", _) => "waiting",
        _ => "taken",
    };
    let received = decided.received.unwrap_or_default();
    let accepted = decided.accepted.unwrap_or_default();
    let refused = decided.refused.unwrap_or_default();
    let open = engine.state().jobs.get(&row.job_id);
    pb::InboxLine {
        job_id: row.job_id.to_string(),
        native_id: row.native_id.map(|id| id.to_string()).unwrap_or_default(),
        sequence: row.first_sequence,
        received_at_ms: row.received_at_ms,
        requester: row.counterparty.map(|key| key.to_string()).unwrap_or_default(),
        kind: row.kind.unwrap_or(0),
        addressed: if received.targeted { "targeted" } else { "open" }.to_owned(),
        encrypted: received.encrypted,
        canary: engine.state().canaries.jobs.contains(&row.job_id.0),
        relay: received.relay,
        input_bytes: received.input_bytes,
        bid_msat: received.bid_msat,
        price_msat: row.price_msat,
        ttl_s: received.ttl_s,
        deadline_ms: accepted.deadline_ms,
        decision: decision.to_owned(),
        next: next_command(&refused.setting, &refused.setting_needed),
        reason: match decision {
            "refused" => refusal_name(refused.reason),
            _ => String::new(),
        },
        detail: refused.detail,
        rule: refused.rule,
        would_pay_msat: refused.would_pay_msat,
        setting: refused.setting,
        setting_now: refused.setting_now,
        setting_needed: refused.setting_needed,
        work,
        money: row.money.clone().unwrap_or_default(),
        can_decline: open.is_some_and(|job| job.work <= Work::Running),
    }
}
