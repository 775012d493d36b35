//! What happens to a wallet.
use autopilot_events::words::{Msat, PaymentHash};

use super::{ChannelId, NodeId};

/// What the wallet saw happen. Given again until [`super::Wallet::ack_event`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalletEvent {
    /// Equal for every delivery of one happening.
    pub id: [u8; 32],
    /// What happened.
    pub kind: WalletEventKind,
}

/// The things that happen to a wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WalletEventKind {
    /// Money arrived.
    PaymentReceived {
        /// The wallet's id of it.
        payment_id: [u8; 32],
        /// Binds it to an invoice, and so to a job.
        payment_hash: PaymentHash,
        /// What arrived.
        amount: Msat,
        /// The key of the invoice; `None` for offers.
        invoice_key: Option<String>,
        /// Unix seconds, by the wallet.
        settled_at_s: u64,
        /// What the payee of the invoice knew, and the payer knows now.
        preimage: Option<[u8; 32]>,
    },
    /// A payment of ours arrived.
    PaymentSuccessful {
        /// The wallet's id of it.
        payment_id: [u8; 32],
        /// Its hash.
        payment_hash: PaymentHash,
        /// The receipt.
        preimage: Option<[u8; 32]>,
        /// Without the fee.
        amount: Option<Msat>,
        /// What routing cost.
        fee: Msat,
        /// Unix seconds, by the wallet.
        settled_at_s: u64,
        /// The key of [`super::PayOffer`], for payments to offers.
        key: Option<String>,
    },
    /// A payment of ours failed.
    PaymentFailed {
        /// The wallet's id of it.
        payment_id: [u8; 32],
        /// `None`: failed before there was an invoice (BOLT12).
        payment_hash: Option<PaymentHash>,
        /// A sentence for a person.
        reason: String,
        /// The key of [`super::PayOffer`], for payments to offers.
        key: Option<String>,
    },
    /// A channel is being opened.
    ChannelPending {
        /// Its id.
        channel_id: ChannelId,
        /// The peer.
        counterparty: NodeId,
        /// `txid:vout`.
        funding_outpoint: String,
    },
    /// A channel can be used.
    ChannelReady {
        /// Its id.
        channel_id: ChannelId,
        /// The peer; `None` when the wallet does not say.
        counterparty: Option<NodeId>,
        /// `txid:vout`.
        funding_outpoint: String,
        /// Capacity in satoshi.
        capacity_sat: u64,
        /// Ours at first sight: the opening push when the peer opened it, which is a grant and never earnings.
        opening_balance: Msat,
        /// We opened it.
        outbound: bool,
        /// Ours beside the balance, in anchor outputs.
        anchors: Msat,
    },
    /// A channel was closed.
    ChannelClosed {
        /// Its id.
        channel_id: ChannelId,
        /// The peer; `None` when the wallet does not say.
        counterparty: Option<NodeId>,
        /// A sentence for a person.
        reason: String,
        /// Ours when last seen open; what arrives is less by fees and dust.
        balance: Msat,
        /// Both sides agreed.
        cooperative: bool,
        /// Ours beside the balance, in anchor outputs.
        anchors: Msat,
    },
    /// We forwarded somebody's payment.
    PaymentForwarded {
        /// What we earned by it.
        fee_earned: Msat,
        /// What went on.
        amount: Msat,
    },
    /// Something that this version has no word for; acknowledge it.
    Other {
        /// What the wallet calls it.
        what: String,
    },
}
