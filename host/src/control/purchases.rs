//! Own requests: how far each is, who won and why that one, and what was paid for how much of an answer.
use autopilot_events::{Event, Recorded, pb as facts};
use autopilot_projections::rows::Role;
use autopilot_proto::control::v1::{self as pb};
use autopilot_store_sqlite::rows::{HistoryQuery, HistoryRow};
use tonic::Status;

use super::{Service, errors, story::story, views::basis};

/// Requests on a page at most.
const MAX_PAGE: u32 = 100;

impl Service {
    pub(super) async fn answer_purchases(
        &self,
        request: pb::PurchasesRequest,
    ) -> Result<pb::PurchasesReply, Status> {
        let limit = match request.limit {
            0 => 30,
            limit => limit.min(MAX_PAGE),
        };
        let query = HistoryQuery {
            role: Some(Role::Buyer),
            before: (request.before_sequence > 0).then_some(request.before_sequence),
            limit,
            ..HistoryQuery::default()
        };
        let basis = self.look(|engine| basis(engine, "ledger")).await?;
        let reader = self.outside.ledger.reader();
        let (rows, _) = reader.history(&query).await.map_err(errors::read)?;
        let full = rows.len() as u32 == limit;
        let next = rows.last().filter(|_| full).map_or(0, |row| row.first_sequence);
        let mut purchases = Vec::new();
        for row in &rows {
            let story = story(reader, row).await.map_err(errors::read)?;
            purchases.push(told(row, &story.facts));
        }
        Ok(pb::PurchasesReply {
            basis: Some(basis),
            purchases,
            next_before_sequence: next,
        })
    }
}

/// One request by its facts.
fn told(row: &HistoryRow, facts: &[Recorded]) -> pb::PurchaseLine {
    let mut line = pb::PurchaseLine {
        purchase_id: row.job_id.to_string(),
        native_id: row.native_id.map(|id| id.to_string()).unwrap_or_default(),
        sequence: row.first_sequence,
        requested_at_ms: row.received_at_ms,
        kind: row.kind.unwrap_or(0),
        state: "requested".to_owned(),
        ..pb::PurchaseLine::default()
    };
    facts.iter().for_each(|fact| learn(&mut line, fact));
    line
}

fn learn(line: &mut pb::PurchaseLine, fact: &Recorded) {
    match &fact.event {
        Event::PurchaseRequested(m) => {
            line.provider = hex::encode(&m.provider);
            line.budget_msat = m.budget_msat;
            line.fee_ceiling_msat = m.fee_ceiling_msat;
            line.deadline_ms = m.deadline_ms;
            line.how = if m.choose_at_ms > 0 { "windowed" } else { "race" }.to_owned();
            line.buy_mode = !m.buy_mode_id.is_empty();
        }
        Event::PurchaseOffered(m) => offered(line, m, fact),
        Event::PurchaseRejected(m) => rejected(line, m, fact),
        Event::PurchaseWon(m) => won(line, m),
        Event::PurchasePaid(m) => {
            line.state = "paid".to_owned();
            line.paid_msat = Some(m.amount_msat);
            line.fee_msat = Some(m.fee_msat);
            line.paid_at_ms = Some(fact.fact.recorded_at_ms);
        }
        Event::PurchaseClosed(m) => {
            line.state = "closed".to_owned();
            line.reason.clone_from(&m.reason);
            line.over = true;
        }
        _ => {}
    }
}

fn offered(line: &mut pb::PurchaseLine, m: &facts::PurchaseOffered, fact: &Recorded) {
    let provider = hex::encode(&m.provider);
    if line.state == "requested" {
        line.state = "answered".to_owned();
    }
    // The winner's result may come after its price was agreed.
    if m.status == "result" && line.winner == provider {
        line.result_bytes = m.result.as_ref().map_or(0, |result| result.size);
    }
    line.offers.push(pb::OfferLine {
        provider,
        event_id: hex::encode(&m.event_id),
        status: m.status.clone(),
        amount_msat: m.amount_msat,
        verdict: if m.candidate { "waiting" } else { "offered" }.to_owned(),
        reason: String::new(),
        sequence: fact.fact.sequence,
        at_ms: fact.fact.recorded_at_ms,
        result_bytes: m.result.as_ref().map_or(0, |result| result.size),
    });
}

fn rejected(line: &mut pb::PurchaseLine, m: &facts::PurchaseRejected, fact: &Recorded) {
    let event_id = hex::encode(&m.event_id);
    let verdict = match m.reason.as_str() {
        "lost-race" | "late-result-unpaid" => "lost",
        _ => "rejected",
    };
    if let Some(offer) = line.offers.iter_mut().find(|offer| offer.event_id == event_id) {
        verdict.clone_into(&mut offer.verdict);
        offer.reason.clone_from(&m.reason);
        return;
    }
    line.offers.push(pb::OfferLine {
        provider: hex::encode(&m.provider),
        event_id,
        verdict: verdict.to_owned(),
        reason: m.reason.clone(),
        sequence: fact.fact.sequence,
        at_ms: fact.fact.recorded_at_ms,
        ..pb::OfferLine::default()
    });
}

fn won(line: &mut pb::PurchaseLine, m: &facts::PurchaseWon) {
    let event_id = hex::encode(&m.event_id);
    line.state = "chosen".to_owned();
    line.winner = hex::encode(&m.provider);
    line.payment_hash = hex::encode(&m.payment_hash);
    line.amount_msat = Some(m.amount_msat);
    let candidates = line
        .offers
        .iter()
        .filter(|offer| offer.verdict == "waiting")
        .count();
    line.why_won = match (line.how.as_str(), line.provider.is_empty(), candidates) {
        (_, false, _) => "it was the one that was asked".to_owned(),
        ("windowed", true, 2..) => {
            format!("it asked the least of {candidates} valid answers, or came first of equals")
        }
        ("windowed", true, _) => "its answer was the only valid one when the time to choose came".to_owned(),
        _ => "its valid answer came first".to_owned(),
    };
    for offer in &mut line.offers {
        if offer.event_id == event_id {
            offer.verdict = "won".to_owned();
            line.result_bytes = offer.result_bytes;
        } else if offer.verdict == "waiting" {
            offer.verdict = "lost".to_owned();
            offer.reason = "another one was chosen".to_owned();
        }
    }
}

#[cfg(test)]
mod tests {
    use autopilot_events::{Draft, Head, envelope::seal};

    use super::*;

    fn line(events: Vec<Event>) -> pb::PurchaseLine {
        let mut head = Head::empty();
        let mut line = pb::PurchaseLine::default();
        for event in events {
            let draft = Draft {
                event,
                stream: "purchase/1".to_owned(),
                source: facts::Source::Relay,
                idempotency_key: String::new(),
                correlation: Vec::new(),
            };
            let fact = seal(&head, 1, draft, 0, 5);
            head = fact.head();
            learn(&mut line, &fact);
        }
        line
    }

    fn offer(n: u8, msat: u64) -> Event {
        let result = facts::BodyRef {
            size: 300,
            ..facts::BodyRef::default()
        };
        facts::PurchaseOffered {
            provider: vec![n; 32],
            event_id: vec![n; 32],
            status: "result".to_owned(),
            amount_msat: Some(msat),
            candidate: true,
            result: Some(result),
            ..facts::PurchaseOffered::default()
        }
        .into()
    }

    #[test]
    fn the_cheapest_of_a_window_wins_and_the_page_says_so() {
        let requested = facts::PurchaseRequested {
            budget_msat: 9_000,
            choose_at_ms: 7,
            ..facts::PurchaseRequested::default()
        };
        let won = facts::PurchaseWon {
            provider: vec![2; 32],
            event_id: vec![2; 32],
            payment_hash: vec![9; 32],
            amount_msat: 3_000,
            ..facts::PurchaseWon::default()
        };
        let paid = facts::PurchasePaid {
            amount_msat: 3_000,
            fee_msat: 12,
            ..facts::PurchasePaid::default()
        };
        let closed = facts::PurchaseClosed {
            reason: "paid".to_owned(),
            ..facts::PurchaseClosed::default()
        };
        let line = line(vec![
            requested.into(),
            offer(1, 5_000),
            offer(2, 3_000),
            won.into(),
            paid.into(),
            closed.into(),
        ]);
        let verdicts: Vec<&str> = line.offers.iter().map(|offer| offer.verdict.as_str()).collect();
        assert_eq!(verdicts, ["lost", "won"]);
        assert_eq!(
            (line.state.as_str(), line.over, line.reason.as_str()),
            ("closed", true, "paid")
        );
        assert_eq!(
            (line.paid_msat, line.fee_msat, line.result_bytes),
            (Some(3_000), Some(12), 300)
        );
        assert!(line.why_won.contains("least of 2"), "{}", line.why_won);
    }
}
