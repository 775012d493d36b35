//! One job that is not over, with its money: what the fold of `jobs.rs` holds of each.
use autopilot_events::{
    pb,
    words::{EventId, PaymentHash, PublicKey},
};
use serde::{Deserialize, Serialize};

use crate::ladder::{Money, Work};

/// What a buyer paid before the work, as the wallet said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prepayment {
    /// What arrived.
    pub amount_msat: u64,
    /// The wallet's time.
    pub settled_at_ms: i64,
    /// The wallet's id of it.
    pub payment_id: Vec<u8>,
    /// Of the invoice; empty where the wallet does not tell it.
    pub preimage: Vec<u8>,
}

/// How far paying a debt back is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refund {
    /// Names the payment: the intent of an offer or the payment hash of an invoice, in hexadecimal. Empty: none was tried.
    pub payment: String,
    /// It has no outcome yet.
    pub under_way: bool,
    /// Why the last try failed.
    pub failure: Option<String>,
}

/// The one invoice of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Invoice {
    /// Binds a wallet payment to this job.
    pub payment_hash: PaymentHash,
    /// BOLT11.
    pub bolt11: String,
    /// What it asks.
    pub amount_msat: u64,
    /// When it runs out.
    pub expires_at_ms: i64,
}

/// A job that is not over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its id at the market.
    pub native_id: EventId,
    /// Who asks.
    pub requester: PublicKey,
    /// Kind of the request.
    pub kind: u32,
    /// When it was recorded.
    pub received_at_ms: i64,
    /// The signed request.
    pub request: pb::BodyRef,
    /// How far the work is.
    pub work: Work,
    /// How far the money is.
    pub money: Money,
    /// The price agreed.
    pub price_msat: u64,
    /// Work or pay first.
    pub pay_first: bool,
    /// When the work is worthless.
    pub deadline_ms: i64,
    /// Inputs that have to be fetched before anything else is done.
    pub waits_for_inputs: bool,
    /// The events that hold such inputs, once they are here: a JSON array.
    pub fetched: Option<pb::BodyRef>,
    /// Bound of the output.
    pub max_output_tokens: u32,
    /// Attempts begun.
    pub attempts: u32,
    /// The output, once executed.
    pub output: Option<pb::BodyRef>,
    /// The invoice, once issued.
    pub invoice: Option<Invoice>,
    /// What was paid before the work.
    pub prepayment: Option<Prepayment>,
    /// Where the buyer wants a failed delivery paid back to (BOLT12); empty: not said.
    pub refund_offer: String,
    /// Paying it back, once it was tried.
    pub refund: Option<Refund>,
    /// Why it failed or was refused.
    pub failure: Option<String>,
    /// A refusal or failure that the buyer is told.
    pub reply: bool,
    /// Our own trial: nobody owes for it.
    pub canary: bool,
    /// Purposes of the events signed so far.
    pub signed: Vec<i32>,
    /// Purposes of the events published or abandoned.
    pub sent: Vec<i32>,
    /// The facts that a settlement binds: what is paid for.
    pub evidence: Vec<pb::FactLink>,
}

impl Job {
    /// Whether an event with this purpose was signed.
    pub fn has_signed(&self, purpose: pb::Purpose) -> bool {
        self.signed.contains(&(purpose as i32))
    }

    /// Whether an event with this purpose was published, or given up.
    pub fn has_sent(&self, purpose: pb::Purpose) -> bool {
        self.sent.contains(&(purpose as i32))
    }

    /// Whether the buyer paid for a delivery that failed: owed back.
    pub fn is_debt(&self) -> bool {
        self.work == Work::Failed && self.money == Money::Prepaid
    }

    /// Whether nothing is owed any more, by us or to us.
    pub(crate) fn is_over(&self) -> bool {
        match (self.work, self.money) {
            (Work::Refused, _) => !self.reply || self.has_sent(pb::Purpose::Error),
            (Work::Failed, Money::Unpriced | Money::Priced | Money::Expired | Money::Refunded) => {
                !self.reply || self.has_sent(pb::Purpose::Error)
            }
            (Work::Delivered, Money::Settled) => self.has_sent(pb::Purpose::Success),
            (Work::Delivered, Money::Expired) => true,
            // The buyer could pay, so it has the result: a relay lied about not having taken it.
            (Work::Failed, Money::Settled) => true,
            // Failed and prepaid: a debt that stays in sight.
            _ => false,
        }
    }
}
