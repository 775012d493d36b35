//! A model of the wallet process: it keeps its promises to the port (keys, hashes, events until acknowledged) and lives
//! through crashes of the host. What truly moved is kept apart, for the oracle.
mod channel;
mod pay;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use autopilot_core::ports::wallet::{
    Invoice, OnchainRole, Payment, PaymentKind, PaymentStatus, Transaction, WalletError,
    WalletErrorCode as Code, WalletEvent, WalletEventKind as Kind,
};
use autopilot_events::{
    pb,
    words::{Msat, PaymentHash},
};

use crate::chance::Chance;

/// What the peer keeps as its reserve, in msat.
const RESERVE_MSAT: u64 = 1_000_000;

/// An invoice of our own.
#[derive(Clone, Debug)]
pub struct Issued {
    /// As the port gives it.
    pub invoice: Invoice,
    /// Under which key.
    pub key: String,
    /// Paid.
    pub paid: bool,
}

/// A payment that leaves.
#[derive(Clone, Debug)]
pub struct Leaving {
    /// As the port lists it.
    pub payment: Payment,
    /// Tries begun.
    pub attempts: u32,
}

/// The channel.
#[derive(Clone, Debug)]
pub struct Channel {
    /// Its id.
    pub id: [u8; 32],
    /// Its size, msat.
    pub capacity_msat: u64,
    /// Ours, without what is under way.
    pub balance_msat: u64,
}

/// The wallet.
#[derive(Debug, Default)]
pub struct Wallet {
    /// It answers.
    pub up: bool,
    /// The channel, while there is one.
    pub channel: Option<Channel>,
    /// Own invoices by key.
    pub issued: BTreeMap<String, Issued>,
    /// Invoices of others: what they ask for and until when (s).
    pub bills: BTreeMap<String, (PaymentHash, u64, u64)>,
    /// Payments by hash, those to offers by their key.
    pub leaving: BTreeMap<String, Leaving>,
    /// Arrived payments.
    pub arrived: Vec<Payment>,
    /// On-chain sends by key.
    pub sends: BTreeMap<String, String>,
    /// The chain's list.
    pub transactions: Vec<Transaction>,
    /// Ours on chain.
    pub onchain_sat: u64,
    /// On its way from closed channels: how much, and at which height it arrives.
    pub closing: Vec<(u64, u32)>,
    /// The chain's height.
    pub height: u32,
    /// Events that nobody acknowledged.
    pub events: VecDeque<WalletEvent>,
    /// Events that were, and may come again.
    pub told: Vec<WalletEvent>,
    /// Events that contradict what is on record.
    pub contradictions: BTreeSet<[u8; 32]>,
    /// What moved in or out of channels, under the key of its fact, in msat.
    pub moves: BTreeMap<String, i128>,
}

fn error(code: Code) -> WalletError {
    WalletError {
        code,
        message: format!("simulated: {}", code.name()),
    }
}

impl Wallet {
    fn answers(&self) -> Result<(), WalletError> {
        self.up.then_some(()).ok_or_else(|| error(Code::Unavailable))
    }

    fn tell(&mut self, chance: &mut Chance, kind: Kind) {
        let id = chance.id();
        self.events.push_back(WalletEvent { id, kind });
    }

    /// What can be sent.
    pub fn spendable_msat(&self) -> u64 {
        let channel = self.channel.as_ref();
        channel.map_or(0, |channel| channel.balance_msat.saturating_sub(RESERVE_MSAT))
    }

    /// What can arrive.
    pub fn receivable_msat(&self) -> u64 {
        let channel = self.channel.as_ref().filter(|_| self.up);
        channel.map_or(0, |channel| {
            channel.capacity_msat.saturating_sub(channel.balance_msat)
        })
    }

    /// The figures that a host observes.
    pub fn figures(&self) -> pb::WalletBalanceObserved {
        let balance_msat = self.channel.as_ref().map_or(0, |channel| channel.balance_msat);
        let spendable_msat = self.spendable_msat();
        pb::WalletBalanceObserved {
            spendable_msat,
            reserved_msat: balance_msat - spendable_msat,
            receivable_msat: self.receivable_msat(),
            closing_msat: self.closing.iter().map(|(msat, _)| msat).sum(),
            onchain_sat: self.onchain_sat,
            onchain_confirmed_sat: Some(self.onchain_sat),
            channels_usable: u32::from(self.channel.is_some() && self.up),
            channels: u32::from(self.channel.is_some()),
        }
    }

    /// Payments that are neither done nor failed.
    pub fn under_way(&self) -> bool {
        self.leaving
            .values()
            .any(|leaving| leaving.payment.status == PaymentStatus::Pending)
    }

    /// A block, and what it brings.
    pub fn block(&mut self, chance: &mut Chance, now_s: u64) {
        self.height += 1;
        let height = self.height;
        let (due, rest) = std::mem::take(&mut self.closing)
            .into_iter()
            .partition(|(_, at)| *at <= height);
        self.closing = rest;
        for (msat, _) in due {
            let sat = (msat / 1_000_u64).saturating_sub(110);
            if sat > 354 {
                self.onchain_sat += sat;
                let txid = hex::encode(chance.id());
                self.list(txid, false, (sat, 0), OnchainRole::ChannelClose, now_s);
            }
        }
    }

    fn list(
        &mut self,
        txid: String,
        outbound: bool,
        (amount_sat, fee_sat): (u64, u64),
        role: OnchainRole,
        now_s: u64,
    ) {
        self.transactions.push(Transaction {
            txid,
            outbound,
            amount_sat,
            fee_sat,
            role,
            confirmed_height: Some(self.height),
            seen_at_s: now_s,
            channel_id: None,
        });
    }

    /// Somebody sends sats.
    pub fn deposit(&mut self, chance: &mut Chance, sat: u64, now_s: u64) {
        self.onchain_sat += sat;
        let txid = hex::encode(chance.id());
        self.list(txid, false, (sat, 0), OnchainRole::Deposit, now_s);
    }

    /// The invoice of a key, the same one for the same key.
    pub fn create_invoice(
        &mut self,
        chance: &mut Chance,
        key: &str,
        amount: Msat,
        expiry_s: u32,
        now_s: u64,
    ) -> Result<Invoice, WalletError> {
        self.answers()?;
        if let Some(issued) = self.issued.get(key) {
            return Ok(issued.invoice.clone());
        }
        let hash = PaymentHash(chance.id());
        let invoice = Invoice {
            bolt11: format!("lnbcrt-ours-{hash}"),
            payment_hash: hash,
            amount,
            expires_at_s: now_s + u64::from(expiry_s),
            existed: false,
        };
        let issued = Issued {
            invoice: invoice.clone(),
            key: key.to_owned(),
            paid: false,
        };
        self.issued.insert(key.to_owned(), issued);
        Ok(invoice)
    }

    /// Own invoice by hash.
    pub fn own(&self, hash: &PaymentHash) -> Option<&Issued> {
        self.issued
            .values()
            .find(|issued| issued.invoice.payment_hash == *hash)
    }

    /// A buyer pays; `late_s` is how long after its end an invoice is still honoured. False: it does not arrive.
    pub fn receive(&mut self, chance: &mut Chance, hash: PaymentHash, now_s: u64, late_s: u64) -> bool {
        let receivable = self.receivable_msat();
        let Some(issued) = self
            .issued
            .values_mut()
            .find(|issued| issued.invoice.payment_hash == hash)
        else {
            return false;
        };
        let amount = issued.invoice.amount;
        if issued.paid || now_s > issued.invoice.expires_at_s + late_s || amount.0 > receivable {
            return false;
        }
        issued.paid = true;
        let invoice_key = Some(issued.key.clone());
        self.came(chance, hash, amount, invoice_key, now_s);
        true
    }

    /// Money arrives that no invoice of a job asked for.
    pub fn gift(&mut self, chance: &mut Chance, amount: Msat, now_s: u64) {
        if amount.0 <= self.receivable_msat() {
            let hash = PaymentHash(chance.id());
            self.came(chance, hash, amount, None, now_s);
        }
    }

    fn came(
        &mut self,
        chance: &mut Chance,
        hash: PaymentHash,
        amount: Msat,
        invoice_key: Option<String>,
        now_s: u64,
    ) {
        if let Some(channel) = &mut self.channel {
            channel.balance_msat += amount.0;
        }
        self.moves
            .insert(format!("wallet/received/{hash}"), i128::from(amount.0));
        let payment_id = hash.0;
        self.arrived.push(Payment {
            outbound: false,
            status: PaymentStatus::Succeeded,
            ..payment(payment_id, Some(hash), PaymentKind::Bolt11, amount, now_s)
        });
        let event = Kind::PaymentReceived {
            payment_id,
            payment_hash: hash,
            amount,
            invoice_key,
            settled_at_s: now_s,
            preimage: None,
        };
        self.tell(chance, event);
    }

    /// Sends on chain, once for a key.
    pub fn send_onchain(
        &mut self,
        chance: &mut Chance,
        key: &str,
        sat: u64,
        now_s: u64,
    ) -> Result<String, WalletError> {
        self.answers()?;
        if let Some(txid) = self.sends.get(key) {
            return Ok(txid.clone());
        }
        let fee = 150;
        if sat + fee > self.onchain_sat {
            return Err(error(Code::InsufficientFunds));
        }
        self.onchain_sat -= sat + fee;
        let txid = hex::encode(chance.id());
        self.sends.insert(key.to_owned(), txid.clone());
        self.list(txid.clone(), true, (sat, fee), OnchainRole::Send, now_s);
        Ok(txid)
    }

    /// The list of Lightning payments.
    pub fn list_payments(&self) -> Result<Vec<Payment>, WalletError> {
        self.answers()?;
        let leaving = self.leaving.values().map(|leaving| leaving.payment.clone());
        Ok(self.arrived.iter().cloned().chain(leaving).collect())
    }

    /// An event needs not be told again.
    pub fn acknowledge(&mut self, id: &[u8; 32]) {
        if self.up
            && let Some(index) = self.events.iter().position(|event| event.id == *id)
        {
            self.told.extend(self.events.remove(index));
        }
    }
}

fn payment(
    payment_id: [u8; 32],
    hash: Option<PaymentHash>,
    kind: PaymentKind,
    amount: Msat,
    now_s: u64,
) -> Payment {
    Payment {
        payment_id,
        payment_hash: hash,
        kind,
        outbound: true,
        amount: Some(amount),
        fee: None,
        status: PaymentStatus::Pending,
        updated_at_s: now_s,
        preimage: None,
        txid: None,
        confirmed_height: None,
        failure: None,
        key: None,
    }
}
