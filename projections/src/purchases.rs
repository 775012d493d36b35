//! Jobs that we buy and that are not over.
use std::collections::BTreeMap;

use autopilot_events::{
    Event, Recorded, pb,
    words::{EventId, JobId, PaymentHash, PublicKey},
};
use serde::{Deserialize, Serialize};

use crate::Projection;

/// Who won a purchase, and what it costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Winner {
    /// The provider.
    pub provider: PublicKey,
    /// Binds our payment to this purchase.
    pub payment_hash: PaymentHash,
    /// Within the approved budget.
    pub amount_msat: u64,
    /// The wallet says that it is paid.
    pub paid: bool,
    /// The result is here.
    pub delivered: bool,
    /// Which one it is.
    pub result: Option<EventId>,
    /// Our word that it is paid was signed.
    pub receipted: bool,
}

impl Winner {
    /// The result that a receipt is owed for.
    pub fn owed_receipt(&self) -> Option<EventId> {
        self.result.filter(|_| self.paid && !self.receipted)
    }
}

/// A result that will not be paid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Loser {
    /// `lost-race` or `late-result-unpaid`.
    pub reason: String,
    /// The signed result.
    pub result: pb::BodyRef,
}

/// A valid offer that waits for the choice of a windowed purchase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Number of its fact: which of two came first.
    pub sequence: u64,
    /// Who offers.
    pub provider: PublicKey,
    /// Binds the payment, if it is chosen.
    pub payment_hash: PaymentHash,
    /// What it asks, within the approved ceiling.
    pub amount_msat: u64,
    /// The invoice.
    pub bolt11: String,
    /// Whom it pays, 33 bytes.
    pub payee: Vec<u8>,
    /// When the invoice runs out.
    pub expires_at_ms: i64,
    /// The signed result; none for an offer to be paid first.
    pub result: Option<pb::BodyRef>,
}

/// A purchase that is not over, or was over a short while ago.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Purchase {
    /// Our request's id at the market.
    pub native_id: EventId,
    /// The approved ceilings and the deadline.
    pub terms: pb::PurchaseRequested,
    /// The provider that is paid, once there is one. One only.
    pub winner: Option<Winner>,
    /// Windowed: what there is to choose from, by event.
    pub candidates: BTreeMap<EventId, Candidate>,
    /// Valid results that came too late, whose providers are still to be told.
    pub losers: BTreeMap<EventId, Loser>,
    /// Answers recorded; further ones beyond [`MAX_OFFERS`] are not.
    pub offers: u32,
}

/// The most answers that are recorded for one purchase: keys are free.
pub const MAX_OFFERS: u32 = 64;

/// How long after its deadline a purchase's late results are still answered, in milliseconds.
const LATE_MS: i64 = 10 * 60_000;

/// The purchases view.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Purchases {
    open: BTreeMap<JobId, Purchase>,
    /// Over, and late results may still come.
    recent: BTreeMap<JobId, Purchase>,
    /// Purchases paid, over the whole life of the ledger.
    pub paid_count: u64,
    /// Spent on them, fees apart.
    pub paid_msat: u64,
    /// Closed without a payment.
    pub unpaid_count: u64,
}

impl Purchases {
    /// Purchases that are not over, by id.
    pub fn open(&self) -> impl Iterator<Item = (&JobId, &Purchase)> {
        self.open.iter()
    }

    /// One of them.
    pub fn get(&self, id: &JobId) -> Option<&Purchase> {
        self.open.get(id)
    }

    /// One that is over, as long as late results are answered.
    pub fn recent(&self, id: &JobId) -> Option<&Purchase> {
        self.recent.get(id)
    }

    /// All that answers may come for: open ones and recent ones.
    pub fn listened(&self) -> impl Iterator<Item = (&JobId, &Purchase)> {
        self.open.iter().chain(&self.recent)
    }

    /// Whether an invoice with this hash won a purchase that is open or was so lately: it is no other one's to pay.
    pub fn was_won(&self, hash: &PaymentHash) -> bool {
        let mut winners = self
            .listened()
            .filter_map(|(_, purchase)| purchase.winner.as_ref());
        winners.any(|winner| winner.payment_hash == *hash)
    }

    /// Whether an invoice with this hash waits for a choice.
    pub fn is_candidate(&self, hash: &PaymentHash) -> bool {
        let mut candidates = self
            .open
            .values()
            .flat_map(|purchase| purchase.candidates.values());
        candidates.any(|candidate| candidate.payment_hash == *hash)
    }

    fn offered(&mut self, m: &pb::PurchaseOffered, sequence: u64) {
        let provider = PublicKey::of(&m.provider);
        let Some(purchase) = self.open.get_mut(&JobId::of(&m.purchase_id)) else {
            return;
        };
        purchase.offers += 1;
        let result = m.status == "result";
        if m.candidate {
            let candidate = Candidate {
                sequence,
                provider,
                payment_hash: PaymentHash::of(&m.payment_hash),
                amount_msat: m.amount_msat.unwrap_or_default(),
                bolt11: m.bolt11.clone(),
                payee: m.payee.clone(),
                expires_at_ms: m.expires_at_ms,
                result: m.result.clone().filter(|_| result),
            };
            purchase.candidates.insert(EventId::of(&m.event_id), candidate);
        } else if result
            && let Some(winner) = &mut purchase.winner
            && winner.provider == provider
            && !winner.delivered
        {
            winner.delivered = true;
            winner.result = Some(EventId::of(&m.event_id));
        }
    }

    fn won(&mut self, m: &pb::PurchaseWon) {
        let Some(purchase) = self.open.get_mut(&JobId::of(&m.purchase_id)) else {
            return;
        };
        let event = EventId::of(&m.event_id);
        let chosen = std::mem::take(&mut purchase.candidates).remove(&event);
        let result = chosen.and_then(|candidate| candidate.result).map(|_| event);
        purchase.winner = Some(Winner {
            provider: PublicKey::of(&m.provider),
            payment_hash: PaymentHash::of(&m.payment_hash),
            amount_msat: m.amount_msat,
            paid: false,
            delivered: result.is_some(),
            result,
            receipted: false,
        });
    }

    fn any_mut(&mut self, id: &[u8]) -> Option<&mut Purchase> {
        let id = JobId::of(id);
        self.open.get_mut(&id).or_else(|| self.recent.get_mut(&id))
    }

    /// The purchase that a payment belongs to.
    pub fn by_payment_hash(&self, hash: &PaymentHash) -> Option<(&JobId, &Purchase)> {
        self.open
            .iter()
            .find(|(_, p)| p.winner.as_ref().is_some_and(|w| w.payment_hash == *hash))
    }

    fn winner(&mut self, id: &[u8], change: impl FnOnce(&mut Winner)) {
        let winner = self
            .open
            .get_mut(&JobId::of(id))
            .and_then(|purchase| purchase.winner.as_mut());
        if let Some(winner) = winner {
            change(winner);
        }
    }
}

impl Projection for Purchases {
    const NAME: &'static str = "purchases";
    const VERSION: u32 = 3;

    fn apply(&mut self, fact: &Recorded) {
        match &fact.event {
            Event::PurchaseRequested(m) => {
                let native_id = EventId::of(&m.native_id);
                let purchase = Purchase {
                    native_id,
                    terms: m.clone(),
                    winner: None,
                    candidates: BTreeMap::new(),
                    losers: BTreeMap::new(),
                    offers: 0,
                };
                self.open.insert(JobId::of(&m.purchase_id), purchase);
            }
            Event::PurchaseOffered(m) => self.offered(m, fact.fact.sequence),
            Event::PurchaseRejected(m) => {
                if let Some(purchase) = self.any_mut(&m.purchase_id) {
                    purchase.offers += 1;
                    if let Some(result) = m.result.clone() {
                        let loser = Loser {
                            reason: m.reason.clone(),
                            result,
                        };
                        purchase.losers.insert(EventId::of(&m.event_id), loser);
                    }
                }
            }
            Event::EventSigned(m) if !m.about.is_empty() => {
                if let Some(purchase) = self.any_mut(&m.job_id) {
                    purchase.losers.remove(&EventId::of(&m.about));
                }
            }
            Event::EventSigned(m) if m.purpose == pb::Purpose::Receipt as i32 => {
                if let Some(winner) = self.any_mut(&m.job_id).and_then(|p| p.winner.as_mut()) {
                    winner.receipted = true;
                }
            }
            Event::PurchaseWon(m) => self.won(m),
            Event::PurchasePaid(m) => {
                self.paid_count += 1;
                self.paid_msat = self.paid_msat.saturating_add(m.amount_msat);
                self.winner(&m.purchase_id, |winner| winner.paid = true);
            }
            Event::PurchaseClosed(m) => {
                let id = JobId::of(&m.purchase_id);
                let Some(closed) = self.open.remove(&id) else {
                    return;
                };
                if closed.winner.as_ref().is_none_or(|w| !w.paid) {
                    self.unpaid_count += 1;
                }
                let now_ms = fact.fact.recorded_at_ms;
                self.recent
                    .retain(|_, p| now_ms < p.terms.deadline_ms.saturating_add(LATE_MS));
                self.recent.insert(id, closed);
            }
            _ => {}
        }
    }
}
