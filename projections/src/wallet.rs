//! The wallet as its facts tell it: figures as observed, totals as settled, and what was approved and has no outcome.
use std::collections::{BTreeMap, BTreeSet};

use autopilot_events::{Event, Recorded, pb, words::PaymentHash};
use serde::{Deserialize, Serialize};

use crate::{Projection, hexadecimal};

/// The last figures that the wallet gave. They overlap by nature and are never summed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Can be paid out over Lightning now.
    pub spendable_msat: u64,
    /// Ours, and not to be sent: the peer's reserve and fees set aside.
    pub reserved_msat: u64,
    /// Can arrive now.
    pub receivable_msat: u64,
    /// Ours, from channels that are being closed.
    pub closing_msat: u64,
    /// On chain, in satoshi.
    pub onchain_sat: u64,
    /// Ours on chain, in satoshi; `None` in observations of the first version.
    pub onchain_confirmed_sat: Option<u64>,
    /// Channels that can be used now.
    pub channels_usable: u32,
    /// All channels.
    pub channels: u32,
    /// When they were observed.
    pub observed_at_ms: i64,
}

/// A payment that was approved and has no outcome yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outgoing {
    /// What was approved: payee, ceiling, purpose.
    pub approval: pb::PaymentApproved,
    /// Attempts begun.
    pub attempts: u32,
    /// Number of the approval.
    pub approved_at: u64,
}

/// A payment to an offer that was approved and has no outcome yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct OutgoingOffer {
    approval: pb::OfferApproved,
    approved_at: u64,
}

/// The wallet view.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Wallet {
    /// Last observed.
    pub figures: Figures,
    /// The wallet's node, once it started, as hexadecimal text.
    pub node_id: String,
    /// Where it gets blocks from.
    pub chain_source: String,
    /// All that ever arrived over Lightning.
    pub received_msat: u64,
    /// Payments that arrived.
    pub received_count: u64,
    /// All that was ever sent, fees apart.
    pub sent_msat: u64,
    /// Fees of what was sent.
    pub fees_msat: u64,
    /// Given to us at channel openings: never earnings.
    pub granted_msat: u64,
    /// Sent away by the owner, fees apart.
    pub withdrawn_msat: u64,
    /// The last comparison with the wallet's own list.
    pub reconciled: Option<pb::WalletReconciled>,
    /// Open channels by the wallet's id: capacity in msat.
    pub channels: BTreeMap<String, u64>,
    outgoing: BTreeMap<PaymentHash, Outgoing>,
    onchain: BTreeMap<String, pb::OnchainApproved>,
    offers: BTreeMap<String, OutgoingOffer>,
    /// On-chain sends by transaction id, in satoshi, until the wallet lists the transaction.
    pub sends: BTreeMap<String, u64>,
    /// Closed channels that are not paid out.
    pub closing: BTreeSet<String>,
}

impl Wallet {
    /// Approved Lightning payments without an outcome.
    pub fn outgoing(&self) -> impl Iterator<Item = (&PaymentHash, &Outgoing)> {
        self.outgoing.iter()
    }

    /// One of them.
    pub fn outgoing_by_hash(&self, hash: &PaymentHash) -> Option<&Outgoing> {
        self.outgoing.get(hash)
    }

    /// Approved on-chain payments without an outcome, by intent id in hexadecimal.
    pub fn onchain(&self) -> impl Iterator<Item = (&String, &pb::OnchainApproved)> {
        self.onchain.iter()
    }

    /// Approved payments to offers without an outcome, by intent id in hexadecimal.
    pub fn offers(&self) -> impl Iterator<Item = (&String, &pb::OfferApproved)> {
        self.offers
            .iter()
            .map(|(intent, offer)| (intent, &offer.approval))
    }

    /// One of them, by its intent's 16 bytes.
    pub fn offer(&self, intent_id: &[u8]) -> Option<&pb::OfferApproved> {
        self.offers
            .get(&hexadecimal(intent_id))
            .map(|offer| &offer.approval)
    }

    /// Number of the fact that approved an outgoing payment, by its hash or its intent.
    pub fn approved_at(&self, hash: &PaymentHash, intent_id: &[u8]) -> Option<u64> {
        let invoice = self.outgoing.get(hash).map(|outgoing| outgoing.approved_at);
        let offer = || {
            self.offers
                .get(&hexadecimal(intent_id))
                .map(|offer| offer.approved_at)
        };
        invoice.or_else(offer)
    }
}

impl Projection for Wallet {
    const NAME: &'static str = "wallet";
    const VERSION: u32 = 4;

    fn apply(&mut self, fact: &Recorded) {
        match &fact.event {
            Event::WalletStarted(m) => {
                self.node_id = hexadecimal(&m.node_id);
                self.chain_source = m.chain_source.clone();
            }
            Event::WalletBalanceObserved(m) => {
                self.figures = Figures {
                    spendable_msat: m.spendable_msat,
                    reserved_msat: m.reserved_msat,
                    receivable_msat: m.receivable_msat,
                    closing_msat: m.closing_msat,
                    onchain_sat: m.onchain_sat,
                    onchain_confirmed_sat: m.onchain_confirmed_sat,
                    channels_usable: m.channels_usable,
                    channels: m.channels,
                    observed_at_ms: fact.fact.recorded_at_ms,
                }
            }
            Event::WalletPaymentReceived(m) => {
                self.received_msat = self.received_msat.saturating_add(m.amount_msat);
                self.received_count += 1;
            }
            Event::WalletPaymentSent(m) => {
                self.sent_msat = self.sent_msat.saturating_add(m.amount_msat);
                self.fees_msat = self.fees_msat.saturating_add(m.fee_msat);
                let done = self.outgoing.remove(&PaymentHash::of(&m.payment_hash));
                let offer = self.offers.remove(&hexadecimal(&m.intent_id));
                let purpose = done
                    .map(|o| o.approval.purpose)
                    .or(offer.map(|offer| offer.approval.purpose));
                let kept = [pb::PaymentPurpose::Purchase, pb::PaymentPurpose::Refund];
                if !kept.iter().any(|kept| purpose == Some(*kept as i32)) {
                    self.withdrawn_msat = self.withdrawn_msat.saturating_add(m.amount_msat);
                }
            }
            Event::WalletPaymentFailed(m) => drop(self.outgoing.remove(&PaymentHash::of(&m.payment_hash))),
            Event::WalletChannelOpened(m) => {
                self.granted_msat = self.granted_msat.saturating_add(m.granted_msat);
                self.channels.insert(m.channel_id.clone(), m.capacity_msat);
            }
            Event::WalletChannelClosed(m) => {
                self.channels.remove(&m.channel_id);
                self.closing.insert(m.channel_id.clone());
            }
            Event::WalletReconciled(m) => self.reconciled = Some(*m),
            Event::PaymentApproved(m) => {
                let outgoing = Outgoing {
                    approval: m.clone(),
                    attempts: 0,
                    approved_at: fact.fact.sequence,
                };
                self.outgoing.insert(PaymentHash::of(&m.payment_hash), outgoing);
            }
            Event::PaymentAttempted(m) => {
                if let Some(outgoing) = self.outgoing.get_mut(&PaymentHash::of(&m.payment_hash)) {
                    outgoing.attempts = m.attempt;
                }
            }
            Event::OnchainApproved(m) => drop(self.onchain.insert(hexadecimal(&m.intent_id), m.clone())),
            Event::OnchainSent(m) => {
                self.onchain.remove(&hexadecimal(&m.intent_id));
                self.sends.insert(m.txid.clone(), m.amount_sat);
            }
            Event::WalletOnchainSent(m) => drop(self.sends.remove(&m.txid)),
            Event::WalletClosingsOver(m) => self.closing.retain(|id| !m.channel_ids.contains(id)),
            Event::OnchainFailed(m) => drop(self.onchain.remove(&hexadecimal(&m.intent_id))),
            Event::OfferApproved(m) => {
                let offer = OutgoingOffer {
                    approval: m.clone(),
                    approved_at: fact.fact.sequence,
                };
                self.offers.insert(hexadecimal(&m.intent_id), offer);
            }
            Event::OfferFailed(m) => drop(self.offers.remove(&hexadecimal(&m.intent_id))),
            _ => {}
        }
    }
}
