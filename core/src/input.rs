//! Everything that can be handed to the engine. Observations carry what the outside world said; nothing is trusted.
mod answer;
mod command;
mod work;

use autopilot_events::{
    Event, pb,
    texts::forgotten_key,
    words::{EventId, JobId, Msat, PaymentHash, PublicKey},
};

use crate::{
    embedding::EMBEDDING,
    heads::{HeldHead, SeenHead},
    offers::Offer,
};

pub use self::{
    answer::{Answer, AnswerKind, Bill},
    command::Command,
    work::{Outcome, Replied, ResolvedInputs, Worked},
};
pub use crate::keys::{
    answered_key, channel_closed_key, channel_opened_key, chat_key, chat_outcome_key, commanded_key,
    forwarded_key, invoice_key, market_key, onchain_key, receipt_key, received_key, sent_key, won_key,
};

/// One input.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A host took over: presence is not restored, work in flight goes on.
    Resumed,
    /// Time passes.
    Tick,
    /// What the outside world could do now. Telemetry: decided with, never a fact.
    Readiness(Readiness),
    /// A request, signature checked.
    Request(Request),
    /// A requester takes a request back.
    Cancelled(Cancelled),
    /// The wallet looked at the offer that a buyer wants to be paid back to.
    Refund(OfferedRefund),
    /// What became of the inputs of a job that lie elsewhere.
    Resolved(ResolvedInputs),
    /// The model's answer to an attempt.
    Worked(Worked),
    /// What the model made of a message to it.
    Replied(Replied),
    /// The wallet made the invoice of a job.
    Invoiced(pb::InvoiceIssued),
    /// An event was composed and signed, its bytes sealed away.
    Signed(pb::EventSigned),
    /// Relays answered to a publication.
    Published {
        /// Which event.
        event_id: EventId,
        /// Relays that took it.
        accepted: u32,
        /// Relays that it was offered to.
        tried: u32,
    },
    /// Demand that could not be claimed, as relays counted it.
    Demand(Vec<pb::KindDemand>),
    /// The wallet saw or did something.
    Wallet(WalletInput),
    /// A head of this ledger was signed.
    HeadSigned(pb::HeadSigned),
    /// Somebody else holds a head of this ledger.
    HeadHeld(HeldHead),
    /// Relays took a signed head.
    HeadPublished(pb::HeadPublished),
    /// A provider that we bought from published a head of its ledger.
    HeadSeen(SeenHead),
    /// A buyer says that it paid; held against request and invoice by [`crate::receipts::check`].
    Receipted(pb::JobReceipted),
    /// An answer to a purchase of ours.
    Answer(Answer),
    /// A person, or a program on a person's behalf.
    Person(Command),
}

/// What the outside world could do now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// Name of the model that would generate text, if it is ready.
    pub model: Option<String>,
    /// The model that would embed, if it is ready.
    pub embedding: Option<EmbeddingModel>,
    /// Why it is not, where that is known, and what to do.
    pub model_problem: Option<String>,
    /// The largest payment that would arrive now.
    pub receivable: Msat,
    /// Why the wallet can't receive, where it can't.
    pub wallet_problem: Option<String>,
    /// Relays connected.
    pub relays_connected: u32,
    /// What is wrong with the clock, where something is.
    pub clock_problem: Option<String>,
    /// What was found wrong with the ledger while it was read again, and what to do.
    pub ledger_problem: Option<String>,
}

impl Readiness {
    /// Name of the model that serves this kind now.
    pub fn serves(&self, kind: u32) -> Option<&str> {
        match kind {
            EMBEDDING => self.embedding.as_ref().map(|model| model.name.as_str()),
            _ => self.model.as_deref(),
        }
    }
}

/// An embedding model that is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddingModel {
    /// Its name.
    pub name: String,
    /// Length of its vectors.
    pub dimensions: u32,
}

/// A request for work.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Id at the market, and who asks.
    pub native_id: EventId,
    /// Who asks.
    pub requester: PublicKey,
    /// Kind.
    pub kind: u32,
    /// The most that is offered; `None` asks for a quote.
    pub bid: Option<Msat>,
    /// Unix seconds, by the requester's word.
    pub created_at_s: i64,
    /// Worth doing for this long.
    pub ttl_s: u32,
    /// Names us.
    pub targeted: bool,
    /// Names nobody.
    pub open: bool,
    /// Is sealed for us.
    pub encrypted: bool,
    /// Bytes of all inputs.
    pub input_bytes: u64,
    /// How many inputs.
    pub inputs: u32,
    /// Of these, how many have to be fetched first.
    pub remote_inputs: u32,
    /// Bytes of output that surely fit into the result beside the request.
    pub result_room_bytes: u64,
    /// A model that is asked for by name.
    pub model: Option<String>,
    /// What in it can't be read or served, in words; empty when all is well.
    pub unreadable: String,
    /// Output bound that is asked for.
    pub max_tokens: Option<u32>,
    /// All text inputs in clear, for the content policy. Never a fact: the body is sealed away.
    pub text: String,
    /// Topics that the request names itself (`t` tags).
    pub topics: Vec<String>,
    /// Where to pay back (BOLT12); empty: not said.
    pub refund_offer: String,
    /// The signed event, sealed away.
    pub body: pb::BodyRef,
    /// Where it came from.
    pub relay: String,
}

/// A request that is taken back.
#[derive(Clone, Debug, PartialEq)]
pub struct Cancelled {
    /// The request.
    pub native_id: EventId,
    /// Who takes it back: counts only for the same author.
    pub author: PublicKey,
}

/// The offer that a buyer wants to be paid back to.
#[derive(Clone, Debug, PartialEq)]
pub struct OfferedRefund {
    /// The job.
    pub job: JobId,
    /// Decoded; or why it can't be, in words.
    pub offer: Result<Offer, String>,
}

/// What the wallet saw or did.
#[derive(Clone, Debug, PartialEq)]
pub enum WalletInput {
    /// It runs.
    Started(pb::WalletStarted),
    /// It ended.
    Stopped(String),
    /// Money arrived. `bound` names the job whose invoice has this hash, where that job is over already.
    Received {
        /// As the wallet says.
        payment: pb::WalletPaymentReceived,
        /// Found in the ledger by payment hash.
        bound: Option<JobId>,
    },
    /// A payment of ours is done.
    Sent(pb::WalletPaymentSent),
    /// A payment of ours failed for good.
    Failed(pb::WalletPaymentFailed),
    /// A payment that was approved is one that was done before, for another purpose: nothing left for this one.
    PaidBefore {
        /// Which.
        payment_hash: PaymentHash,
    },
    /// A channel can be used.
    ChannelOpened(pb::WalletChannelOpened),
    /// A channel is closed.
    ChannelClosed(pb::WalletChannelClosed),
    /// Figures.
    Balances(pb::WalletBalanceObserved),
    /// The wallet's list against the ledger's.
    Reconciled(pb::WalletReconciled),
    /// A transaction brought sats.
    OnchainReceived(pb::WalletOnchainReceived),
    /// A transaction took sats.
    OnchainLeft(pb::WalletOnchainSent),
    /// No closed channel has sats on their way any more.
    ClosingsOver,
    /// We earned by forwarding.
    Forwarded(pb::WalletPaymentForwarded),
    /// An on-chain payment was broadcast.
    OnchainSent(pb::OnchainSent),
    /// It was not.
    OnchainFailed(pb::OnchainFailed),
    /// A payment to an offer ended without success, or can't be told.
    OfferFailed(pb::OfferFailed),
}

impl Input {
    /// The key under which this observation is recorded once. The driver looks it up before the engine decides.
    pub fn identity(&self) -> Option<String> {
        Some(match self {
            Input::Request(r) => market_key(&r.native_id),
            Input::Answer(a) => market_key(&a.event_id),
            Input::Invoiced(invoice) => invoice_key(&invoice.payment_hash),
            Input::Receipted(receipt) => receipt_key(&receipt.job_id),
            Input::Wallet(WalletInput::Received { payment, .. }) => received_key(&payment.payment_hash),
            Input::Wallet(WalletInput::Sent(payment)) => sent_key(&payment.payment_hash),
            Input::Wallet(WalletInput::ChannelOpened(c)) => channel_opened_key(&c.channel_id),
            Input::Wallet(WalletInput::ChannelClosed(c)) => channel_closed_key(&c.channel_id),
            Input::Wallet(WalletInput::OnchainReceived(t)) => onchain_key(&t.txid),
            Input::Wallet(WalletInput::OnchainLeft(t)) => onchain_key(&t.txid),
            Input::Wallet(WalletInput::Forwarded(f)) => forwarded_key(&f.event_id),
            Input::Person(Command::Forget { subject, .. }) => forgotten_key(subject),
            Input::Person(Command::Ask { asked, .. }) => chat_key(&asked.message_id),
            Input::Person(Command::NoteCommanded(c)) => commanded_key(&c.key_digest),
            Input::Person(Command::NoteAnswered(c)) => answered_key(&c.key_digest),
            _ => return None,
        })
    }

    /// The place for a text that belongs to this input and is sealed away beside it.
    pub fn body_mut(&mut self) -> Option<&mut pb::BodyRef> {
        match self {
            Input::Request(request) => Some(&mut request.body),
            Input::Resolved(ResolvedInputs {
                outcome: Ok(inputs), ..
            }) => Some(inputs.events.get_or_insert_default()),
            Input::Worked(Worked {
                outcome: Outcome::Done { output, .. },
                ..
            })
            | Input::Replied(Replied {
                outcome: Outcome::Done { output, .. },
                ..
            }) => Some(output),
            Input::Signed(signed) | Input::Person(Command::Buy { event: signed, .. }) => {
                Some(signed.event.get_or_insert_default())
            }
            Input::Answer(answer) => Some(&mut answer.body),
            Input::Receipted(receipt) => Some(receipt.receipt.get_or_insert_default()),
            Input::HeadSeen(seen) => Some(&mut seen.event),
            Input::Person(Command::Ask { asked, .. }) => Some(asked.text.get_or_insert_default()),
            Input::Person(Command::StartBuyMode(terms)) => Some(terms.prompt.get_or_insert_default()),
            _ => None,
        }
    }

    /// Whether the fact that was recorded under this input's key says the same. If not, the two are a conflict,
    /// which is never "ok". An event id commits to its content; wallet observations are compared by amount.
    pub fn agrees_with(&self, recorded: &Event) -> bool {
        match (self, recorded) {
            (Input::Wallet(WalletInput::Received { payment, .. }), Event::WalletPaymentReceived(m)) => {
                payment.amount_msat == m.amount_msat
            }
            (Input::Wallet(WalletInput::Sent(payment)), Event::WalletPaymentSent(m)) => {
                payment.amount_msat == m.amount_msat
            }
            (Input::Wallet(WalletInput::ChannelOpened(c)), Event::WalletChannelOpened(m)) => {
                c.capacity_msat == m.capacity_msat
            }
            (Input::Wallet(WalletInput::ChannelClosed(_)), Event::WalletChannelClosed(_)) => true,
            (Input::Wallet(WalletInput::OnchainReceived(t)), Event::WalletOnchainReceived(m)) => {
                t.amount_sat == m.amount_sat
            }
            (Input::Wallet(WalletInput::OnchainLeft(t)), Event::WalletOnchainSent(m)) => {
                (t.amount_sat, t.fee_sat) == (m.amount_sat, m.fee_sat)
            }
            (Input::Wallet(WalletInput::Forwarded(_)), Event::WalletPaymentForwarded(_)) => true,
            (Input::Request(r), Event::JobReceived(m)) => m.native_id == r.native_id.0,
            (Input::Invoiced(invoice), Event::InvoiceIssued(m)) => {
                invoice.job_id == m.job_id && invoice.amount_msat == m.amount_msat
            }
            (Input::Receipted(receipt), Event::JobReceipted(m)) => {
                receipt.payment_hash == m.payment_hash && receipt.amount_msat == m.amount_msat
            }
            // For whatever reason: it is forgotten.
            (Input::Person(Command::Forget { .. }), Event::TextForgotten(_)) => true,
            // The same text of the same conversation has the same commitment, however often it is sealed.
            (Input::Person(Command::Ask { asked, .. }), Event::ChatAsked(m)) => {
                let commitment =
                    |text: &Option<pb::BodyRef>| text.as_ref().map(|text| text.commitment.clone());
                asked.thread_id == m.thread_id && commitment(&asked.text) == commitment(&m.text)
            }
            (Input::Person(Command::NoteCommanded(c)), Event::ControlCommanded(m)) => c == m,
            // The first outcome stands.
            (Input::Person(Command::NoteAnswered(_)), Event::ControlAnswered(_)) => true,
            (Input::Answer(_), Event::PurchaseOffered(_) | Event::PurchaseRejected(_)) => true,
            _ => false,
        }
    }
}
