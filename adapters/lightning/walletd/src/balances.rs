//! What is ours, by what can be done with it.
//!
//! The engine's own totals lie for small sums (a balance below 354 sat shows as 0) and overlap while channels close.
//! Here every satoshi is counted once: in a channel, on its way out of a closed one, or confirmed on chain.
use std::collections::HashSet;

use autopilot_proto::wallet::v1::{Balances, CanReceiveReply, Channel};
use ldk_node::{BalanceDetails, ChannelDetails, LightningBalance, lightning::ln::types::ChannelId};

use crate::{
    books::ChannelRecord,
    closing::{Confirmed, is_onchain, pending_closes},
    failure::Answer,
    wallet::Wallet,
};

/// Two anchor outputs of 330 sat, paid by the channel's funder.
const ANCHORS_MSAT: u64 = 660_000;

impl Wallet {
    pub(crate) fn balances(&self) -> Answer<Balances> {
        let (channels, details) = (self.node.list_channels(), self.node.list_balances());
        self.remember_channels(&channels, &details)?;
        let open: HashSet<ChannelId> = channels.iter().map(|channel| channel.channel_id).collect();
        let onchain = Confirmed::read(&self.node.list_payments_with_filter(is_onchain));
        let pending_closes = pending_closes(&details, &open, &onchain);
        for close in &pending_closes {
            let paid_out = onchain.payout(close);
            self.note_closing(paid_out.unwrap_or(&close.sweep_txid), &close.channel_id)?;
        }
        let mut sums = Balances {
            closing_msat: pending_closes
                .iter()
                .filter(|close| !close.counted_onchain)
                .map(|close| close.amount_sat * 1_000)
                .sum(),
            onchain_spendable_sat: details.spendable_onchain_balance_sats,
            // What is sent and not in a block yet has left the total, and not these.
            onchain_confirmed_sat: onchain.balance_sat().min(details.total_onchain_balance_sats),
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
                channel_id: Some(key.clone()),
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

    /// What was ours in a channel when both sides closed it, by its last commitment transaction. A payment may end and
    /// its channel close faster than channels are looked at, so that what is remembered is one payment old.
    /// Remembered in its turn: the engine tells it only until the closing is in a block.
    pub(crate) fn remember_close(&self, id: &ChannelId) -> Answer<Option<ChannelRecord>> {
        let key = hex::encode(id.0);
        let known: Option<ChannelRecord> = self.books.channels.read(&key)?;
        let Some(mut record) = known else {
            return Ok(None);
        };
        let claimed_sat = claimable_sat(*id, &self.node.list_balances());
        if let Some(last_balance_msat) = claimed_sat.and_then(|sat| record.balance_by_claim(sat)) {
            record.last_balance_msat = last_balance_msat;
            self.books.channels.write(&key, &record)?;
        }
        Ok(Some(record))
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

/// Told at a channel's first sight, before any payment: then only anchor outputs can be missing from the sum of both
/// sides. Our side is taken from the engine's claim, which is exact above the dust limit and at most that far off.
fn has_anchors(channel: &ChannelDetails, details: &BalanceDetails) -> bool {
    let claimable_sat = claimable_sat(channel.channel_id, details);
    let ours_msat = match channel.outbound_capacity_msat {
        0 => claimable_sat.unwrap_or(0) * 1_000,
        above => above + our_reserve_msat(channel),
    };
    let known_msat = ours_msat + channel.inbound_capacity_msat + their_reserve_msat(channel);
    known_msat + ANCHORS_MSAT <= channel.channel_value_sats * 1_000
}

/// Our output of the last commitment transaction and the fee that we pay for it, until a closing is in a block. An
/// output below the dust limit counts as fee.
fn claimable_sat(id: ChannelId, details: &BalanceDetails) -> Option<u64> {
    details
        .lightning_balances
        .iter()
        .find_map(|balance| match balance {
            LightningBalance::ClaimableOnChannelClose {
                channel_id,
                amount_satoshis,
                transaction_fee_satoshis,
                ..
            } if *channel_id == id => Some(amount_satoshis + transaction_fee_satoshis),
            _ => None,
        })
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
