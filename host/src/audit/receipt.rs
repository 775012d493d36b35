//! The receipt of a payment of ours: what was approved, what was paid, and the preimage that proves it.
use autopilot_core::input::sent_key;
use autopilot_events::{
    Event, pb,
    words::{ChainHash, PaymentHash},
};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Audit, AuditError};

/// Everything that shows that a payment was made. Whoever has the preimage of a paid invoice was its payer or its payee.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Receipt {
    /// The payment hash.
    pub payment_hash: String,
    /// SHA-256 of it is the payment hash; empty where the wallet did not tell it.
    pub preimage: String,
    /// Whether that was checked, and holds.
    pub preimage_matches: bool,
    /// The network.
    pub network: String,
    /// Without the fee.
    pub amount_msat: u64,
    /// What routing cost.
    pub fee_msat: u64,
    /// What it might have cost; `null` where no approval is known.
    pub fee_ceiling_msat: Option<u64>,
    /// The wallet's time.
    pub settled_at_ms: i64,
    /// Node, or an offer's issuer; empty where it is hidden or not known.
    pub payee: String,
    /// What was paid, as approved: an invoice or an offer.
    pub payment_request: String,
    /// `withdrawal`, `purchase` or `refund`; empty where no approval is known.
    pub purpose: String,
    /// The purchase or job that it was for.
    pub belongs_to: String,
    /// The destination as a person gave it.
    pub destination: String,
    /// Each step from there to what was paid.
    pub path: Vec<String>,
    /// Whose word that was: a DNS name or an https host.
    pub authority: String,
    /// blake3 of the DNSSEC proof, where there was one.
    pub proof_digest: String,
    /// Number of the approval, 0 where none is known.
    pub approved_sequence: u64,
    /// Number of the fact that it was paid.
    pub sent_sequence: u64,
    /// Chain value after that fact.
    pub sent_chain: String,
}

fn purpose(number: i32) -> String {
    let name = pb::PaymentPurpose::try_from(number)
        .unwrap_or_default()
        .as_str_name();
    name.trim_start_matches("PAYMENT_PURPOSE_").to_lowercase()
}

impl Receipt {
    fn of(sent: &pb::WalletPaymentSent, network: String, at: (u64, ChainHash)) -> Receipt {
        let hashed = Sha256::digest(&sent.preimage);
        Receipt {
            payment_hash: hex::encode(&sent.payment_hash),
            preimage: hex::encode(&sent.preimage),
            preimage_matches: !sent.preimage.is_empty() && hashed[..] == sent.payment_hash[..],
            network,
            amount_msat: sent.amount_msat,
            fee_msat: sent.fee_msat,
            fee_ceiling_msat: None,
            settled_at_ms: sent.settled_at_ms,
            payee: String::new(),
            payment_request: String::new(),
            purpose: String::new(),
            belongs_to: String::new(),
            destination: String::new(),
            path: Vec::new(),
            authority: String::new(),
            proof_digest: String::new(),
            approved_sequence: 0,
            sent_sequence: at.0,
            sent_chain: at.1.to_string(),
        }
    }

    fn approved(&mut self, sequence: u64, event: Event) {
        let resolution = match event {
            Event::PaymentApproved(m) => {
                (self.payee, self.payment_request) = (hex::encode(m.payee), m.bolt11);
                (self.purpose, self.belongs_to) = (purpose(m.purpose), hex::encode(m.purchase_id));
                self.fee_ceiling_msat = Some(m.fee_ceiling_msat);
                m.resolution
            }
            Event::OfferApproved(m) => {
                (self.payee, self.payment_request) = (hex::encode(m.payee), m.bolt12);
                (self.purpose, self.belongs_to) = (purpose(m.purpose), hex::encode(m.job_id));
                self.fee_ceiling_msat = Some(m.fee_ceiling_msat);
                m.resolution
            }
            _ => return,
        };
        self.approved_sequence = sequence;
        let resolution = resolution.unwrap_or_default();
        (self.destination, self.path) = (resolution.destination, resolution.path);
        self.authority = resolution.authority;
        self.proof_digest = hex::encode(resolution.proof_digest);
    }
}

impl Audit {
    /// The receipt of a payment of ours that arrived, by its hash in hexadecimal; `None`: no such payment was sent.
    ///
    /// # Errors
    /// [`AuditError::Read`].
    pub async fn receipt(&self, hash: &str) -> Result<Option<Receipt>, AuditError> {
        let mut hash_bytes = PaymentHash([0; 32]);
        if hex::decode_to_slice(hash, &mut hash_bytes.0).is_err() {
            return Ok(None);
        }
        let Some(fact) = self.reader.fact_by_key(&sent_key(&hash_bytes.0)).await? else {
            return Ok(None);
        };
        let Event::WalletPaymentSent(sent) = &fact.event else {
            return Ok(None);
        };
        let network = match self.reader.facts(0, 1).await?.pop().map(|fact| fact.event) {
            Some(Event::LedgerOpened(opened)) => opened.network,
            _ => String::new(),
        };
        let mut receipt = Receipt::of(sent, network, (fact.fact.sequence, fact.chain));
        if let Some(before) = sent.approval.checked_sub(1)
            && let Some(approval) = self.reader.facts(before, 1).await?.pop()
        {
            receipt.approved(approval.fact.sequence, approval.event);
        }
        Ok(Some(receipt))
    }
}
