//! The wallet port: what the engine asks of money's outside world.
//!
//! Every effect is keyed, so that repeating it is harmless: invoices by job, payments by payment hash, on-chain sends
//! and payments to offers by intent. Events are given again until they are acknowledged: append first, acknowledge after.
mod event;
mod types;

use std::future::Future;

use autopilot_events::words::{Msat, PaymentHash};

pub use event::{WalletEvent, WalletEventKind};
pub use types::{
    Balances, CanReceive, Channel, ChannelId, DecodedInvoice, DecodedOffer, Invoice, NodeId, OnchainAmount,
    OnchainRole, OnchainSend, OpenChannel, PayOffer, PayRequest, Payment, PaymentKind, PaymentPage,
    PaymentStatus, Peer, PendingClose, Transaction, TransactionPage, WalletInfo,
};

/// Why a call to the wallet failed. The code is closed; the sentence is for a person and holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct WalletError {
    /// What kind of failure, for decisions.
    pub code: WalletErrorCode,
    /// A sentence for a person.
    pub message: String,
}

impl WalletError {
    /// Whether asking again can't help, so that the failure is the outcome.
    pub fn is_final(&self) -> bool {
        use WalletErrorCode::{ChainBehind, Fault, PeerUnreachable, Unavailable};
        !matches!(self.code, Unavailable | ChainBehind | PeerUnreachable | Fault)
    }
}

/// The kinds of wallet failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WalletErrorCode {
    /// The request itself is wrong; repeating it fails again.
    InvalidArgument,
    /// The key exists with another payload.
    Conflict,
    /// No such channel, payment or peer.
    NotFound,
    /// An invoice or address of another Bitcoin network.
    WrongNetwork,
    /// The invoice has expired.
    Expired,
    /// Not enough that can be sent.
    InsufficientFunds,
    /// The wallet is not at the chain's tip: paying now could close a channel. Try again later.
    ChainBehind,
    /// Nothing could be sent, and nothing is pending.
    NoRoute,
    /// The peer does not answer.
    PeerUnreachable,
    /// The invoice is our own.
    SelfPayment,
    /// The wallet's engine or disk failed.
    Fault,
    /// The wallet process does not answer: starting, stopping or gone. What was asked may have happened: reconcile.
    Unavailable,
}

impl WalletErrorCode {
    /// A short, stable name for facts, exit codes and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidArgument => "invalid-argument",
            Self::Conflict => "conflict",
            Self::NotFound => "not-found",
            Self::WrongNetwork => "wrong-network",
            Self::Expired => "expired",
            Self::InsufficientFunds => "insufficient-funds",
            Self::ChainBehind => "chain-behind",
            Self::NoRoute => "no-route",
            Self::PeerUnreachable => "peer-unreachable",
            Self::SelfPayment => "self-payment",
            Self::Fault => "wallet-fault",
            Self::Unavailable => "wallet-unavailable",
        }
    }
}

/// A wallet. Each call is bounded in time by the adapter.
pub trait Wallet: Send + Sync {
    /// Who and how fresh.
    fn info(&self) -> impl Future<Output = Result<WalletInfo, WalletError>> + Send;
    /// What is ours.
    fn balances(&self) -> impl Future<Output = Result<Balances, WalletError>> + Send;
    /// Follows the chain to its tip now.
    fn sync(&self) -> impl Future<Output = Result<WalletInfo, WalletError>> + Send;
    /// The invoice of `key`, made at the first call. `expiry_s` is 1–604,800.
    /// Fails with `Conflict` when the key has an invoice of another amount, description or expiry.
    fn create_invoice(
        &self,
        key: &str,
        amount: Msat,
        description: &str,
        expiry_s: u32,
    ) -> impl Future<Output = Result<Invoice, WalletError>> + Send;
    /// A new BOLT12 offer; `None`: the payer chooses the amount.
    fn create_offer(
        &self,
        amount: Option<Msat>,
        description: &str,
        expiry_s: Option<u32>,
    ) -> impl Future<Output = Result<String, WalletError>> + Send;
    /// Reads an invoice, on any network, without paying it.
    fn decode_invoice(
        &self,
        bolt11: &str,
    ) -> impl Future<Output = Result<DecodedInvoice, WalletError>> + Send;
    /// Would this amount arrive now?
    fn can_receive(&self, amount: Msat) -> impl Future<Output = Result<CanReceive, WalletError>> + Send;
    /// Pays, keyed by payment hash. Answers with the status now; the outcome is an event.
    fn pay(&self, request: PayRequest) -> impl Future<Output = Result<Payment, WalletError>> + Send;
    /// Reads a BOLT12 offer, on any network, without paying it.
    fn decode_offer(&self, bolt12: &str) -> impl Future<Output = Result<DecodedOffer, WalletError>> + Send;
    /// Pays an offer, at most once for a key: a key that was used before is answered with how far that payment is.
    /// [`PaymentStatus::InDoubt`]: the wallet stopped in between and can't tell. The outcome is an event.
    fn pay_offer(&self, request: PayOffer) -> impl Future<Output = Result<Payment, WalletError>> + Send;
    /// The payment under this hash; `Unknown` when there is none.
    fn payment(&self, hash: PaymentHash) -> impl Future<Output = Result<Payment, WalletError>> + Send;
    /// A page of at most `limit` (1–500) payments after `page`.
    fn payments(
        &self,
        limit: u32,
        page: Option<&str>,
    ) -> impl Future<Output = Result<PaymentPage, WalletError>> + Send;
    /// A page of the wallet's own transactions after `page`.
    fn transactions(
        &self,
        page: Option<&str>,
    ) -> impl Future<Output = Result<TransactionPage, WalletError>> + Send;
    /// Ends the repetition of an event whose facts are durable. `false`: another one is current.
    fn ack_event(&self, id: [u8; 32]) -> impl Future<Output = Result<bool, WalletError>> + Send;
    /// Opens a channel. `false`: there was one already.
    fn open_channel(&self, request: OpenChannel) -> impl Future<Output = Result<bool, WalletError>> + Send;
    /// Closes a channel, with the peer or by force.
    fn close_channel(
        &self,
        channel_id: ChannelId,
        force: bool,
    ) -> impl Future<Output = Result<(), WalletError>> + Send;
    /// Connects, and again after restarts when `persist`.
    fn connect_peer(
        &self,
        node_id: NodeId,
        address: &str,
        persist: bool,
    ) -> impl Future<Output = Result<(), WalletError>> + Send;
    /// A fresh address to deposit to. Deposits are not earnings.
    fn new_onchain_address(&self) -> impl Future<Output = Result<String, WalletError>> + Send;
    /// Sends on chain, keyed by intent.
    fn send_onchain(
        &self,
        key: &str,
        address: &str,
        amount: OnchainAmount,
    ) -> impl Future<Output = Result<OnchainSend, WalletError>> + Send;
}
