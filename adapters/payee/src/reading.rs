//! What other people's texts and servers say, read without asking anybody: for tests of the reading alone.
use autopilot_core::ports::payee::{Callback, PayeeError, Resolved};
use autopilot_events::words::Msat;
use bitcoin::Network;

use crate::{lnurl, parse, parse::Destination, uri};

const NETWORK: Network = Network::Regtest;

/// A destination: whether it was understood, and what a `bitcoin:` link offers.
///
/// # Errors
/// As in [`crate::PayeeResolver`].
pub fn destination(text: &str) -> Result<Option<Resolved>, PayeeError> {
    match parse::destination(text, NETWORK)? {
        Destination::Uri(link) => uri::parse(&link, NETWORK).map(|parsed| Some(parsed.into_parts().0)),
        Destination::Name(name) => {
            // What would be asked for.
            let _ = (name.dns_name(), name.lightning_address(), name.is_dns());
            Ok(None)
        }
        _ => Ok(None),
    }
}

/// An LNURL server's first answer.
///
/// # Errors
/// What is wrong with it.
pub fn offered(answer: &[u8]) -> Result<Callback, PayeeError> {
    lnurl::offered(answer, "pay.example", false).map(|(callback, _)| callback)
}

/// An LNURL server's second answer, to a request for `amount`.
///
/// # Errors
/// What is wrong with it.
pub fn billed(answer: &[u8], callback: &Callback, amount: Msat) -> Result<String, PayeeError> {
    lnurl::billed(answer, callback, amount, NETWORK)
}
