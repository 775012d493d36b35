//! Requests that were not taken: each with its text, so that a false refusal is seen; and what they sum up to.
use std::collections::BTreeMap;

use autopilot_core::{diagnosis::next_command, input::Command, ports::market::MarketItem};
use autopilot_events::{Event, pb as facts};
use autopilot_projections::{
    missed::{Demand, Group, Span},
    rows::{Role, refusal_name},
};
use autopilot_proto::control::v1::{self as pb};
use autopilot_store_sqlite::rows::{HistoryQuery, HistoryRow};
use tonic::Status;

use super::{Service, errors, views::basis};

/// Refusals on a page at most.
const MAX_PAGE: usize = 200;
/// Rows of history looked through for one page; a page may end before it is full, and says where.
const SEARCH: u32 = 500;

impl Service {
    pub(super) async fn answer_refusals(
        &self,
        request: pb::RefusalsRequest,
    ) -> Result<pb::RefusalsReply, Status> {
        let limit = match request.limit {
            0 => 50,
            limit => (limit as usize).min(MAX_PAGE),
        };
        let query = HistoryQuery {
            role: Some(Role::Provider),
            work: Some("refused".to_owned()),
            before: (request.before_sequence > 0).then_some(request.before_sequence),
            limit: SEARCH,
            ..HistoryQuery::default()
        };
        let reader = self.outside.ledger.reader();
        let (rows, _) = reader.history(&query).await.map_err(errors::read)?;
        let mut next = rows
            .last()
            .filter(|_| rows.len() as u32 == SEARCH)
            .map_or(0, |row| row.first_sequence);
        let mut refusals = Vec::new();
        for row in &rows {
            if refusals.len() == limit {
                next = refusals.last().map_or(0, |line: &pb::RefusalLine| line.sequence);
                break;
            }
            let named = row.reason.as_deref().unwrap_or_default();
            if !request.reason.is_empty() && !named.starts_with(&format!("{}:", request.reason)) {
                continue;
            }
            let Some((received, refused)) = self.refusal(row).await? else {
                continue;
            };
            if request.rule.is_empty() || refused.rule == request.rule {
                refusals.push(self.refusal_line(row, received, refused).await?);
            }
        }
        let (basis, rules) = self
            .look(|engine| {
                let rules = engine
                    .state()
                    .missed
                    .rules
                    .iter()
                    .map(|(rule, count)| pb::RuleLine {
                        rule: rule.clone(),
                        refused: count.refused,
                        wrong: count.wrong,
                    });
                (basis(engine, "ledger"), rules.collect())
            })
            .await?;
        Ok(pb::RefusalsReply {
            basis: Some(basis),
            refusals,
            next_before_sequence: next,
            rules,
        })
    }

    /// Both facts of a refusal: mostly one decision's, one after the other; inputs that lie elsewhere are judged later.
    pub(super) async fn refusal(
        &self,
        row: &HistoryRow,
    ) -> Result<Option<(facts::JobReceived, facts::JobRefused)>, Status> {
        if row.work.as_deref() != Some("refused") {
            return Ok(None);
        }
        let reader = self.outside.ledger.reader();
        let (mut after, mut limit) = (row.first_sequence.saturating_sub(1), 2);
        let mut received = None;
        loop {
            let page = reader.facts(after, limit).await.map_err(errors::read)?;
            let Some(last) = page.last() else {
                return Ok(None);
            };
            (after, limit) = (last.fact.sequence, 1_000);
            for fact in page {
                match fact.event {
                    Event::JobReceived(m) if m.job_id == row.job_id.0 => received = Some(m),
                    Event::JobRefused(m) if m.job_id == row.job_id.0 => return Ok(received.zip(Some(m))),
                    _ => {}
                }
            }
        }
    }

    async fn refusal_line(
        &self,
        row: &HistoryRow,
        received: facts::JobReceived,
        refused: facts::JobRefused,
    ) -> Result<pb::RefusalLine, Status> {
        let id = row.job_id;
        let text = match self.outside.stored(&received.request.unwrap_or_default()).await {
            Ok(MarketItem::Request(request)) => request.input,
            _ => String::new(),
        };
        Ok(pb::RefusalLine {
            job_id: id.to_string(),
            sequence: row.first_sequence,
            at_ms: row.received_at_ms,
            requester: hex::encode(&received.requester),
            kind: received.kind,
            bid_msat: received.bid_msat,
            reason: refusal_name(refused.reason),
            detail: refused.detail,
            rule: refused.rule,
            policy_digest: hex::encode(&refused.policy_digest),
            would_pay_msat: refused.would_pay_msat,
            setting: refused.setting,
            setting_now: refused.setting_now,
            setting_needed: refused.setting_needed,
            text,
            forgotten_at_ms: self.forgotten(&format!("job/{id}")).await?,
            marked_wrong: self
                .look(move |engine| engine.state().missed.marked_wrong(&id))
                .await?,
        })
    }

    pub(super) async fn answer_mark_refusal(
        &self,
        request: pb::MarkRefusalRequest,
    ) -> Result<pb::MarkRefusalReply, Status> {
        let row = self.find(&request.job).await?;
        let Some((_, refused)) = self.refusal(&row).await? else {
            return Err(errors::invalid(
                "that job was not refused: see `autopilotctl refusals`",
            ));
        };
        let rule = match refused.rule.as_str() {
            "" => refusal_name(refused.reason),
            rule => rule.to_owned(),
        };
        let note: String = request.note.chars().take(500).collect();
        self.command(Command::MarkRefusal(facts::RefusalMarked {
            job_id: row.job_id.to_vec(),
            wrong: request.wrong,
            rule: rule.clone(),
            note,
        }))
        .await?;
        let id = row.job_id;
        self.look(move |engine| {
            let count = engine
                .state()
                .missed
                .rules
                .get(&rule)
                .copied()
                .unwrap_or_default();
            pb::MarkRefusalReply {
                basis: Some(basis(engine, "ledger")),
                job_id: id.to_string(),
                rule: Some(pb::RuleLine {
                    rule,
                    refused: count.refused,
                    wrong: count.wrong,
                }),
            }
        })
        .await
    }

    pub(super) async fn answer_missed(&self, request: pb::MissedRequest) -> Result<pb::MissedReply, Status> {
        self.look(move |engine| {
            let missed = &engine.state().missed;
            let span = match request.since_ms {
                ..=0 => missed.total.clone(),
                since => missed.since(since),
            };
            sums(&span, basis(engine, "ledger"), request.since_ms.max(0))
        })
        .await
    }
}

fn sums(span: &Span, basis: pb::Basis, since_ms: i64) -> pb::MissedReply {
    let mut missed: Vec<pb::MissedLine> = span.groups.values().map(line).collect();
    missed.sort_by_key(|line| std::cmp::Reverse((line.msat, line.jobs)));
    pb::MissedReply {
        basis: Some(basis),
        since_ms,
        received: span.received,
        taken: span.taken,
        beyond_budget: span.beyond_budget,
        missed,
        offline: demands(&span.offline),
        other_kinds: demands(&span.other_kinds),
    }
}

/// Demand that could not be claimed, kind by kind.
pub(super) fn demands(kinds: &BTreeMap<u32, Demand>) -> Vec<pb::DemandLine> {
    let line = |(kind, demand): (&u32, &Demand)| pb::DemandLine {
        kind: *kind,
        jobs: demand.jobs,
        targeted: demand.targeted,
        elsewhere: demand.elsewhere,
        bids: demand.bids,
        bids_msat: demand.bids_msat,
        highest_bid_msat: demand.highest_bid_msat,
    };
    kinds.iter().map(line).collect()
}

fn line(group: &Group) -> pb::MissedLine {
    pb::MissedLine {
        reason: group.reason.clone(),
        jobs: group.jobs,
        msat: group.msat,
        setting: group.setting.clone(),
        setting_now: group.now.clone(),
        setting_needed: group.needed.clone(),
        next: next_command(&group.setting, &group.needed),
    }
}
