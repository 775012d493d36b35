//! On-chain transactions and what each was: the engine lists them by amount and direction alone.
//!
//! What brought sats from a closed channel is told from the engine's own list of closings while that lasts, and kept.
//! A wallet that slept through a whole closing tells it from the sum: what is left of a channel's balance after fees.
use autopilot_proto::wallet::v1::{self as rpc, OnchainRole};
use ldk_node::{
    lightning::ln::types::ChannelId,
    payment::{ConfirmationStatus, PaymentDetails, PaymentDirection, PaymentKind},
};
use serde::{Deserialize, Serialize};

use crate::{
    books::{ChannelRecord, SendRecord},
    closing::is_onchain,
    failure::{Answer, invalid},
    wallet::Wallet,
};

/// The most that closing a channel may have cost where nothing but the sum tells the closing, in satoshi.
const CLOSING_FEES_LIMIT_SAT: u64 = 20_000;
const PAGE_LIMIT: usize = 500;

/// What an incoming transaction was, as it was first told: it stays so.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct ReceiptRecord {
    /// The closed channel that it came from; `None`: somebody paid to an address of ours.
    pub(crate) channel_id: Option<String>,
}

impl Wallet {
    /// Transactions that count: outgoing ones at first sight, incoming ones once they are in a block.
    pub(crate) fn list_onchain(&self, request: &rpc::ListOnchainRequest) -> Answer<rpc::ListOnchainReply> {
        // Notes what the engine tells of closings now.
        self.balances()?;
        let mut found = self.node.list_payments_with_filter(is_onchain);
        found.retain(|payment| payment.direction == PaymentDirection::Outbound || is_confirmed(payment));
        found.sort_by_key(|payment| payment.id.0);
        let after = match request.page_token.as_str() {
            "" => None,
            token => Some(hex::decode(token).map_err(|_| invalid("this is no page token"))?),
        };
        found.retain(|payment| {
            after
                .as_ref()
                .is_none_or(|after| payment.id.0.as_slice() > after.as_slice())
        });
        let more = found.len() > PAGE_LIMIT;
        found.truncate(PAGE_LIMIT);
        let next_page_token = match found.last() {
            Some(last) if more => hex::encode(last.id.0),
            _ => String::new(),
        };
        let transactions = found
            .iter()
            .map(|payment| self.transaction(payment))
            .collect::<Answer<_>>()?;
        Ok(rpc::ListOnchainReply {
            transactions,
            next_page_token,
        })
    }

    fn transaction(&self, payment: &PaymentDetails) -> Answer<rpc::Transaction> {
        let mut answer = rpc::Transaction {
            outbound: payment.direction == PaymentDirection::Outbound,
            amount_sat: payment.amount_msat.unwrap_or(0) / 1_000,
            fee_sat: payment.fee_paid_msat.unwrap_or(0) / 1_000,
            seen_at_s: payment.latest_update_timestamp,
            ..rpc::Transaction::default()
        };
        if let PaymentKind::Onchain { txid, status } = &payment.kind {
            answer.txid = txid.to_string();
            if let ConfirmationStatus::Confirmed { height, .. } = status {
                answer.confirmed_height = *height;
            }
        }
        let (role, channel_id) = match answer.outbound {
            true => self.role_of_outgoing(&answer.txid)?,
            false => self.role_of_incoming(&answer)?,
        };
        answer.set_role(role);
        answer.channel_id = channel_id.and_then(|id| hex::decode(id).ok()).unwrap_or_default();
        Ok(answer)
    }

    fn role_of_outgoing(&self, txid: &str) -> Answer<(OnchainRole, Option<String>)> {
        for channel in self.books.channels.all::<ChannelRecord>()? {
            let funding = channel.funding_outpoint.split(':').next();
            if channel.outbound && funding == Some(txid) {
                return Ok((OnchainRole::ChannelFunding, channel.channel_id));
            }
        }
        let sends: Vec<SendRecord> = self.books.sends.all()?;
        let ours = sends.iter().any(|send| send.txid.as_deref() == Some(txid));
        let role = if ours {
            OnchainRole::Send
        } else {
            OnchainRole::Other
        };
        Ok((role, None))
    }

    fn role_of_incoming(&self, transaction: &rpc::Transaction) -> Answer<(OnchainRole, Option<String>)> {
        let known: Option<ReceiptRecord> = self.books.receipts.read(&transaction.txid)?;
        let record = match known {
            Some(record) => record,
            None => {
                let channel_id = self.closing_that_fits(transaction.amount_sat)?;
                let record = ReceiptRecord { channel_id };
                self.books.receipts.write(&transaction.txid, &record)?;
                record
            }
        };
        Ok(match record.channel_id {
            Some(id) => (OnchainRole::ChannelClose, Some(id).filter(|id| !id.is_empty())),
            None => (OnchainRole::Deposit, None),
        })
    }

    /// The closed channel, none of whose sats arrived yet, that this sum can be the rest of.
    fn closing_that_fits(&self, amount_sat: u64) -> Answer<Option<String>> {
        let open: Vec<ChannelId> = self
            .node
            .list_channels()
            .iter()
            .map(|channel| channel.channel_id)
            .collect();
        let arrived: Vec<ReceiptRecord> = self.books.receipts.all()?;
        for channel in self.books.channels.all::<ChannelRecord>()? {
            let Some(id) = &channel.channel_id else { continue };
            let is_open = open.iter().any(|open| hex::encode(open.0) == *id);
            let is_paid = arrived
                .iter()
                .any(|receipt| receipt.channel_id.as_ref() == Some(id));
            let most_sat = (channel.last_balance_msat + channel.anchors_msat()) / 1_000;
            let least_sat = most_sat.saturating_sub(CLOSING_FEES_LIMIT_SAT);
            if !is_open && !is_paid && (least_sat..=most_sat).contains(&amount_sat) {
                return Ok(Some(id.clone()));
            }
        }
        Ok(None)
    }

    /// Keeps which closed channel a transaction pays out, for as long as the engine tells.
    pub(crate) fn note_closing(&self, txid: &str, channel_id: &[u8]) -> Answer<()> {
        let known: Option<ReceiptRecord> = self.books.receipts.read(txid)?;
        if !txid.is_empty() && known.is_none() {
            let channel_id = Some(hex::encode(channel_id));
            self.books.receipts.write(txid, &ReceiptRecord { channel_id })?;
        }
        Ok(())
    }
}

fn is_confirmed(payment: &PaymentDetails) -> bool {
    let PaymentKind::Onchain { status, .. } = &payment.kind else {
        return false;
    };
    matches!(status, ConfirmationStatus::Confirmed { .. })
}
