//! BOLT11 invoices, as far as a payment rests on them.
use std::str::FromStr;

use autopilot_events::words::PaymentHash;
use lightning_invoice::{Bolt11Invoice, Currency};

use crate::{Heading, Why};

/// Checks an invoice's signature, and that it is this seller's and of this payment. Answers what it asks for.
pub(crate) fn asked_msat(bolt11: &str, hash: &PaymentHash, heading: &Heading) -> Result<u64, Why> {
    let invoice = Bolt11Invoice::from_str(bolt11)
        .map_err(|_| Why::Invoice("it can't be read, or its signature does not hold"))?;
    let invoice_hash: &[u8] = invoice.payment_hash().as_ref();
    if invoice_hash != hash.0 {
        return Err(Why::Invoice("it has another payment hash"));
    }
    let network = match invoice.currency() {
        Currency::Bitcoin => "bitcoin",
        Currency::BitcoinTestnet => "testnet",
        Currency::Signet => "signet",
        Currency::Regtest => "regtest",
        Currency::Simnet => "simnet",
    };
    if network != heading.network {
        return Err(Why::Invoice("it is of another network"));
    }
    if heading.node != Some(invoice.get_payee_pub_key().to_string()) {
        return Err(Why::Invoice("another node signed it"));
    }
    invoice
        .amount_milli_satoshis()
        .ok_or(Why::Invoice("it names no amount"))
}
