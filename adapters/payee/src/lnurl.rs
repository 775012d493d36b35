//! LNURL-pay (LUD-06, LUD-12): first what a server takes, then an invoice, held against what was asked.
use autopilot_core::ports::payee::{Callback, PayeeError, PayeeErrorCode as Code};
use autopilot_events::words::Msat;
use bitcoin::Network;
use lightning_invoice::{Bolt11Invoice, Bolt11InvoiceDescriptionRef};
use reqwest::Url;
use serde::{Deserialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::{failure::fail, http::Http};

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    status: String,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct First {
    #[serde(default)]
    tag: String,
    callback: String,
    min_sendable: u64,
    max_sendable: u64,
    metadata: String,
    #[serde(default)]
    comment_allowed: u32,
}

#[derive(Deserialize)]
struct Second {
    pr: String,
}

/// The server in an address, for people.
pub(crate) fn host(url: &str) -> String {
    let parsed: Option<Url> = url.parse().ok();
    let host = parsed.as_ref().and_then(Url::host_str).unwrap_or_default();
    match parsed.as_ref().and_then(Url::port) {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn url(text: &str) -> Result<Url, PayeeError> {
    text.parse()
        .map_err(|_| fail(Code::Misbehaved, "the server's address can't be read"))
}

/// A server's answer, unless it is a refusal.
fn understood<T: DeserializeOwned>(bytes: &[u8], host: &str) -> Result<T, PayeeError> {
    if let Ok(refusal) = serde_json::from_slice::<Refusal>(bytes)
        && refusal.status.eq_ignore_ascii_case("error")
    {
        let reason: String = refusal.reason.chars().take(200).collect();
        return Err(fail(Code::Refused, format!("{host} says: {reason}")));
    }
    serde_json::from_slice(bytes).map_err(|_| {
        fail(
            Code::Misbehaved,
            format!("{host} does not answer as LNURL-pay (LUD-06) says"),
        )
    })
}

/// What a server takes, and its words about itself.
pub(crate) async fn first(http: &Http, text: &str, local: bool) -> Result<(Callback, String), PayeeError> {
    let bytes = http.get(url(text)?, local).await?;
    offered(&bytes, &host(text), local)
}

/// Reads what a server says that it takes.
pub(crate) fn offered(bytes: &[u8], host: &str, local: bool) -> Result<(Callback, String), PayeeError> {
    let answer: First = understood(bytes, host)?;
    let misbehaved = |what: &str| fail(Code::Misbehaved, format!("{host} {what}"));
    if answer.tag != "payRequest" {
        return Err(misbehaved("offers something else than a payment"));
    }
    if answer.min_sendable == 0 || answer.min_sendable > answer.max_sendable {
        return Err(misbehaved("names a range of amounts that is empty"));
    }
    let callback = url(&answer.callback)?;
    crate::guard::check(&callback, local)?;
    let entries: Vec<(String, serde_json::Value)> =
        serde_json::from_str(&answer.metadata).map_err(|_| misbehaved("describes itself in no known way"))?;
    let plain = entries.iter().find(|(kind, _)| kind == "text/plain");
    let description = plain
        .and_then(|(_, text)| text.as_str())
        .unwrap_or_default()
        .to_owned();
    let callback = Callback {
        url: callback.into(),
        min: Msat(answer.min_sendable),
        max: Msat(answer.max_sendable),
        metadata_hash: Sha256::digest(answer.metadata.as_bytes()).into(),
        comment_chars: answer.comment_allowed,
        on_this_machine: local,
    };
    Ok((callback, description))
}

/// An invoice over exactly `amount`, of this network, that commits to what the server said before.
pub(crate) async fn second(
    http: &Http,
    callback: &Callback,
    amount: Msat,
    comment: &str,
    network: Network,
) -> Result<String, PayeeError> {
    let (min, max) = (callback.min, callback.max);
    if amount < min || amount > max {
        let range = format!("{amount} is outside of what the payee takes: {min} to {max}");
        return Err(fail(Code::AmountOutOfRange, range));
    }
    let length = comment.chars().count();
    if length > callback.comment_chars as usize {
        let takes = match callback.comment_chars {
            0 => "the payee takes no comment".to_owned(),
            most => format!("the payee takes a comment of at most {most} characters, this one has {length}"),
        };
        return Err(fail(Code::CommentTooLong, takes));
    }
    let mut asked = url(&callback.url)?;
    asked
        .query_pairs_mut()
        .append_pair("amount", &amount.0.to_string());
    if !comment.is_empty() {
        asked.query_pairs_mut().append_pair("comment", comment);
    }
    let bytes = http.get(asked, callback.on_this_machine).await?;
    billed(&bytes, callback, amount, network)
}

/// Reads the invoice in a server's answer.
pub(crate) fn billed(
    bytes: &[u8],
    callback: &Callback,
    amount: Msat,
    network: Network,
) -> Result<String, PayeeError> {
    let host = host(&callback.url);
    let answer: Second = understood(bytes, &host)?;
    let misbehaved = |what: String| Err(fail(Code::Misbehaved, format!("{host} {what}")));
    let Ok(invoice) = answer.pr.parse::<Bolt11Invoice>() else {
        return misbehaved("gave no valid invoice".to_owned());
    };
    if invoice.network() != network {
        let there = invoice.network();
        return Err(fail(
            Code::WrongNetwork,
            format!("{host} gave an invoice of the network {there}"),
        ));
    }
    match invoice.amount_milli_satoshis() {
        Some(msat) if msat == amount.0 => {}
        Some(msat) => return misbehaved(format!("was asked for {amount} and wants {}", Msat(msat))),
        None => return misbehaved("gave an invoice without an amount".to_owned()),
    }
    match invoice.description() {
        Bolt11InvoiceDescriptionRef::Hash(hash)
            if *AsRef::<[u8; 32]>::as_ref(&hash.0) == callback.metadata_hash => {}
        _ => return misbehaved("gave an invoice that does not commit to its own description".to_owned()),
    }
    Ok(invoice.to_string())
}
