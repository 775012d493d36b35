//! What a person can ask for.
use autopilot_events::{
    pb,
    words::{JobId, MessageId, Msat},
};

use super::Bill;
use crate::{offers::OfferWish, refund::RefundTo};

/// What a person can ask for.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// The first fact of a ledger.
    OpenLedger(pb::LedgerOpened),
    /// The identity's words were taken out.
    NoteBackup(pb::IdentityBackedUp),
    /// The identity is protected otherwise.
    NoteProtection(pb::IdentityProtected),
    /// Another policy.
    SetPolicy(pb::Policy),
    /// Serve from now on.
    GoOnline {
        /// Of this run of the host, 16 bytes.
        run_id: Vec<u8>,
    },
    /// Serve no more.
    GoOffline {
        /// In words.
        reason: String,
    },
    /// A refusal was wrong, or right after all. The caller checked that the job was refused.
    MarkRefusal(pb::RefusalMarked),
    /// Somebody observed a price.
    RecordPrice(pb::PriceObserved),
    /// Give up a job in flight.
    Abort(JobId),
    /// Pay an invoice out of the wallet.
    Pay {
        /// Decoded.
        bill: Bill,
        /// For invoices without an amount.
        amount: Option<Msat>,
        /// Routing fees above this fail the payment.
        fee_ceiling: Msat,
        /// What the destination that a person gave turned out to be.
        resolution: Option<pb::Resolution>,
    },
    /// Pay a BOLT12 offer out of the wallet.
    PayOffer(OfferWish),
    /// Pay back what is owed for a job.
    Refund {
        /// The job.
        job: JobId,
        /// To whom.
        to: RefundTo,
        /// Routing fees above this fail the payment; `None`: the usual.
        fee_ceiling: Option<Msat>,
    },
    /// Send on chain.
    SendOnchain(pb::OnchainApproved),
    /// Buy a job: its request is signed and sealed away, and published once this is durable.
    Buy {
        /// Ceilings and deadline.
        terms: pb::PurchaseRequested,
        /// The signed request.
        event: pb::EventSigned,
    },
    /// Go on with this ledger although somebody else's head says otherwise.
    OverruleHead {
        /// The fact from which on that ledger is another one: what the person was told.
        from: u64,
        /// In words.
        reason: String,
    },
    /// Try oneself as a stranger; recorded before the request is published.
    StartCanary(pb::CanaryStarted),
    /// How far the trial came.
    FinishCanary(pb::CanaryFinished),
    /// Buy by itself, at a pace and within a budget; the prompt is sealed away.
    StartBuyMode(pb::BuyModeStarted),
    /// The kill switch of the buy mode.
    StopBuyMode,
    /// Stop waiting for a purchase that is not paid.
    CancelPurchase(JobId),
    /// Use other relays; the caller checked that they are addresses.
    ChangeRelays(pb::RelaysChanged),
    /// Another model serves.
    ChooseModel(pb::ModelChosen),
    /// A person knows of this alert.
    AcknowledgeAlert(String),
    /// A face has shown that this sum of sats was reached.
    Celebrate(u64),
    /// A message to the model of this machine; its text is sealed away.
    Ask {
        /// Without the message before it, which the ledger knows.
        asked: pb::ChatAsked,
        /// It begins its conversation.
        begins: bool,
    },
    /// No answer is wanted any more.
    StopAnswer(MessageId),
    /// A program's command over HTTP, before it is carried out.
    NoteCommanded(pb::ControlCommanded),
    /// What it was answered.
    NoteAnswered(pb::ControlAnswered),
    /// Forget the texts of a subject (`job/…`, `purchase/…`, `buy_mode/…`, `chat/…`).
    Forget {
        /// Whose key is dropped.
        subject: String,
        /// Who wants it so.
        reason: pb::ForgetReason,
    },
}
