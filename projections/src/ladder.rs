//! Work and money: two state machines. The ladder that people see is a view of both.
use serde::{Deserialize, Serialize};

/// How far the work is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// Recorded, not judged.
    Received,
    /// Judged: yes.
    Accepted,
    /// The model is at it.
    Running,
    /// The result is recorded; it is never worked out again.
    Executed,
    /// At least one relay took the result.
    Delivered,
    /// Judged: no.
    Refused,
    /// Ended without delivery.
    Failed,
}

/// How far the money is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Money {
    /// Nothing is asked.
    Unpriced,
    /// A price is agreed.
    Priced,
    /// An invoice is out.
    Invoiced,
    /// The wallet has it, and the work is still owed.
    Prepaid,
    /// The wallet has it.
    Settled,
    /// The invoice ran out unpaid.
    Expired,
    /// The wallet had it, the work failed, and it was paid back.
    Refunded,
}

impl Money {
    /// The wallet has the buyer's money.
    pub fn arrived(self) -> bool {
        matches!(self, Money::Prepaid | Money::Settled)
    }
}
