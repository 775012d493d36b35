//! Buy mode: purchases made by themselves, what they cost so far, and what is set aside for those that are open.
use std::collections::BTreeMap;

use autopilot_events::{Event, Recorded, pb, words::JobId};
use serde::{Deserialize, Serialize};

use crate::Projection;

/// How long after its deadline a payment that seemed to have failed still finds its buy mode, in milliseconds.
const LATE_MS: i64 = 3_600_000;

/// What a purchase may still cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reserve {
    /// Price and routing at most; 0 once it is closed.
    pub msat: u64,
    /// Of the purchase.
    pub deadline_ms: i64,
}

/// One buy mode.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BuyMode {
    /// Budget, ceilings, pace.
    pub terms: pb::BuyModeStarted,
    /// When it was started.
    pub started_at_ms: i64,
    /// Requests made.
    pub purchases: u64,
    /// Of them: paid.
    pub paid: u64,
    /// Paid, routing included.
    pub spent_msat: u64,
    /// When the last request was made.
    pub last_request_ms: Option<i64>,
    /// Why it ended; empty while it runs.
    pub stopped: String,
    unpaid: BTreeMap<JobId, Reserve>,
}

impl BuyMode {
    /// Its purchases that are open and not paid.
    pub fn open(&self) -> impl Iterator<Item = &JobId> {
        self.unpaid
            .iter()
            .filter(|(_, reserve)| reserve.msat > 0)
            .map(|(id, _)| id)
    }

    /// What open purchases may still cost.
    pub fn reserved_msat(&self) -> u64 {
        self.unpaid
            .values()
            .fold(0, |sum, reserve| sum.saturating_add(reserve.msat))
    }

    /// What is neither spent nor set aside.
    pub fn left_msat(&self) -> u64 {
        let used = self.spent_msat.saturating_add(self.reserved_msat());
        self.terms.budget_msat.saturating_sub(used)
    }

    fn request(&mut self, m: &pb::PurchaseRequested, at_ms: i64) {
        self.purchases += 1;
        self.last_request_ms = Some(at_ms);
        self.unpaid
            .retain(|_, reserve| reserve.msat > 0 || at_ms < reserve.deadline_ms.saturating_add(LATE_MS));
        let reserve = Reserve {
            msat: m.budget_msat.saturating_add(m.fee_ceiling_msat),
            deadline_ms: m.deadline_ms,
        };
        self.unpaid.insert(JobId::of(&m.purchase_id), reserve);
    }

    fn pay(&mut self, m: &pb::PurchasePaid) {
        if self.unpaid.remove(&JobId::of(&m.purchase_id)).is_some() {
            self.paid += 1;
            let cost = m.amount_msat.saturating_add(m.fee_msat);
            self.spent_msat = self.spent_msat.saturating_add(cost);
        }
    }

    fn close(&mut self, m: &pb::PurchaseClosed) {
        if let Some(reserve) = self.unpaid.get_mut(&JobId::of(&m.purchase_id)) {
            reserve.msat = 0;
        }
    }
}

/// The buy mode view: the last one that was started.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BuyModes {
    /// It may run, or be over.
    pub last: Option<BuyMode>,
}

impl BuyModes {
    /// The one that runs.
    pub fn running(&self) -> Option<&BuyMode> {
        self.last.as_ref().filter(|mode| mode.stopped.is_empty())
    }
}

impl Projection for BuyModes {
    const NAME: &'static str = "buy_modes";
    const VERSION: u32 = 1;

    fn apply(&mut self, fact: &Recorded) {
        let at_ms = fact.fact.recorded_at_ms;
        if let Event::BuyModeStarted(m) = &fact.event {
            self.last = Some(BuyMode {
                terms: m.clone(),
                started_at_ms: at_ms,
                ..BuyMode::default()
            });
            return;
        }
        let Some(mode) = &mut self.last else { return };
        match &fact.event {
            Event::PurchaseRequested(m) if m.buy_mode_id == mode.terms.buy_mode_id => mode.request(m, at_ms),
            Event::PurchasePaid(m) => mode.pay(m),
            Event::PurchaseClosed(m) => mode.close(m),
            Event::BuyModeStopped(m) if m.buy_mode_id == mode.terms.buy_mode_id => {
                mode.stopped.clone_from(&m.reason);
            }
            _ => {}
        }
    }
}
