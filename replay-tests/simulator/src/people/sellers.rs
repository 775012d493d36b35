//! Strangers who answer requests of ours, and their invoices.
use autopilot_core::input::{Answer, AnswerKind, Bill};
use autopilot_events::{
    Event,
    words::{EventId, JobId, Msat, PaymentHash, PublicKey},
};

use crate::world::{Happening, Wire, World};

impl World {
    /// Strangers answer a request of ours: some well, some late, some with what was used before.
    pub(super) fn sellers_answer(&mut self, purchase: JobId) {
        let Some(Event::PurchaseRequested(terms)) = self.asked(&purchase) else {
            return;
        };
        for _ in 0..self.chance.below(4) {
            let provider = PublicKey(self.chance.id());
            let kind = match self.chance.below(10) {
                0 => AnswerKind::PaymentRequired,
                1 => AnswerKind::Status("processing".to_owned()),
                2 => AnswerKind::Result(Err("it is empty".to_owned())),
                _ => AnswerKind::Result(Ok(())),
            };
            let bill = self.bill(terms.budget_msat);
            let answer = Answer {
                purchase,
                provider,
                event_id: EventId(self.chance.id()),
                kind: kind.clone(),
                invoice: Some(Ok(bill.clone())),
                body: self.body(format!("purchase/{purchase}")),
            };
            let wait_ms = self.chance.between(300, 50_000);
            self.later(
                wait_ms,
                Happening::Arrives(Wire::Answer(Box::new(answer.clone()))),
            );
            if self.fault(25) {
                let wait_ms = self.chance.between(300, 90_000);
                self.later(
                    wait_ms,
                    Happening::Arrives(Wire::Answer(Box::new(answer.clone()))),
                );
            }
            if kind == AnswerKind::PaymentRequired {
                let result = Answer {
                    event_id: EventId(self.chance.id()),
                    kind: AnswerKind::Result(Ok(())),
                    ..answer
                };
                let wait_ms = wait_ms + self.chance.between(2_000, 60_000);
                self.later(wait_ms, Happening::Arrives(Wire::Answer(Box::new(result))));
            }
        }
    }

    fn asked(&self, purchase: &JobId) -> Option<Event> {
        let asks =
            |event: &Event| matches!(event, Event::PurchaseRequested(m) if m.purchase_id == purchase.0);
        self.disk
            .facts()
            .iter()
            .map(|fact| &fact.event)
            .find(|event| asks(event))
            .cloned()
    }

    /// An invoice of a stranger's, at times one that it handed out before.
    pub(super) fn bill(&mut self, budget_msat: u64) -> Bill {
        let known: Vec<String> = self.wallet.bills.keys().cloned().collect();
        let reused = self
            .fault(15)
            .then(|| self.chance.pick(&known).cloned())
            .flatten();
        let asked_msat = budget_msat / 2 + self.chance.below(budget_msat / 2 + budget_msat / 8);
        let bolt11 = reused.unwrap_or_else(|| self.asks_for(asked_msat));
        self.as_read(bolt11)
    }

    /// A fresh invoice of a stranger's.
    pub(super) fn asks_for(&mut self, msat: u64) -> String {
        let network = if self.fault(4) { "lnbc" } else { "lnbcrt" };
        let bolt11 = format!("{network}-{}", hex::encode(self.chance.short_id()));
        let lasts_s = if self.fault(10) { 20 } else { 3_600 };
        let bill = (PaymentHash(self.chance.id()), msat, self.now_s() + lasts_s);
        self.wallet.bills.insert(bolt11.clone(), bill);
        bolt11
    }

    pub(super) fn as_read(&self, bolt11: String) -> Bill {
        let (payment_hash, msat, expires_at_s) = self.wallet.bills.get(&bolt11).copied().unwrap_or_default();
        let network = if bolt11.starts_with("lnbcrt-") {
            "regtest"
        } else {
            "bitcoin"
        };
        Bill {
            bolt11,
            payment_hash,
            amount: Some(Msat(msat)),
            payee: vec![2; 33],
            network: network.to_owned(),
            expires_at_ms: i64::try_from(expires_at_s * 1_000).unwrap_or(i64::MAX),
        }
    }
}
