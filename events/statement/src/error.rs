//! What does not hold, where, and by which closed name. `docs/STATEMENT.md` lists the names.
use autopilot_events::{head::HeadError, tree::ProofError};

/// A statement that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementError {
    /// Line of the file, from 1.
    pub line: u64,
    /// Number of the settlement's fact, where the line told one.
    pub fact: Option<u64>,
    /// What failed.
    pub why: Why,
}

impl std::fmt::Display for StatementError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.fact {
            Some(fact) => write!(f, "line {}, fact {fact}: {}", self.line, self.why),
            None => write!(f, "line {}: {}", self.line, self.why),
        }
    }
}

impl std::error::Error for StatementError {}

/// What failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// The file can't be read.
    #[error("the file can't be read: {0}")]
    Unreadable(String),
    /// A line is too long, no JSON, or not of its form.
    #[error("{0}")]
    Malformed(String),
    /// The format is another one.
    #[error("this is no statement of format autopilot-statement/1")]
    Version,
    /// The sentence about what no proof shows is missing or another one.
    #[error("the header does not say what no proof can show")]
    Limits,
    /// The window ends before it begins.
    #[error("the window is empty")]
    Window,
    /// The event that binds the head's key to the seller does not.
    #[error("the event that binds the head to the seller: {0}")]
    HeadEvent(&'static str),
    /// The signed head does not hold.
    #[error("{0}")]
    Head(HeadError),
    /// A signature of a named witness does not hold.
    #[error("a witness's signature of the head does not hold")]
    Cosignature,
    /// The settlement is no fact, or another one.
    #[error("{0}")]
    Fact(&'static str),
    /// Settlements stand in the order of their numbers, each once.
    #[error("it stands after fact {0}, which is not before it")]
    Order(u64),
    /// The settlement is not in the ledger that the head is of.
    #[error("the settlement is not proven to be in the ledger: {0}")]
    Proof(ProofError),
    /// It was settled before or after the window.
    #[error("it was settled outside the window")]
    OutsideWindow,
    /// The same payment again.
    #[error("this payment was counted before")]
    Repeated,
    /// A fact that the settlement binds is missing or another one.
    #[error("what the settlement rests on: {0}")]
    Evidence(&'static str),
    /// The invoice does not fit.
    #[error("the invoice: {0}")]
    Invoice(&'static str),
    /// Its SHA-256 is not the payment hash.
    #[error("the preimage does not give the payment hash")]
    Preimage,
    /// The signed result does not fit.
    #[error("the result: {0}")]
    Result(&'static str),
    /// The signed request does not fit.
    #[error("the request: {0}")]
    Request(&'static str),
    /// The seller's own request.
    #[error("the request is the seller's own")]
    OwnJob,
    /// The buyer's receipt does not fit.
    #[error("the buyer's receipt: {0}")]
    Receipt(&'static str),
    /// Texts are missing, and nothing says that they were erased; or the other way round.
    #[error("{0}")]
    Erased(&'static str),
    /// More lines than a statement has.
    #[error("a statement has at most {} settlements", crate::MAX_SETTLEMENTS)]
    TooMany,
    /// The file ends before its seal.
    #[error("the file is cut off: its last line, the seal, is missing")]
    Cut,
    /// The seal does not fit the file.
    #[error("the seal: {0}")]
    Seal(&'static str),
    /// Something follows the seal.
    #[error("something follows the seal")]
    AfterSeal,
}

impl Why {
    /// Its closed name.
    pub fn code(&self) -> &'static str {
        match self {
            Why::Unreadable(_) => "unreadable",
            Why::Malformed(_) => "malformed",
            Why::Version => "version",
            Why::Limits => "limits",
            Why::Window => "window",
            Why::HeadEvent(_) => "head-event",
            Why::Head(_) => "head",
            Why::Cosignature => "cosignature",
            Why::Fact(_) => "fact",
            Why::Order(_) => "order",
            Why::Proof(_) => "proof",
            Why::OutsideWindow => "outside-window",
            Why::Repeated => "repeated",
            Why::Evidence(_) => "evidence",
            Why::Invoice(_) => "invoice",
            Why::Preimage => "preimage",
            Why::Result(_) => "result",
            Why::Request(_) => "request",
            Why::OwnJob => "own-job",
            Why::Receipt(_) => "receipt",
            Why::Erased(_) => "erased",
            Why::TooMany => "too-many",
            Why::Cut => "cut",
            Why::Seal(_) => "seal",
            Why::AfterSeal => "after-seal",
        }
    }
}
