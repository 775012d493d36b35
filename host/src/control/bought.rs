//! The rungs of a purchase of ours: from the request to its end, and whether and why we paid.
use autopilot_core::Engine;
use autopilot_events::{Event, Recorded, words::PublicKey};
use autopilot_proto::control::v1::{Rung, WhyReply};
use autopilot_store_sqlite::rows::HistoryRow;
use tonic::Status;

use super::{Service, errors, heads, views::basis};

const NAMES: [&str; 5] = ["requested", "offered", "chosen", "paid", "closed"];

#[derive(Default)]
struct Ladder {
    rungs: [Option<Rung>; 5],
    rejected: Option<String>,
    closed: Option<String>,
    paid: bool,
    /// Who was chosen.
    provider: Option<PublicKey>,
}

impl Service {
    /// Walks the purchase's own facts.
    pub(super) async fn why_bought(&self, row: HistoryRow) -> Result<WhyReply, Status> {
        let mut ladder = Ladder::default();
        let reader = self.outside.ledger.reader();
        let stream = format!("purchase/{}", row.job_id);
        let mut after = row.first_sequence.saturating_sub(1);
        while ladder.closed.is_none() {
            let page = reader.facts(after, 1_000).await.map_err(errors::read)?;
            let Some(last) = page.last() else { break };
            after = last.fact.sequence;
            page.iter()
                .filter(|fact| fact.fact.stream == stream)
                .for_each(|fact| ladder.climb(fact));
        }
        let mut answer = ladder.answer();
        if let Some(provider) = ladder.provider {
            let kept = move |engine: &Engine| {
                let kept = engine.state().kept_heads.get(&provider);
                kept.and_then(|kept| kept.trouble.as_ref().map(heads::trouble))
            };
            if let Some(trouble) = self.look(kept).await? {
                answer += &format!(". Of the provider: {trouble} (`autopilotctl ledger heads`)");
            }
        }
        let rungs = NAMES.iter().zip(ladder.rungs).map(|(name, rung)| Rung {
            name: (*name).to_owned(),
            ..rung.unwrap_or_default()
        });
        Ok(WhyReply {
            basis: Some(self.look(|engine| basis(engine, "ledger")).await?),
            job_id: row.job_id.to_string(),
            rungs: rungs.collect(),
            answer,
            paid: ladder.paid,
            forgotten_at_ms: self.forgotten(&stream).await?,
        })
    }
}

impl Ladder {
    fn climb(&mut self, fact: &Recorded) {
        let (rung, detail) = match &fact.event {
            Event::PurchaseRequested(m) => (0, format!("for at most {} msat", m.budget_msat)),
            // Feedback says little beside a result.
            Event::PurchaseOffered(m) if m.status == "result" || self.rungs[1].is_none() => {
                let price = m.amount_msat.map(|msat| format!(", {msat} msat"));
                let provider = hex::encode(&m.provider);
                (
                    1,
                    format!("{} by {provider}{}", m.status, price.unwrap_or_default()),
                )
            }
            Event::PurchaseRejected(m) => {
                self.rejected = Some(m.reason.clone());
                return;
            }
            Event::PurchaseWon(m) => {
                self.provider = Some(PublicKey::of(&m.provider));
                (
                    2,
                    format!("{} msat to {}", m.amount_msat, hex::encode(&m.provider)),
                )
            }
            Event::PurchasePaid(m) => {
                self.paid = true;
                (3, format!("{} msat, routing {} msat", m.amount_msat, m.fee_msat))
            }
            Event::PurchaseClosed(m) => {
                self.closed = Some(m.reason.clone());
                (4, m.reason.clone())
            }
            _ => return,
        };
        self.rungs[rung] = Some(Rung {
            name: String::new(),
            reached: true,
            sequence: Some(fact.fact.sequence),
            at_ms: Some(fact.fact.recorded_at_ms),
            detail,
        });
    }

    fn answer(&self) -> String {
        let rejected = self
            .rejected
            .as_ref()
            .map(|why| format!("; an answer was rejected: {why}"));
        let rejected = rejected.unwrap_or_default();
        match (self.paid, &self.closed) {
            (true, Some(reason)) if reason == "paid" => {
                "bought: the answer is here, and it is paid".to_owned()
            }
            (true, Some(reason)) => format!("paid, and closed: {reason}{rejected}"),
            (true, None) => format!("paid; the purchase is not over yet{rejected}"),
            (false, Some(reason)) => format!("nothing was paid: {reason}{rejected}"),
            (false, None) => format!("nothing is paid yet: the purchase is not over{rejected}"),
        }
    }
}
