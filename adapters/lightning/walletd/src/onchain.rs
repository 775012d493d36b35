//! On-chain: addresses, and sends keyed by intent.
use std::collections::HashSet;

use autopilot_proto::wallet::v1::{self as rpc, FailureCode, send_onchain_request::What};
use ldk_node::{
    bitcoin::{Address, address::NetworkUnchecked},
    payment::{PaymentDirection, PaymentKind},
};

use crate::{
    books::SendRecord,
    failure::{Answer, failed, invalid},
    wallet::{Wallet, check_key, now_s},
};

impl Wallet {
    pub(crate) fn new_onchain_address(&self) -> Answer<rpc::NewOnchainAddressReply> {
        let address = self.node.onchain_payment().new_address()?;
        Ok(rpc::NewOnchainAddressReply {
            address: address.to_string(),
        })
    }

    pub(crate) fn send_onchain(&self, request: &rpc::SendOnchainRequest) -> Answer<rpc::SendOnchainReply> {
        check_key(&request.key)?;
        let network = self.node.config().network;
        let address = request
            .address
            .parse::<Address<NetworkUnchecked>>()
            .map_err(|_| invalid("this is no bitcoin address"))?
            .require_network(network)
            .map_err(|_| {
                failed(
                    FailureCode::WrongNetwork,
                    format!("this address is not one of {network}"),
                )
            })?;
        let amount_sat = match request.what {
            Some(What::AmountSat(sat)) if sat > 0 => Some(sat),
            Some(What::All(true)) => None,
            _ => return Err(invalid("say how much: an amount in satoshi, or all")),
        };
        let _one = self.one_effect();
        if let Some(record) = self.books.sends.read::<SendRecord>(&request.key)? {
            if record.address != request.address || record.amount_sat != amount_sat {
                return Err(failed(
                    FailureCode::Conflict,
                    "this key belongs to another on-chain send",
                ));
            }
            if record.refused.is_none() {
                return self.earlier_send(record);
            }
        }
        self.at_tip()?;
        let mut record = SendRecord {
            key: request.key.clone(),
            address: request.address.clone(),
            amount_sat,
            asked_at_s: now_s(),
            txid: None,
            refused: None,
        };
        self.books.sends.write(&request.key, &record)?;
        let payments = self.node.onchain_payment();
        let sent = match amount_sat {
            Some(sat) => payments.send_to_address(&address, sat, None),
            None => payments.send_all_to_address(&address, true, None),
        };
        match sent {
            Ok(txid) => {
                record.txid = Some(txid.to_string());
                self.books.sends.write(&request.key, &record)?;
                Ok(rpc::SendOnchainReply {
                    txid: txid.to_string(),
                    existed: false,
                    in_doubt: false,
                })
            }
            Err(error) => {
                record.refused = Some(error.to_string());
                self.books.sends.write(&request.key, &record)?;
                Err(error.into())
            }
        }
    }

    /// A key that was used before: its transaction, found on chain if the wallet stopped before noting it.
    fn earlier_send(&self, mut record: SendRecord) -> Answer<rpc::SendOnchainReply> {
        if record.txid.is_none() {
            self.sync()?;
            record.txid = self.find_send(&record)?;
            if record.txid.is_some() {
                self.books.sends.write(&record.key, &record)?;
            }
        }
        let in_doubt = record.txid.is_none();
        Ok(rpc::SendOnchainReply {
            txid: record.txid.unwrap_or_default(),
            existed: true,
            in_doubt,
        })
    }

    /// The outgoing transaction of the same amount, not older than the intent, that no other key accounts for. More
    /// than one such transaction leaves the send in doubt.
    fn find_send(&self, record: &SendRecord) -> Answer<Option<String>> {
        let others: Vec<SendRecord> = self.books.sends.all()?;
        let taken: HashSet<String> = others.into_iter().filter_map(|other| other.txid).collect();
        let found = self.node.list_payments_with_filter(|payment| {
            payment.direction == PaymentDirection::Outbound
                && payment.latest_update_timestamp >= record.asked_at_s
                && record
                    .amount_sat
                    .is_none_or(|sat| payment.amount_msat == Some(sat * 1_000))
        });
        let mut txids = found.iter().filter_map(|payment| match &payment.kind {
            PaymentKind::Onchain { txid, .. } => Some(txid.to_string()).filter(|txid| !taken.contains(txid)),
            _ => None,
        });
        Ok(txids.next().filter(|_| txids.next().is_none()))
    }
}
