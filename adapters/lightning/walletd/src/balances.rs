//! What is ours, by what can be done with it.
//!
//! The engine's own totals lie for small sums (a balance below 354 sat shows as 0) and overlap while channels close.
//! Here every satoshi is counted once: in a channel, on its way out of a closed one, or confirmed on chain.
use std::collections::{HashMap, HashSet};

use autopilot_proto::wallet::v1::{Balances, CanReceiveReply, Channel, CloseStage, PendingClose};
use ldk_node::{
    BalanceDetails, ChannelDetails, LightningBalance, PendingSweepBalance,
    lightning::{chain::channelmonitor::BalanceSource, ln::types::ChannelId},
    payment::{ConfirmationStatus, PaymentDetails, PaymentDirection, PaymentKind},
};

use crate::{books::ChannelRecord, failure::Answer, wallet::Wallet};

/// Two anchor outputs of 330 sat, paid by the channel's funder.
const ANCHORS_MSAT: u64 = 660_000;
/// Blocks until a confirmed closing output is treated as final.
const ANTI_REORG_DELAY: u32 = 6;

impl Wallet {
    pub(crate) fn balances(&self) -> Answer<Balances> {
        let (channels, details) = (self.node.list_channels(), self.node.list_balances());
        self.remember_channels(&channels, &details)?;
        let open: HashSet<ChannelId> = channels.iter().map(|channel| channel.channel_id).collect();
        let onchain = OnchainReceipts::read(&self.node.list_payments_with_filter(is_onchain_receipt));
        let pending_closes = pending_closes(&details, &open, &onchain);
        let mut sums = Balances {
            closing_msat: pending_closes
                .iter()
                .filter(|close| !close.counted_onchain)
                .map(|close| close.amount_sat * 1_000)
                .sum(),
            onchain_spendable_sat: details.spendable_onchain_balance_sats,
            onchain_confirmed_sat: details
                .total_onchain_balance_sats
                .saturating_sub(onchain.unconfirmed_sat),
            onchain_total_sat: details.total_onchain_balance_sats,
            onchain_anchor_reserve_sat: details.total_anchor_channels_reserve_sats,
            pending_closes,
            tip_height: self.tip_height(),
            ..Balances::default()
        };
        for channel in &channels {
            let channel = self.channel(channel, &details)?;
            let sendable = if channel.ready { channel.spendable_msat } else { 0 };
            sums.reserved_msat += channel.balance_msat.saturating_sub(sendable);
            if channel.usable {
                sums.spendable_msat += sendable;
                sums.receivable_msat += channel.receivable_msat;
            } else {
                sums.offline_msat += sendable;
            }
            sums.channels.push(channel);
        }
        Ok(sums)
    }

    fn channel(&self, channel: &ChannelDetails, details: &BalanceDetails) -> Answer<Channel> {
        let id = channel.channel_id.0;
        let record: Option<ChannelRecord> = self.books.channels.read(&hex::encode(id))?;
        let anchors = record
            .as_ref()
            .map_or_else(|| has_anchors(channel, details), |record| record.anchors);
        let balance_msat = balance_msat(channel, anchors);
        Ok(Channel {
            channel_id: id.to_vec(),
            funding_outpoint: channel.funding_txo.map(|out| out.to_string()).unwrap_or_default(),
            counterparty: channel.counterparty_node_id.serialize().to_vec(),
            capacity_sat: channel.channel_value_sats,
            balance_msat,
            spendable_msat: channel.next_outbound_htlc_limit_msat.min(balance_msat),
            receivable_msat: receivable_msat(channel, anchors),
            our_reserve_sat: channel.unspendable_punishment_reserve.unwrap_or(0),
            their_reserve_sat: channel.counterparty_unspendable_punishment_reserve,
            ready: channel.is_channel_ready,
            usable: channel.is_usable,
            outbound: channel.is_outbound,
            confirmations: channel.confirmations.unwrap_or(0),
            opening_balance_msat: record.map_or(balance_msat, |record| record.opening_balance_msat),
        })
    }

    /// Notes each channel at its first sight, with its opening balance, and its balance whenever that changes.
    pub(crate) fn remember_channels(
        &self,
        channels: &[ChannelDetails],
        details: &BalanceDetails,
    ) -> Answer<()> {
        for channel in channels {
            let Some(funding) = channel.funding_txo else {
                continue;
            };
            let key = hex::encode(channel.channel_id.0);
            let known: Option<ChannelRecord> = self.books.channels.read(&key)?;
            let anchors = known
                .as_ref()
                .map_or_else(|| has_anchors(channel, details), |known| known.anchors);
            let balance_msat = balance_msat(channel, anchors);
            let record = ChannelRecord {
                counterparty: channel.counterparty_node_id.to_string(),
                capacity_sat: channel.channel_value_sats,
                funding_outpoint: funding.to_string(),
                outbound: channel.is_outbound,
                anchors,
                opening_balance_msat: known
                    .as_ref()
                    .map_or(balance_msat, |known| known.opening_balance_msat),
                last_balance_msat: balance_msat,
            };
            if known.as_ref() != Some(&record) {
                self.books.channels.write(&key, &record)?;
            }
        }
        Ok(())
    }

    pub(crate) fn can_receive(&self, amount_msat: u64) -> Answer<CanReceiveReply> {
        let (channels, details) = (self.node.list_channels(), self.node.list_balances());
        self.remember_channels(&channels, &details)?;
        let usable: Vec<&ChannelDetails> = channels.iter().filter(|channel| channel.is_usable).collect();
        let mut limit_msat = 0;
        for channel in &usable {
            limit_msat += self.channel(channel, &details)?.receivable_msat;
        }
        let minimum_msat = usable
            .iter()
            .map(|channel| channel.inbound_htlc_minimum_msat)
            .min()
            .unwrap_or(0)
            .max(1);
        let (yes, reason) = if channels.is_empty() {
            (false, "there is no channel yet".to_owned())
        } else if usable.is_empty() {
            let why = if channels.iter().any(|channel| channel.is_channel_ready) {
                "no channel's peer is connected"
            } else {
                "no channel is ready yet"
            };
            (false, why.to_owned())
        } else if amount_msat < minimum_msat {
            (
                false,
                format!("the smallest payment that a channel takes is {minimum_msat} msat"),
            )
        } else if amount_msat > limit_msat {
            let capacity_msat: u64 = usable.iter().map(|channel| channel.inbound_capacity_msat).sum();
            let why = if amount_msat > capacity_msat {
                "the other side has no more than that to send"
            } else {
                "what may be under way at once, and the other side's fees and reserve, allow no more than that"
            };
            (false, format!("{limit_msat} msat at most: {why}"))
        } else {
            (true, format!("up to {limit_msat} msat can arrive now"))
        };
        Ok(CanReceiveReply {
            yes,
            reason,
            limit_msat,
            minimum_msat,
        })
    }
}

fn is_onchain_receipt(payment: &&PaymentDetails) -> bool {
    payment.direction == PaymentDirection::Inbound && matches!(payment.kind, PaymentKind::Onchain { .. })
}

/// Told at a channel's first sight, before any payment: then only anchor outputs can be missing from the sum of both
/// sides. Our side is taken from the engine's claim, which is exact above the dust limit and at most that far off.
fn has_anchors(channel: &ChannelDetails, details: &BalanceDetails) -> bool {
    let claimable_sat = details
        .lightning_balances
        .iter()
        .find_map(|balance| match balance {
            LightningBalance::ClaimableOnChannelClose {
                channel_id,
                amount_satoshis,
                transaction_fee_satoshis,
                ..
            } if *channel_id == channel.channel_id => Some(amount_satoshis + transaction_fee_satoshis),
            _ => None,
        });
    let ours_msat = match channel.outbound_capacity_msat {
        0 => claimable_sat.unwrap_or(0) * 1_000,
        above => above + our_reserve_msat(channel),
    };
    let known_msat = ours_msat + channel.inbound_capacity_msat + their_reserve_msat(channel);
    known_msat + ANCHORS_MSAT <= channel.channel_value_sats * 1_000
}

fn our_reserve_msat(channel: &ChannelDetails) -> u64 {
    channel.unspendable_punishment_reserve.unwrap_or(0) * 1_000
}

fn their_reserve_msat(channel: &ChannelDetails) -> u64 {
    channel.counterparty_unspendable_punishment_reserve * 1_000
}

/// What the two sides share.
fn shared_msat(channel: &ChannelDetails, anchors: bool) -> u64 {
    (channel.channel_value_sats * 1_000).saturating_sub(if anchors { ANCHORS_MSAT } else { 0 })
}

/// Ours in this channel, to the millisatoshi, including what cannot be sent.
fn balance_msat(channel: &ChannelDetails, anchors: bool) -> u64 {
    match channel.outbound_capacity_msat {
        // Below our reserve that figure is 0, so take what is not the other side's.
        0 => shared_msat(channel, anchors)
            .saturating_sub(channel.inbound_capacity_msat)
            .saturating_sub(their_reserve_msat(channel)),
        // The engine takes our reserve off; nothing else.
        above => above + our_reserve_msat(channel),
    }
}

/// What is under way in payments, in either direction: what neither side has. Below our reserve it is not known.
fn under_way_msat(channel: &ChannelDetails, anchors: bool) -> u64 {
    match channel.outbound_capacity_msat {
        0 => 0,
        _ => shared_msat(channel, anchors)
            .saturating_sub(balance_msat(channel, anchors))
            .saturating_sub(channel.inbound_capacity_msat)
            .saturating_sub(their_reserve_msat(channel)),
    }
}

/// The largest single payment that the other side can send us: what it has beyond its reserve, less the commitment
/// fees that it must be able to pay as the funder, and no more than we let be under way at once.
fn receivable_msat(channel: &ChannelDetails, anchors: bool) -> u64 {
    let at_once_msat = channel.inbound_htlc_maximum_msat.unwrap_or(u64::MAX);
    let room_msat = at_once_msat.saturating_sub(under_way_msat(channel, anchors));
    let fees_msat = if channel.is_outbound {
        0
    } else {
        funder_fee_buffer_msat(channel, anchors)
    };
    channel
        .inbound_capacity_msat
        .saturating_sub(fees_msat)
        .min(room_msat)
}

/// What LDK makes a funder keep for fees: the commitment transaction with the new HTLC and one more, twice over on
/// channels without anchors.
fn funder_fee_buffer_msat(channel: &ChannelDetails, anchors: bool) -> u64 {
    let rate = u64::from(channel.feerate_sat_per_1000_weight);
    match anchors {
        true => rate * (1_124 + 2 * 172) / 1_000 * 1_000,
        false => 2 * (rate * (724 + 2 * 172) / 1_000) * 1_000,
    }
}

/// The on-chain wallet's receipts, to tell what of a closing channel it already counts.
#[derive(Default)]
struct OnchainReceipts {
    unconfirmed_sat: u64,
    confirmed: HashSet<(u32, u64)>,
    confirmed_txids: HashMap<String, u32>,
}

impl OnchainReceipts {
    fn read(payments: &[PaymentDetails]) -> Self {
        let mut receipts = Self::default();
        for payment in payments {
            let PaymentKind::Onchain { txid, status } = &payment.kind else {
                continue;
            };
            let amount_sat = payment.amount_msat.unwrap_or(0) / 1_000;
            match status {
                ConfirmationStatus::Confirmed { height, .. } => {
                    receipts.confirmed.insert((*height, amount_sat));
                    receipts.confirmed_txids.insert(txid.to_string(), *height);
                }
                ConfirmationStatus::Unconfirmed => receipts.unconfirmed_sat += amount_sat,
            }
        }
        receipts
    }
}

fn pending_closes(
    details: &BalanceDetails,
    open: &HashSet<ChannelId>,
    onchain: &OnchainReceipts,
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
    onchain: &OnchainReceipts,
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
            let paid_out = onchain.confirmed.contains(&(closed_at, *amount_satoshis));
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

fn sweep_close(sweep: &PendingSweepBalance, onchain: &OnchainReceipts) -> PendingClose {
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
            counted_onchain: onchain
                .confirmed_txids
                .contains_key(&latest_spending_txid.to_string()),
        },
    }
}
