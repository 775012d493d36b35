//! What happened to one job or purchase, fact by fact, and the invoice that binds its money.
use autopilot_events::{Event, Recorded};
use autopilot_projections::activity;
use autopilot_proto::control::v1::{self as pb};
use tonic::Status;

use super::{Service, activity::line, errors, story::story, views::basis};
use crate::clock;

impl Service {
    pub(super) async fn answer_job_log(&self, request: pb::JobLogRequest) -> Result<pb::JobLogReply, Status> {
        let row = self.find(&request.job).await?;
        let basis = self.look(|engine| basis(engine, "ledger")).await?;
        let story = story(self.outside.ledger.reader(), &row)
            .await
            .map_err(errors::read)?;
        Ok(pb::JobLogReply {
            basis: Some(basis),
            job_id: row.job_id.to_string(),
            role: row.role.unwrap_or_default(),
            work: row.work.unwrap_or_default(),
            money: row.money.unwrap_or_default(),
            lines: story
                .facts
                .iter()
                .map(|fact| line(activity::line(fact)))
                .collect(),
            invoice: invoice(&story.facts, clock::now_ms()),
            whole: story.whole,
        })
    }
}

/// The job's one invoice, and the facts that are bound by its payment hash.
pub(super) fn invoice(facts: &[Recorded], now_ms: i64) -> Option<pb::InvoiceLine> {
    let mut invoice: Option<pb::InvoiceLine> = None;
    for fact in facts {
        let sequence = fact.fact.sequence;
        if let Event::InvoiceIssued(m) = &fact.event {
            let run_out = now_ms >= m.expires_at_ms;
            invoice = Some(pb::InvoiceLine {
                payment_hash: hex::encode(&m.payment_hash),
                bolt11: m.bolt11.clone(),
                amount_msat: m.amount_msat,
                expires_at_ms: m.expires_at_ms,
                state: if run_out { "expired" } else { "open" }.to_owned(),
                issued_sequence: sequence,
                ..pb::InvoiceLine::default()
            });
        }
        let Some(invoice) = &mut invoice else { continue };
        match &fact.event {
            Event::WalletPaymentReceived(_) => invoice.payment_sequence = sequence,
            Event::JobSettled(_) | Event::CanarySettled(_) => invoice.settled_sequence = sequence,
            Event::JobPrepaid(_) => {}
            Event::InvoiceExpired(_) => {
                invoice.state = "expired".to_owned();
                continue;
            }
            _ => continue,
        }
        invoice.state = "paid".to_owned();
    }
    invoice
}
