//! Sats on their way from closed channels to the chain: how much, how far, why, and from which block they are ours.
use std::collections::{HashMap, HashSet};

use autopilot_proto::wallet::v1::{CloseStage, PendingClose};
use ldk_node::{
    BalanceDetails, LightningBalance, PendingSweepBalance,
    lightning::{chain::channelmonitor::BalanceSource, ln::types::ChannelId},
    payment::{ConfirmationStatus, PaymentDetails, PaymentDirection, PaymentKind},
};

/// Blocks until a confirmed closing output is treated as final.
const ANTI_REORG_DELAY: u32 = 6;

pub(crate) fn is_onchain(payment: &&PaymentDetails) -> bool {
    matches!(payment.kind, PaymentKind::Onchain { .. })
}

/// The on-chain wallet's confirmed transactions: what they leave us, and what of a closing channel they already count.
///
/// The engine's own totals cannot tell: a sweep that waits for a block pays our change address, and counts there as
/// spendable while it is still listed as closing.
#[derive(Default)]
pub(crate) struct Confirmed {
    received_sat: u64,
    sent_sat: u64,
    /// Height and amount → transaction.
    receipts: HashMap<(u32, u64), String>,
    txids: HashSet<String>,
}

impl Confirmed {
    pub(crate) fn read(payments: &[PaymentDetails]) -> Self {
        let mut confirmed = Self::default();
        for payment in payments {
            let PaymentKind::Onchain { txid, status } = &payment.kind else {
                continue;
            };
            let amount_sat = payment.amount_msat.unwrap_or(0) / 1_000;
            match (payment.direction, status) {
                (PaymentDirection::Inbound, ConfirmationStatus::Unconfirmed) => {}
                (PaymentDirection::Inbound, ConfirmationStatus::Confirmed { height, .. }) => {
                    confirmed.received_sat += amount_sat;
                    confirmed.receipts.insert((*height, amount_sat), txid.to_string());
                    confirmed.txids.insert(txid.to_string());
                }
                // What is on its way out is no longer ours.
                (PaymentDirection::Outbound, _) => {
                    confirmed.sent_sat += amount_sat + payment.fee_paid_msat.unwrap_or(0) / 1_000;
                }
            }
        }
        confirmed
    }

    /// The transaction that paid a channel out to our own address when both sides closed it.
    pub(crate) fn payout(&self, close: &PendingClose) -> Option<&str> {
        let closed_at = (close.spendable_at_height + 1).saturating_sub(ANTI_REORG_DELAY);
        let txid = self.receipts.get(&(closed_at, close.amount_sat));
        txid.filter(|_| close.stage() == CloseStage::PaidOut)
            .map(String::as_str)
    }

    /// What is ours by them, in satoshi.
    pub(crate) fn balance_sat(&self) -> u64 {
        self.received_sat.saturating_sub(self.sent_sat)
    }
}

pub(crate) fn pending_closes(
    details: &BalanceDetails,
    open: &HashSet<ChannelId>,
    onchain: &Confirmed,
) -> Vec<PendingClose> {
    let mut closes: Vec<PendingClose> = details
        .pending_balances_from_channel_closures
        .iter()
        .map(|sweep| sweep_close(sweep, onchain))
        .collect();
    let swept: HashSet<(Vec<u8>, u64)> = closes
        .iter()
        .map(|close| (close.channel_id.clone(), close.amount_sat))
        .collect();
    let claims = details
        .lightning_balances
        .iter()
        .filter_map(|balance| claim_close(balance, open, onchain));
    // A claim that the sweeper has taken over is listed by both for a while.
    closes.extend(claims.filter(|close| !swept.contains(&(close.channel_id.clone(), close.amount_sat))));
    closes.retain(|close| close.amount_sat > 0);
    closes
}

fn claim_close(
    balance: &LightningBalance,
    open: &HashSet<ChannelId>,
    onchain: &Confirmed,
) -> Option<PendingClose> {
    use LightningBalance as B;
    let close =
        |channel_id: &ChannelId, amount_sat: u64, stage: CloseStage, height: u32, why: &str| PendingClose {
            channel_id: channel_id.0.to_vec(),
            amount_sat,
            stage: stage.into(),
            why: why.to_owned(),
            spendable_at_height: height,
            sweep_txid: String::new(),
            counted_onchain: stage == CloseStage::PaidOut,
        };
    let close = match balance {
        B::ClaimableOnChannelClose { channel_id, .. } if open.contains(channel_id) => return None,
        B::ClaimableOnChannelClose {
            channel_id,
            amount_satoshis,
            ..
        } => {
            let why = "the closing transaction waits for a block";
            close(
                channel_id,
                *amount_satoshis,
                CloseStage::ClosingUnconfirmed,
                0,
                why,
            )
        }
        B::ClaimableAwaitingConfirmations {
            channel_id,
            amount_satoshis,
            confirmation_height,
            source,
            ..
        } => {
            let closed_at = (confirmation_height + 1).saturating_sub(ANTI_REORG_DELAY);
            let paid_out = onchain.receipts.contains_key(&(closed_at, *amount_satoshis));
            let (stage, why) = match source {
                BalanceSource::CoopClose if paid_out => (
                    CloseStage::PaidOut,
                    "closed together; the payout is on chain and being buried",
                ),
                BalanceSource::CoopClose => (
                    CloseStage::AwaitingDelay,
                    "closed together; the payout waits for confirmations",
                ),
                BalanceSource::HolderForceClosed => (
                    CloseStage::AwaitingDelay,
                    "we closed by force; the delay that lets the peer object is running",
                ),
                BalanceSource::CounterpartyForceClosed => (
                    CloseStage::AwaitingDelay,
                    "the peer closed by force; the payout waits for confirmations",
                ),
                BalanceSource::Htlc => (
                    CloseStage::AwaitingDelay,
                    "a payment under way at closing; it is being claimed",
                ),
            };
            close(channel_id, *amount_satoshis, stage, *confirmation_height, why)
        }
        B::ContentiousClaimable {
            channel_id,
            amount_satoshis,
            timeout_height,
            ..
        } => {
            let why =
                "a payment to us under way at closing; the peer could still take it back after this height";
            close(
                channel_id,
                *amount_satoshis,
                CloseStage::Contested,
                *timeout_height,
                why,
            )
        }
        B::MaybeTimeoutClaimableHTLC {
            channel_id,
            amount_satoshis,
            claimable_height,
            outbound_payment: true,
            ..
        } => {
            if open.contains(channel_id) {
                return None;
            }
            let why = "a payment of ours under way at closing; ours again unless the payee claims it";
            close(
                channel_id,
                *amount_satoshis,
                CloseStage::Contested,
                *claimable_height,
                why,
            )
        }
        B::MaybeTimeoutClaimableHTLC { .. } | B::MaybePreimageClaimableHTLC { .. } => return None,
        B::CounterpartyRevokedOutputClaimable {
            channel_id,
            amount_satoshis,
            ..
        } => {
            let why = "the peer closed with an old state; its money is being taken as the penalty";
            close(channel_id, *amount_satoshis, CloseStage::Contested, 0, why)
        }
    };
    Some(close)
}

fn sweep_close(sweep: &PendingSweepBalance, onchain: &Confirmed) -> PendingClose {
    use PendingSweepBalance as S;
    let id = |channel_id: &Option<ChannelId>| channel_id.map(|id| id.0.to_vec()).unwrap_or_default();
    match sweep {
        S::PendingBroadcast {
            channel_id,
            amount_satoshis,
        } => PendingClose {
            channel_id: id(channel_id),
            amount_sat: *amount_satoshis,
            stage: CloseStage::SweepPending.into(),
            why: "ours; the transaction that brings it to our address is next".into(),
            ..PendingClose::default()
        },
        S::BroadcastAwaitingConfirmation {
            channel_id,
            latest_spending_txid,
            amount_satoshis,
            ..
        } => PendingClose {
            channel_id: id(channel_id),
            amount_sat: *amount_satoshis,
            stage: CloseStage::SweepUnconfirmed.into(),
            why: "on its way to our address; the sweep waits for a block".into(),
            sweep_txid: latest_spending_txid.to_string(),
            ..PendingClose::default()
        },
        S::AwaitingThresholdConfirmations {
            channel_id,
            latest_spending_txid,
            confirmation_height,
            amount_satoshis,
            ..
        } => PendingClose {
            channel_id: id(channel_id),
            amount_sat: *amount_satoshis,
            stage: CloseStage::SweepConfirmed.into(),
            why: "at our address; being buried".into(),
            spendable_at_height: *confirmation_height,
            sweep_txid: latest_spending_txid.to_string(),
            counted_onchain: onchain.txids.contains(&latest_spending_txid.to_string()),
        },
    }
}
