//! What goes in and out of a wallet.
use autopilot_events::words::{Msat, PaymentHash};

/// A node's public key, 33 bytes compressed.
pub type NodeId = [u8; 33];
/// A channel's id.
pub type ChannelId = [u8; 32];

/// Who the wallet is and how fresh its view of the chain is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalletInfo {
    /// Our node.
    pub node_id: NodeId,
    /// "bitcoin", "testnet", "signet" or "regtest".
    pub network: String,
    /// The wallet process's version.
    pub version: String,
    /// The wallet engine and its version.
    pub engine: String,
    /// The block that the wallet has followed.
    pub tip_height: u32,
    /// Unix seconds of the last completed pass over the chain; 0: never.
    pub lightning_synced_at_s: u64,
    /// The same for the on-chain wallet.
    pub onchain_synced_at_s: u64,
    /// `host:port` of each listener.
    pub listening: Vec<String>,
    /// Known peers.
    pub peers: Vec<Peer>,
    /// A fresh pass, a connected peer and a usable channel.
    pub connected: bool,
    /// "bitcoind-rpc", "esplora" or "electrum".
    pub chain_source: String,
}

/// A Lightning peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its node.
    pub node_id: NodeId,
    /// `host:port`.
    pub address: String,
    /// Is there a connection now?
    pub connected: bool,
}

/// What is ours, by what can be done with it. `spendable + reserved + offline`, `closing` and `onchain_confirmed`
/// count each satoshi once; `onchain_total` overlaps with `closing`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balances {
    /// Can be sent over Lightning now.
    pub spendable: Msat,
    /// Ours, and cannot be sent: the peer's reserve, commitment fees, per-payment limits.
    pub reserved: Msat,
    /// Could be sent if the channel's peer were connected.
    pub offline: Msat,
    /// What can reach us now, the sum over channels of each one's largest payment.
    pub receivable: Msat,
    /// On its way from closed channels to the chain.
    pub closing: Msat,
    /// Can be sent on chain now, in satoshi.
    pub onchain_spendable_sat: u64,
    /// Confirmed on chain, in satoshi.
    pub onchain_confirmed_sat: u64,
    /// With unconfirmed receipts, in satoshi.
    pub onchain_total_sat: u64,
    /// Kept back on chain so that channels can be closed by force, in satoshi.
    pub onchain_reserve_sat: u64,
    /// Open channels.
    pub channels: Vec<Channel>,
    /// Closed channels whose sats are not buried on chain yet.
    pub pending_closes: Vec<PendingClose>,
    /// The block that these figures rest on.
    pub tip_height: u32,
}

/// An open channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Its id.
    pub channel_id: ChannelId,
    /// `txid:vout`; empty before funding.
    pub funding_outpoint: String,
    /// The peer.
    pub counterparty: NodeId,
    /// Capacity in satoshi.
    pub capacity_sat: u64,
    /// Ours, including what cannot be sent.
    pub balance: Msat,
    /// Largest single payment we can send.
    pub spendable: Msat,
    /// Largest single payment that can reach us.
    pub receivable: Msat,
    /// What the peer demands that we keep, in satoshi.
    pub our_reserve_sat: u64,
    /// Confirmed enough, or zero-conf.
    pub ready: bool,
    /// Ready, and the peer is connected.
    pub usable: bool,
    /// We opened and funded it.
    pub outbound: bool,
    /// The opening push: a grant, never earnings.
    pub opening_balance: Msat,
}

/// Sats on their way from a closed channel to the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingClose {
    /// `None` when the wallet does not know it.
    pub channel_id: Option<ChannelId>,
    /// How much, in satoshi, before fees.
    pub amount_sat: u64,
    /// How far it is: a short, stable name such as `awaiting-delay`.
    pub stage: String,
    /// Why, in a sentence for a person.
    pub why: String,
    /// The height from which it is ours to spend; `None`: not known yet.
    pub spendable_at_height: Option<u32>,
    /// The sweep transaction, once there is one.
    pub sweep_txid: Option<String>,
    /// Already inside `onchain_confirmed_sat`, and not in `closing`.
    pub counted_onchain: bool,
}

/// A BOLT11 invoice of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoice {
    /// The invoice.
    pub bolt11: String,
    /// Its payment hash.
    pub payment_hash: PaymentHash,
    /// Its amount.
    pub amount: Msat,
    /// Unix seconds.
    pub expires_at_s: u64,
    /// This key had its invoice already.
    pub existed: bool,
}

/// An invoice that somebody gave us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodedInvoice {
    /// Its payment hash.
    pub payment_hash: PaymentHash,
    /// `None`: the payer chooses.
    pub amount: Option<Msat>,
    /// Who is paid.
    pub payee: NodeId,
    /// "bitcoin", "testnet", "signet" or "regtest".
    pub network: String,
    /// Unix seconds.
    pub created_at_s: u64,
    /// Unix seconds.
    pub expires_at_s: u64,
    /// The payee's words; untrusted.
    pub description: String,
    /// We are the payee.
    pub ours: bool,
}

/// An offer that somebody gave us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodedOffer {
    /// Names the offer.
    pub offer_id: [u8; 32],
    /// The issuer's signing key; `None` where the offer hides it.
    pub payee: Option<NodeId>,
    /// What it asks for; `None`: the payer chooses.
    pub amount: Option<Msat>,
    /// Where it can be paid: "bitcoin", "testnet", "signet" or "regtest".
    pub networks: Vec<String>,
    /// Unix seconds; `None`: never.
    pub expires_at_s: Option<u64>,
    /// The payee's words; untrusted.
    pub description: String,
}

/// An offer to pay, within what an approval allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayOffer {
    /// The intent's name, 1–200 bytes. The payee can see it: it is the note by which the payment is found again.
    pub key: String,
    /// The offer.
    pub bolt12: String,
    /// How much.
    pub amount: Msat,
    /// Routing fees above this fail the payment.
    pub fee_ceiling: Msat,
}

/// Whether a payment of some amount would arrive now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanReceive {
    /// It would.
    pub yes: bool,
    /// Why, in a sentence for a person.
    pub reason: String,
    /// The largest amount that would be a yes now.
    pub limit: Msat,
}

/// What to pay, within what an approval allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayRequest {
    /// The invoice.
    pub bolt11: String,
    /// Only for an invoice without an amount.
    pub amount: Option<Msat>,
    /// Routing fees above this fail the payment.
    pub fee_ceiling: Msat,
    /// Refuse unless the invoice names this payee.
    pub payee: Option<NodeId>,
    /// Try again a payment that failed before; otherwise its failure is the answer.
    pub retry_failed: bool,
}

/// How far a payment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PaymentStatus {
    /// Never asked for here.
    Unknown,
    /// Asked for, with no record: the wallet stopped in between. Paying an invoice again is safe; an offer is not asked
    /// again.
    InDoubt,
    /// Under way.
    Pending,
    /// Done.
    Succeeded,
    /// Not done. It can still turn into `Succeeded` by a late settlement.
    Failed,
}

/// What kind of payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PaymentKind {
    /// BOLT11.
    Bolt11,
    /// BOLT12.
    Bolt12,
    /// A transaction.
    Onchain,
    /// Keysend or a kind that this version does not know.
    Other,
}

/// A payment as the wallet records it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// The wallet's id of it.
    pub payment_id: [u8; 32],
    /// `None` for on-chain ones.
    pub payment_hash: Option<PaymentHash>,
    /// What kind.
    pub kind: PaymentKind,
    /// We pay.
    pub outbound: bool,
    /// `None` while not known.
    pub amount: Option<Msat>,
    /// `None` while not known.
    pub fee: Option<Msat>,
    /// How far.
    pub status: PaymentStatus,
    /// Unix seconds of the last change.
    pub updated_at_s: u64,
    /// The receipt of a payment that succeeded.
    pub preimage: Option<[u8; 32]>,
    /// On-chain ones.
    pub txid: Option<String>,
    /// On-chain ones; `None`: not in a block.
    pub confirmed_height: Option<u32>,
    /// Why it failed, in a sentence for a person.
    pub failure: Option<String>,
    /// The key of [`PayOffer`], for payments to offers.
    pub key: Option<String>,
}

/// What an on-chain transaction of the wallet was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnchainRole {
    /// Somebody paid to an address of ours.
    Deposit,
    /// Asked for by [`Wallet::send_onchain`](super::Wallet::send_onchain).
    Send,
    /// It funds a channel.
    ChannelFunding,
    /// It pays a closed channel out.
    ChannelClose,
    /// Fees for closing, or nothing that the wallet can tell.
    Other,
}

/// A transaction of the wallet: an outgoing one from its first sight on, an incoming one once it is in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Its id, as hexadecimal text.
    pub txid: String,
    /// It takes sats away.
    pub outbound: bool,
    /// What it brought, or took without its fee, in satoshi.
    pub amount_sat: u64,
    /// Fee in satoshi, of outgoing ones.
    pub fee_sat: u64,
    /// What it was.
    pub role: OnchainRole,
    /// `None`: not in a block.
    pub confirmed_height: Option<u32>,
    /// Unix seconds of the wallet's last news of it.
    pub seen_at_s: u64,
    /// The channel that it funds or pays out.
    pub channel_id: Option<ChannelId>,
}

/// One page of transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionPage {
    /// Each of them once.
    pub transactions: Vec<Transaction>,
    /// `None`: that was all.
    pub next: Option<String>,
}

/// One page of payments, oldest change first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentPage {
    /// At most the limit that was asked for.
    pub payments: Vec<Payment>,
    /// `None`: that was all.
    pub next: Option<String>,
}

/// On-chain: how much to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnchainAmount {
    /// Satoshi, fees on top.
    Sat(u64),
    /// Everything but the anchor reserve, fees included.
    All,
}

/// What became of an on-chain send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnchainSend {
    /// `None`: the wallet stopped between intent and outcome and cannot tell; nothing is sent again under this key.
    pub txid: Option<String>,
    /// This key was used before.
    pub existed: bool,
}

/// What to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenChannel {
    /// The peer.
    pub node_id: NodeId,
    /// Its `host:port`.
    pub address: String,
    /// Satoshi.
    pub capacity_sat: u64,
    /// Given to the peer at once.
    pub push: Msat,
    /// Announce it to the network.
    pub announce: bool,
    /// Do nothing if a channel with this peer is open or pending.
    pub only_if_none: bool,
    /// Base fee for what we forward over it; `None`: the default, 1,000 msat.
    pub forwarding_fee_base: Option<Msat>,
}
