//! Invoices by key, payments by payment hash.
use std::time::Duration;

use autopilot_proto::wallet::v1::{self as rpc, FailureCode};
use ldk_node::{
    NodeError,
    lightning::{ln::channelmanager::PaymentId, routing::router::RouteParametersConfig},
    lightning_invoice::{Bolt11Invoice, Bolt11InvoiceDescription, Bolt11InvoiceDescriptionRef, Description},
    payment::{ConfirmationStatus, PaymentDetails, PaymentDirection, PaymentKind, PaymentStatus},
};

use crate::{
    books::{InvoiceRecord, OfferRecord, PayRecord},
    failure::{Answer, Failed, failed, invalid},
    offers::key_in,
    wallet::{Wallet, check_key, now_s},
};

/// BOLT11's own limit is 639 bytes.
const DESCRIPTION_LIMIT: usize = 600;
const EXPIRY_LIMIT_S: u32 = 604_800;
/// No more than all bitcoin.
const AMOUNT_LIMIT_MSAT: u64 = 21_000_000 * 100_000_000 * 1_000;
const PAGE_LIMIT: u32 = 500;
const INVOICE_LIMIT: usize = 8_192;

impl Wallet {
    pub(crate) fn create_invoice(&self, request: &rpc::CreateInvoiceRequest) -> Answer<rpc::Invoice> {
        check_key(&request.key)?;
        check_amount(request.amount_msat)?;
        if request.description.len() > DESCRIPTION_LIMIT {
            return Err(invalid(format!(
                "a description has at most {DESCRIPTION_LIMIT} bytes"
            )));
        }
        if !(1..=EXPIRY_LIMIT_S).contains(&request.expiry_s) {
            return Err(invalid(format!(
                "an invoice expires after 1 to {EXPIRY_LIMIT_S} seconds"
            )));
        }
        let _one = self.one_effect();
        if let Some(record) = self.books.invoices.read::<InvoiceRecord>(&request.key)? {
            let same = record.amount_msat == request.amount_msat
                && record.description == request.description
                && record.expiry_s == request.expiry_s;
            return match same {
                true => invoice(&record, true),
                false => Err(failed(
                    FailureCode::Conflict,
                    format!(
                        "this key has an invoice over {} msat with other terms",
                        record.amount_msat
                    ),
                )),
            };
        }
        let text = Description::new(request.description.clone())
            .map_err(|_| invalid(format!("a description has at most {DESCRIPTION_LIMIT} bytes")))?;
        let description = Bolt11InvoiceDescription::Direct(text);
        let made = self
            .node
            .bolt11_payment()
            .receive(request.amount_msat, &description, request.expiry_s)?;
        let created_at_s = made.duration_since_epoch().as_secs();
        let record = InvoiceRecord {
            key: request.key.clone(),
            amount_msat: request.amount_msat,
            description: request.description.clone(),
            expiry_s: request.expiry_s,
            bolt11: made.to_string(),
            payment_hash: hash_hex(&made),
            created_at_s,
            expires_at_s: created_at_s + u64::from(request.expiry_s),
        };
        // The way back from the hash first: once the invoice record exists, the invoice can be given out.
        self.books.invoice_keys.write(&record.payment_hash, &record.key)?;
        self.books.invoices.write(&record.key, &record)?;
        invoice(&record, false)
    }

    pub(crate) fn decode_invoice(&self, text: &str) -> Answer<rpc::DecodedInvoice> {
        let invoice = parse(text)?;
        let payee = invoice.get_payee_pub_key();
        let description = match invoice.description() {
            Bolt11InvoiceDescriptionRef::Direct(text) => text.to_string(),
            Bolt11InvoiceDescriptionRef::Hash(hash) => hash.0.to_string(),
        };
        Ok(rpc::DecodedInvoice {
            payment_hash: hash_bytes(&invoice).to_vec(),
            amount_msat: invoice.amount_milli_satoshis(),
            payee: payee.serialize().to_vec(),
            network: invoice.network().to_string(),
            created_at_s: invoice.duration_since_epoch().as_secs(),
            expires_at_s: (invoice.duration_since_epoch() + invoice.expiry_time()).as_secs(),
            description,
            ours: payee == self.node.node_id(),
        })
    }

    pub(crate) fn pay(&self, request: &rpc::PayRequest) -> Answer<rpc::Payment> {
        let invoice = parse(&request.bolt11)?;
        let (payee, hash, key) = (
            invoice.get_payee_pub_key(),
            hash_bytes(&invoice),
            hash_hex(&invoice),
        );
        if !request.payee.is_empty() && request.payee != payee.serialize() {
            return Err(invalid("the invoice names another payee than the approval"));
        }
        if payee == self.node.node_id() {
            return Err(failed(FailureCode::SelfPayment, "the invoice is our own"));
        }
        let amount_msat = match (invoice.amount_milli_satoshis(), request.amount_msat) {
            (Some(fixed), None) => fixed,
            (Some(fixed), Some(asked)) if fixed == asked => fixed,
            (None, Some(asked)) => asked,
            (None, None) => return Err(invalid("the invoice names no amount; say how much")),
            (Some(fixed), Some(_)) => return Err(invalid(format!("the invoice is over {fixed} msat"))),
        };
        check_amount(amount_msat)?;

        let _one = self.one_effect();
        let record = self.books.payments.read::<PayRecord>(&key)?;
        if let Some(record) = &record
            && (record.bolt11 != request.bolt11 || record.amount_msat != amount_msat)
        {
            let message = "another invoice or amount with this payment hash was asked to be paid before";
            return Err(failed(FailureCode::Conflict, message));
        }
        let known = self.payment(hash)?;
        match known.status() {
            rpc::PaymentStatus::Pending | rpc::PaymentStatus::Succeeded => return Ok(known),
            rpc::PaymentStatus::Failed if !request.retry_failed => return Ok(known),
            rpc::PaymentStatus::Failed | rpc::PaymentStatus::InDoubt | rpc::PaymentStatus::Unknown => {}
        }
        if invoice.network() != self.node.config().network {
            let message = format!(
                "the invoice is for {}, this wallet for {}",
                invoice.network(),
                self.node.config().network
            );
            return Err(failed(FailureCode::WrongNetwork, message));
        }
        if invoice.would_expire(Duration::from_secs(now_s())) {
            return Err(failed(FailureCode::Expired, "the invoice has expired"));
        }
        self.at_tip()?;
        self.check_spendable(amount_msat)?;
        let record = PayRecord {
            bolt11: request.bolt11.clone(),
            amount_msat,
            fee_ceiling_msat: request.fee_ceiling_msat,
            asked_at_s: now_s(),
            failure: None,
        };
        self.books.payments.write(&key, &record)?;
        self.send(&invoice, amount_msat, request.fee_ceiling_msat, &hash)?;
        self.payment(hash)
    }

    /// No more than can be sent now.
    pub(crate) fn check_spendable(&self, amount_msat: u64) -> Answer<()> {
        let spendable_msat: u64 = self
            .node
            .list_channels()
            .iter()
            .filter(|channel| channel.is_usable)
            .map(|channel| channel.next_outbound_htlc_limit_msat)
            .sum();
        if amount_msat > spendable_msat {
            let message = format!("{amount_msat} msat asked for, {spendable_msat} msat can be sent now");
            return Err(failed(FailureCode::InsufficientFunds, message));
        }
        Ok(())
    }

    fn send(
        &self,
        invoice: &Bolt11Invoice,
        amount_msat: u64,
        fee_ceiling_msat: u64,
        hash: &[u8; 32],
    ) -> Answer<()> {
        let route = RouteParametersConfig::default().with_max_total_routing_fee_msat(fee_ceiling_msat);
        let payments = self.node.bolt11_payment();
        let sent = match invoice.amount_milli_satoshis() {
            Some(_) => payments.send(invoice, Some(route)),
            None => payments.send_using_amount(invoice, amount_msat, Some(route)),
        };
        match sent {
            // The engine has it under way from before a stop: that is the payment asked for.
            Ok(_) | Err(NodeError::DuplicatePayment) => Ok(()),
            Err(NodeError::PaymentSendingFailed) => self.note_failure(
                hash,
                "no route to the payee has enough room within the fee ceiling",
            ),
            Err(error) => Err(error.into()),
        }
    }

    /// Keeps why a payment failed: the engine does not.
    pub(crate) fn note_failure(&self, hash: &[u8; 32], reason: &str) -> Answer<()> {
        let key = hex::encode(hash);
        if let Some(mut record) = self.books.payments.read::<PayRecord>(&key)? {
            record.failure = Some(reason.to_owned());
            self.books.payments.write(&key, &record)?;
        }
        Ok(())
    }

    pub(crate) fn payment(&self, hash: [u8; 32]) -> Answer<rpc::Payment> {
        let found = self.node.payment(&PaymentId(hash)).or_else(|| {
            let same = |payment: &&PaymentDetails| payment_hash(&payment.kind) == Some(hash);
            self.node.list_payments_with_filter(same).into_iter().next()
        });
        if let Some(payment) = found {
            return self.describe_payment(&payment);
        }
        let asked: Option<PayRecord> = self.books.payments.read(&hex::encode(hash))?;
        let mut answer = rpc::Payment {
            payment_hash: hash.to_vec(),
            ..rpc::Payment::default()
        };
        if let Some(record) = asked {
            answer.set_kind(rpc::PaymentKind::Bolt11);
            answer.set_status(rpc::PaymentStatus::InDoubt);
            answer.outbound = true;
            answer.amount_msat = Some(record.amount_msat);
            answer.updated_at_s = record.asked_at_s;
            if let Some(failure) = record.failure {
                answer.set_status(rpc::PaymentStatus::Failed);
                answer.failure = failure;
            }
        }
        Ok(answer)
    }

    pub(crate) fn list_payments(&self, request: &rpc::ListPaymentsRequest) -> Answer<rpc::ListPaymentsReply> {
        let limit = match request.limit {
            0 => 100,
            limit @ 1..=PAGE_LIMIT => limit as usize,
            _ => return Err(invalid(format!("a page has at most {PAGE_LIMIT} payments"))),
        };
        let after = page_position(&request.page_token)?;
        let place = |payment: &PaymentDetails| (payment.latest_update_timestamp, payment.id.0);
        let mut found = self
            .node
            .list_payments_with_filter(|payment| after.is_none_or(|after| place(payment) > after));
        found.sort_by_key(place);
        let more = found.len() > limit;
        found.truncate(limit);
        let next_page_token = match found.last() {
            Some(last) if more => format!("{}:{}", last.latest_update_timestamp, hex::encode(last.id.0)),
            _ => String::new(),
        };
        let payments = found
            .iter()
            .map(|payment| self.describe_payment(payment))
            .collect::<Answer<_>>()?;
        Ok(rpc::ListPaymentsReply {
            payments,
            next_page_token,
        })
    }

    pub(crate) fn describe_payment(&self, payment: &PaymentDetails) -> Answer<rpc::Payment> {
        let outbound = payment.direction == PaymentDirection::Outbound;
        let hash = payment_hash(&payment.kind);
        let mut answer = rpc::Payment {
            payment_id: payment.id.0.to_vec(),
            payment_hash: hash.map(|hash| hash.to_vec()).unwrap_or_default(),
            outbound,
            amount_msat: payment.amount_msat,
            fee_msat: payment.fee_paid_msat,
            updated_at_s: payment.latest_update_timestamp,
            ..rpc::Payment::default()
        };
        answer.set_status(match payment.status {
            PaymentStatus::Pending => rpc::PaymentStatus::Pending,
            PaymentStatus::Succeeded => rpc::PaymentStatus::Succeeded,
            PaymentStatus::Failed => rpc::PaymentStatus::Failed,
        });
        let preimage = match &payment.kind {
            PaymentKind::Onchain { txid, status } => {
                answer.set_kind(rpc::PaymentKind::Onchain);
                answer.txid = txid.to_string();
                if let ConfirmationStatus::Confirmed { height, .. } = status {
                    answer.confirmed_height = *height;
                }
                None
            }
            PaymentKind::Bolt11 { preimage, .. } | PaymentKind::Bolt11Jit { preimage, .. } => {
                answer.set_kind(rpc::PaymentKind::Bolt11);
                *preimage
            }
            PaymentKind::Bolt12Offer { preimage, .. } | PaymentKind::Bolt12Refund { preimage, .. } => {
                answer.set_kind(rpc::PaymentKind::Bolt12);
                *preimage
            }
            PaymentKind::Spontaneous { preimage, .. } => {
                answer.set_kind(rpc::PaymentKind::Spontaneous);
                *preimage
            }
        };
        // The preimage of an unpaid invoice is a secret; that of a payment that succeeded is its receipt.
        if payment.status == PaymentStatus::Succeeded {
            answer.preimage = preimage.map(|preimage| preimage.0.to_vec());
        }
        if outbound
            && payment.status == PaymentStatus::Failed
            && let Some(hash) = hash
        {
            let record: Option<PayRecord> = self.books.payments.read(&hex::encode(hash))?;
            answer.failure = record
                .and_then(|record| record.failure)
                .unwrap_or_else(|| "it failed".into());
        }
        if let Some(key) = key_in(payment) {
            let record: Option<OfferRecord> = self.books.offers.read(&key)?;
            answer.failure = record.and_then(|record| record.failure).unwrap_or_default();
            answer.key = key;
        }
        Ok(answer)
    }
}

fn invoice(record: &InvoiceRecord, existed: bool) -> Answer<rpc::Invoice> {
    let damaged = |_| failed(FailureCode::WalletFault, "the invoice's record is damaged");
    Ok(rpc::Invoice {
        bolt11: record.bolt11.clone(),
        payment_hash: hex::decode(&record.payment_hash).map_err(damaged)?,
        amount_msat: record.amount_msat,
        created_at_s: record.created_at_s,
        expires_at_s: record.expires_at_s,
        existed,
    })
}

fn parse(text: &str) -> Answer<Bolt11Invoice> {
    if text.len() > INVOICE_LIMIT {
        return Err(invalid(format!(
            "an invoice has at most {INVOICE_LIMIT} characters"
        )));
    }
    text.trim()
        .parse()
        .map_err(|_| -> Failed { invalid("this is no valid BOLT11 invoice") })
}

fn hash_bytes(invoice: &Bolt11Invoice) -> [u8; 32] {
    *AsRef::<[u8; 32]>::as_ref(invoice.payment_hash())
}

fn hash_hex(invoice: &Bolt11Invoice) -> String {
    hex::encode(hash_bytes(invoice))
}

fn payment_hash(kind: &PaymentKind) -> Option<[u8; 32]> {
    match kind {
        PaymentKind::Onchain { .. } => None,
        PaymentKind::Bolt11 { hash, .. }
        | PaymentKind::Bolt11Jit { hash, .. }
        | PaymentKind::Spontaneous { hash, .. } => Some(hash.0),
        PaymentKind::Bolt12Offer { hash, .. } | PaymentKind::Bolt12Refund { hash, .. } => {
            hash.map(|hash| hash.0)
        }
    }
}

pub(crate) fn check_amount(amount_msat: u64) -> Answer<()> {
    match amount_msat {
        1..=AMOUNT_LIMIT_MSAT => Ok(()),
        _ => Err(invalid(
            "an amount is 1 msat or more, and no more than there is bitcoin",
        )),
    }
}

fn page_position(token: &str) -> Answer<Option<(u64, [u8; 32])>> {
    if token.is_empty() {
        return Ok(None);
    }
    let position = || {
        let (time, id) = token.split_once(':')?;
        Some((time.parse().ok()?, hex::decode(id).ok()?.try_into().ok()?))
    };
    position()
        .map(Some)
        .ok_or_else(|| invalid("the page token is not one of ours"))
}
