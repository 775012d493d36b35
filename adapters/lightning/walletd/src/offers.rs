//! Payments to BOLT12 offers, keyed by intent. The engine draws a payment id of its own, so the key travels as the
//! payer's note, which the engine stores with the payment: by it the payment is found again. The engine queues its
//! request before it stores the note; a stop in between leaves nothing to find, and then nothing is sent again.
use autopilot_proto::wallet::v1::{self as rpc, FailureCode};
use ldk_node::{
    NodeError,
    bitcoin::{
        Network,
        constants::ChainHash,
        hashes::{Hash, sha256},
    },
    lightning::{
        ln::channelmanager::PaymentId,
        offers::offer::{Amount, Offer},
        routing::router::RouteParametersConfig,
    },
    payment::{PaymentDetails, PaymentDirection, PaymentKind, PaymentStatus},
};

use crate::{
    books::OfferRecord,
    failure::{Answer, failed, invalid},
    payments::check_amount,
    wallet::{Wallet, check_key, now_s},
};

const OFFER_LIMIT: usize = 8_192;
/// What the payer's note begins with; the key follows.
const NOTE: &str = "autopilot ";
const DESCRIPTION_LIMIT: usize = 600;

impl Wallet {
    pub(crate) fn create_offer(&self, request: &rpc::CreateOfferRequest) -> Answer<rpc::Offer> {
        if request.description.len() > DESCRIPTION_LIMIT {
            return Err(invalid(format!(
                "a description has at most {DESCRIPTION_LIMIT} bytes"
            )));
        }
        let payments = self.node.bolt12_payment();
        let offer: Offer = match request.amount_msat {
            Some(amount_msat) => {
                check_amount(amount_msat)?;
                payments.receive(amount_msat, &request.description, request.expiry_s, None)?
            }
            None => payments.receive_variable_amount(&request.description, request.expiry_s)?,
        };
        Ok(rpc::Offer {
            bolt12: offer.to_string(),
            offer_id: offer.id().0.to_vec(),
        })
    }

    pub(crate) fn decode_offer(&self, text: &str) -> Answer<rpc::DecodedOffer> {
        let offer = parse(text)?;
        let networks = [
            Network::Bitcoin,
            Network::Testnet,
            Network::Signet,
            Network::Regtest,
        ];
        let payable = |network: &Network| offer.supports_chain(ChainHash::using_genesis_block(*network));
        let amount_msat = match offer.amount() {
            Some(Amount::Bitcoin { amount_msats }) => Some(amount_msats),
            Some(Amount::Currency { .. }) => {
                return Err(invalid(
                    "the offer asks for an amount in another currency than bitcoin",
                ));
            }
            None => None,
        };
        Ok(rpc::DecodedOffer {
            offer_id: offer.id().0.to_vec(),
            payee: offer
                .issuer_signing_pubkey()
                .map(|key| key.serialize().to_vec())
                .unwrap_or_default(),
            amount_msat,
            networks: networks
                .iter()
                .filter(|network| payable(network))
                .map(ToString::to_string)
                .collect(),
            expires_at_s: offer.absolute_expiry().map(|expiry| expiry.as_secs()),
            description: offer
                .description()
                .map(|text| text.0.chars().take(DESCRIPTION_LIMIT).collect())
                .unwrap_or_default(),
        })
    }

    pub(crate) fn pay_offer(&self, request: &rpc::PayOfferRequest) -> Answer<rpc::Payment> {
        check_key(&request.key)?;
        check_amount(request.amount_msat)?;
        let offer = parse(&request.bolt12)?;
        let _one = self.one_effect();
        if let Some(record) = self.books.offers.read::<OfferRecord>(&request.key)? {
            if record.bolt12 != request.bolt12 || record.amount_msat != request.amount_msat {
                let message = "this key belongs to another offer or amount";
                return Err(failed(FailureCode::Conflict, message));
            }
            return self.offer_payment(&record);
        }
        let network = self.node.config().network;
        if !offer.supports_chain(ChainHash::using_genesis_block(network)) {
            let message = format!("the offer can't be paid on {network}");
            return Err(failed(FailureCode::WrongNetwork, message));
        }
        let ended = offer
            .absolute_expiry()
            .is_some_and(|expiry| expiry.as_secs() <= now_s());
        if ended {
            return Err(failed(FailureCode::Expired, "the offer has run out"));
        }
        self.at_tip()?;
        self.check_spendable(request.amount_msat)?;
        let record = OfferRecord {
            key: request.key.clone(),
            bolt12: request.bolt12.clone(),
            amount_msat: request.amount_msat,
            fee_ceiling_msat: request.fee_ceiling_msat,
            asked_at_s: now_s(),
            payment_id: None,
            failure: None,
        };
        self.books.offers.write(&request.key, &record)?;
        self.ask(&offer, record)
    }

    fn ask(&self, offer: &Offer, mut record: OfferRecord) -> Answer<rpc::Payment> {
        let route = RouteParametersConfig::default().with_max_total_routing_fee_msat(record.fee_ceiling_msat);
        let note = format!("{NOTE}{}", record.key);
        let sent = self.node.bolt12_payment().send_using_amount(
            offer,
            record.amount_msat,
            None,
            Some(note),
            Some(route),
        );
        match sent {
            Ok(id) => {
                let id = hex::encode(id.0);
                self.books.offer_keys.write(&id, &record.key)?;
                record.payment_id = Some(id);
            }
            Err(
                error @ (NodeError::NotRunning
                | NodeError::InvalidAmount
                | NodeError::UnsupportedCurrency
                | NodeError::PaymentSendingFailed),
            ) => record.failure = Some(format!("no invoice could be asked for: {error}")),
            // The request may be on its way: this intent is in doubt until an event says otherwise.
            Err(error) => tracing::error!(%error, key = record.key, "a payment to an offer is in doubt"),
        }
        self.books.offers.write(&record.key, &record)?;
        self.offer_payment(&record)
    }

    /// How far the payment of a key is.
    fn offer_payment(&self, record: &OfferRecord) -> Answer<rpc::Payment> {
        let found = self.find_offer_payment(record);
        // After a stop the engine itself goes on, gives up, or has forgotten it: time tells, up to a bound.
        let forgotten = record.asked_at_s < self.started_at_s()
            && now_s().saturating_sub(self.started_at_s()) >= self.doubt_after_s();
        if let Some(payment) = found {
            let mut answer = self.describe_payment(&payment)?;
            if forgotten && payment.status == PaymentStatus::Pending {
                answer.set_status(rpc::PaymentStatus::InDoubt);
            }
            return Ok(answer);
        }
        let mut answer = rpc::Payment {
            // The engine's own id is not known: the key stands for it.
            payment_id: sha256::Hash::hash(record.key.as_bytes()).to_byte_array().to_vec(),
            outbound: true,
            amount_msat: Some(record.amount_msat),
            updated_at_s: record.asked_at_s,
            key: record.key.clone(),
            ..rpc::Payment::default()
        };
        answer.set_kind(rpc::PaymentKind::Bolt12);
        answer.set_status(match (&record.failure, forgotten) {
            (Some(_), _) => rpc::PaymentStatus::Failed,
            (None, true) => rpc::PaymentStatus::InDoubt,
            (None, false) => rpc::PaymentStatus::Pending,
        });
        answer.failure = record.failure.clone().unwrap_or_default();
        Ok(answer)
    }

    fn find_offer_payment(&self, record: &OfferRecord) -> Option<PaymentDetails> {
        let found = self
            .node
            .list_payments_with_filter(|payment| key_in(payment).as_deref() == Some(&record.key));
        found.into_iter().next()
    }

    /// The intent that a payment belongs to: by its note, by the id that was noted for it, or because it is none of an
    /// invoice and only one intent has no payment.
    pub(crate) fn offer_of(&self, id: &PaymentId, hash: Option<&[u8; 32]>) -> Answer<Option<OfferRecord>> {
        let stored = self.node.payment(id);
        let noted: Option<String> = self.books.offer_keys.read(&hex::encode(id.0))?;
        if let Some(key) = stored.as_ref().and_then(key_in).or(noted) {
            return Ok(self.books.offers.read(&key)?);
        }
        // Payments of invoices carry their hash as id.
        if stored.is_some() || hash == Some(&id.0) {
            return Ok(None);
        }
        let records: Vec<OfferRecord> = self.books.offers.all()?;
        let mut lost = records
            .into_iter()
            .filter(|record| record.payment_id.is_none() && record.failure.is_none())
            .filter(|record| self.find_offer_payment(record).is_none());
        Ok(lost.next().filter(|_| lost.next().is_none()))
    }

    /// Keeps what became of an intent, beyond what the engine keeps.
    pub(crate) fn note_offer(
        &self,
        record: &OfferRecord,
        id: &PaymentId,
        failure: Option<&str>,
    ) -> Answer<()> {
        let noted = OfferRecord {
            payment_id: Some(hex::encode(id.0)),
            failure: failure.map(str::to_owned),
            ..record.clone()
        };
        self.books.offer_keys.write(&hex::encode(id.0), &record.key)?;
        self.books.offers.write(&record.key, &noted)?;
        Ok(())
    }
}

/// The key in the note of a payment of ours to an offer.
pub(crate) fn key_in(payment: &PaymentDetails) -> Option<String> {
    match &payment.kind {
        PaymentKind::Bolt12Offer {
            payer_note: Some(note),
            ..
        } if payment.direction == PaymentDirection::Outbound => note.0.strip_prefix(NOTE).map(str::to_owned),
        _ => None,
    }
}

fn parse(text: &str) -> Answer<Offer> {
    if text.len() > OFFER_LIMIT {
        return Err(invalid(format!("an offer has at most {OFFER_LIMIT} characters")));
    }
    text.trim()
        .parse()
        .map_err(|_| invalid("this is no valid BOLT12 offer"))
}
