//! What a checked statement says.
use autopilot_events::{
    witness::Cosigned,
    words::{JobId, PaymentHash, PublicKey},
};
use serde::{Serialize, Serializer};

/// How far a payment is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// The seller's ledger says so, and there is no preimage or no invoice to show.
    Recorded,
    /// Invoice and preimage fit, which the payee can always show.
    SelfAttested,
    /// Besides, a key that is not the seller's signed the request and a receipt of this payment.
    CounterpartyAttested,
}

impl Level {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Level::Recorded => "recorded",
            Level::SelfAttested => "self-attested",
            Level::CounterpartyAttested => "counterparty-attested",
        }
    }
}

/// What the header says, checked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Heading {
    /// The seller's identity.
    pub seller: PublicKey,
    /// The ledger's origin.
    pub origin: String,
    /// `bitcoin`, `testnet`, `signet` or `regtest`.
    pub network: String,
    /// The node that signed the invoices.
    pub node: Option<String>,
    /// The window's first moment, where it has one.
    pub from_ms: Option<i64>,
    /// The first moment after it, where there is one.
    pub to_ms: Option<i64>,
    /// Facts of the ledger at the head.
    pub facts: u64,
    /// Root of their Merkle tree, as hexadecimal text.
    pub root: String,
    /// When the seller signed the head (seconds since the Unix epoch, the seller's clock).
    pub head_at_s: u64,
    /// Witnesses that the checker named and that signed the head.
    #[serde(serialize_with = "names")]
    pub witnessed_by: Vec<Cosigned>,
}

fn names<S: Serializer>(witnesses: &[Cosigned], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(witnesses.iter().map(|witness| &witness.by))
}

/// A settlement, checked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// Number of the settlement's fact.
    pub fact: u64,
    /// The wallet's time.
    pub settled_at_ms: i64,
    /// What is counted: what arrived, at most what the invoice asked for.
    pub amount_msat: u64,
    /// What arrived, as the ledger says.
    pub arrived_msat: u64,
    /// The job.
    pub job_id: JobId,
    /// Of the payment.
    pub payment_hash: PaymentHash,
    /// The request's id; `None`: it was erased, or is not told.
    pub request: Option<String>,
    /// Who asked, by the signed request.
    pub buyer: Option<PublicKey>,
    /// Kind of the request.
    pub kind: Option<u16>,
    /// The model that the ledger names.
    pub model: Option<String>,
    /// It was paid before the work.
    pub prepaid: bool,
    /// Request and result were erased.
    pub erased: bool,
    /// How far it is proven.
    pub proven: Level,
    /// A named witness saw the ledger that it is in.
    pub witnessed: bool,
}

/// Count and sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sum {
    /// Settlements.
    pub lines: u64,
    /// What is counted of them.
    pub amount_msat: u64,
}

/// What the whole says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// All of it.
    pub all: Sum,
    /// [`Level::Recorded`].
    pub recorded: Sum,
    /// [`Level::SelfAttested`].
    pub self_attested: Sum,
    /// [`Level::CounterpartyAttested`].
    pub counterparty_attested: Sum,
    /// Settlements whose texts were erased.
    pub erased: u64,
}

impl Totals {
    /// With a settlement more; `None`: the sum is beyond what can be.
    pub(crate) fn with(mut self, line: &Line) -> Option<Totals> {
        let level = match line.proven {
            Level::Recorded => &mut self.recorded,
            Level::SelfAttested => &mut self.self_attested,
            Level::CounterpartyAttested => &mut self.counterparty_attested,
        };
        for sum in [level, &mut self.all] {
            sum.lines += 1;
            sum.amount_msat = sum.amount_msat.checked_add(line.amount_msat)?;
        }
        self.erased += u64::from(line.erased);
        Some(self)
    }
}
