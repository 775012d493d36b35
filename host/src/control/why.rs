//! "Why wasn't I paid?": the rungs from request to reconciled, the first that is missing, in plain words.
use autopilot_core::diagnosis::next_command;
use autopilot_events::{Event, pb as facts, words::JobId};
use autopilot_projections::rows::refusal_name;
use autopilot_proto::control::v1::{Rung, WhyReply, WhyRequest};
use autopilot_store_sqlite::rows::{HistoryQuery, HistoryRow};
use tonic::Status;

use super::{Service, errors, views::basis};

/// Rows looked through for a prefix.
const SEARCH: u32 = 500;

impl Service {
    pub(super) async fn answer_why(&self, request: WhyRequest) -> Result<WhyReply, Status> {
        let row = self.find(&request.job).await?;
        if row.role.as_deref() == Some("buyer") {
            return self.why_bought(row).await;
        }
        let mut ladder = Ladder::default();
        let reader = self.outside.ledger.reader();
        let stream = format!("job/{}", row.job_id);
        let mut after = row.first_sequence.saturating_sub(1);
        // A job's facts lie close together: the walk ends with its last rung or with the ledger.
        loop {
            let page = reader.facts(after, 1_000).await.map_err(errors::read)?;
            let Some(last) = page.last() else { break };
            after = last.fact.sequence;
            page.iter()
                .filter(|fact| fact.fact.stream == stream)
                .for_each(|fact| ladder.climb(fact));
            if ladder.paid || ladder.refused {
                break;
            }
        }
        let difference = self
            .look(|engine| engine.state().wallet.reconciled.map(|r| r.difference_msat))
            .await?;
        let basis = self.look(|engine| basis(engine, "ledger")).await?;
        let answer = ladder.answer(difference);
        Ok(WhyReply {
            basis: Some(basis),
            job_id: row.job_id.to_string(),
            paid: ladder.paid,
            rungs: ladder.rungs.into_iter().collect(),
            answer,
            forgotten_at_ms: self.forgotten(&format!("job/{}", row.job_id)).await?,
        })
    }

    /// By job id, market id, or a prefix of either that fits one job only.
    pub(super) async fn find(&self, text: &str) -> Result<HistoryRow, Status> {
        let text = text.to_lowercase();
        let text = text.as_str();
        let reader = self.outside.ledger.reader();
        if let Ok(id) = text.parse::<JobId>()
            && let Some(row) = reader.history_one(&id).await.map_err(errors::read)?
        {
            return Ok(row);
        }
        if text.len() < 8 || !text.chars().all(|c| c.is_ascii_hexdigit()) {
            return Err(errors::invalid("name the job by at least 8 digits of its id"));
        }
        let mut found: Vec<HistoryRow> = Vec::new();
        let mut before = None;
        loop {
            let query = HistoryQuery {
                before,
                limit: SEARCH,
                ..HistoryQuery::default()
            };
            let (rows, _) = reader.history(&query).await.map_err(errors::read)?;
            before = rows.last().map(|row| row.first_sequence);
            let full = rows.len() as u32 == SEARCH;
            found.extend(rows.into_iter().filter(|row| {
                row.job_id.to_string().starts_with(text)
                    || row.native_id.is_some_and(|id| id.to_string().starts_with(text))
            }));
            if !full || found.len() > 1 {
                break;
            }
        }
        match found.len() {
            0 => Err(errors::not_found(
                "there is no such job; see `autopilotctl history`",
            )),
            1 => found
                .pop()
                .ok_or_else(|| errors::not_found("there is no such job")),
            _ => Err(errors::invalid(
                "that prefix fits more than one job: give more digits",
            )),
        }
    }
}

const NAMES: [&str; 7] = [
    "request",
    "accepted",
    "result",
    "delivered",
    "invoice",
    "settled",
    "success",
];

struct Ladder {
    rungs: [Rung; 7],
    paid: bool,
    prepaid: bool,
    refund: Option<String>,
    ended: Option<String>,
    refused: bool,
}

/// Why a job was not taken, by which rule of which policy, what it would have paid and what would have taken it.
fn refused(m: &facts::JobRefused) -> String {
    let rule = match m.rule.as_str() {
        "" => String::new(),
        rule => format!(", rule {rule}"),
    };
    let policy: String = hex::encode(&m.policy_digest).chars().take(12).collect();
    let setting = match m.setting.as_str() {
        "" => "no setting would have taken it".to_owned(),
        setting => {
            let next = next_command(setting, &m.setting_needed);
            format!(
                "{setting} {} → {} would have taken it (`{next}`)",
                m.setting_now, m.setting_needed
            )
        }
    };
    format!(
        "it was refused ({}{rule}; policy {policy}): {}. It would have paid {} msat; {setting}",
        refusal_name(m.reason),
        m.detail,
        m.would_pay_msat
    )
}

impl Default for Ladder {
    fn default() -> Self {
        let rungs = NAMES.map(|name| Rung {
            name: name.to_owned(),
            ..Rung::default()
        });
        Ladder {
            rungs,
            paid: false,
            prepaid: false,
            refund: None,
            ended: None,
            refused: false,
        }
    }
}

impl Ladder {
    fn climb(&mut self, fact: &autopilot_events::Recorded) {
        let (rung, detail) = match &fact.event {
            Event::JobReceived(m) => (0, format!("from {} by {}", hex::encode(&m.requester), m.relay)),
            Event::JobAccepted(m) => (1, format!("for {} msat", m.price_msat)),
            Event::JobExecuted(m) => (
                2,
                m.receipt
                    .as_ref()
                    .map(|r| format!("{} tokens", r.output_tokens))
                    .unwrap_or_default(),
            ),
            Event::JobDelivered(m) => (
                3,
                format!(
                    "{} of {} relays took it at once",
                    m.relays_accepted, m.relays_tried
                ),
            ),
            Event::InvoiceIssued(m) => (
                4,
                format!(
                    "{} msat, payment hash {}",
                    m.amount_msat,
                    hex::encode(&m.payment_hash)
                ),
            ),
            Event::JobPrepaid(_) => {
                self.prepaid = true;
                return;
            }
            Event::JobRefunded(m) => {
                self.refund = Some(format!("{} msat were paid back", m.amount_msat));
                return;
            }
            Event::JobRefundFailed(m) => {
                self.refund = Some(format!(
                    "still owed, paying it back failed ({}): see `autopilotctl debts`",
                    m.reason
                ));
                return;
            }
            Event::JobSettled(m) => (5, format!("{} msat by the wallet", m.amount_msat)),
            Event::CanarySettled(m) => (
                5,
                format!("{} msat by the wallet: a canary, no earning", m.amount_msat),
            ),
            Event::EventPublished(m) if m.purpose == facts::Purpose::Success as i32 => (6, String::new()),
            Event::JobRefused(m) => {
                self.ended = Some(refused(m));
                self.refused = true;
                return;
            }
            Event::JobFailed(m) => {
                self.ended = Some(format!("it failed ({}): {}", m.code, m.detail));
                return;
            }
            Event::InvoiceExpired(_) => {
                self.ended =
                    Some("its invoice ran out unpaid: the buyer got the result and did not pay".to_owned());
                return;
            }
            _ => return,
        };
        self.paid |= rung == 5;
        self.rungs[rung] = Rung {
            name: NAMES[rung].to_owned(),
            reached: true,
            sequence: Some(fact.fact.sequence),
            at_ms: Some(fact.fact.recorded_at_ms),
            detail,
        };
    }

    fn answer(&self, difference_msat: Option<i64>) -> String {
        if self.paid {
            return match difference_msat {
                Some(0) | None => "it was paid, and wallet and ledger agree".to_owned(),
                Some(other) => format!(
                    "it was paid; wallet and ledger differ by {other} msat in all, see `autopilotctl wallet balance`"
                ),
            };
        }
        if let Some(ended) = &self.ended {
            return match self.prepaid {
                true => {
                    let back = self
                        .refund
                        .as_deref()
                        .unwrap_or("owed back, see `autopilotctl debts`");
                    format!("not earned: the buyer paid first, and then {ended}; {back}")
                }
                false => format!("not paid: {ended}"),
            };
        }
        let missing = self
            .rungs
            .iter()
            .find(|rung| !rung.reached)
            .map_or("success", |rung| rung.name.as_str());
        match missing {
            "accepted" => "not paid yet: it is not judged".to_owned(),
            "result" => "not paid yet: the model has not finished".to_owned(),
            "delivered" | "invoice" => "not paid yet: the result is on its way to the relays".to_owned(),
            _ => "not paid yet: result and invoice are with the buyer, and the wallet has seen no payment with its hash".to_owned(),
        }
    }
}
