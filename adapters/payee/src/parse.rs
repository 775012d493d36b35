//! Which form of destination a text is. Forms that ask nobody are checked against the network at once.
use autopilot_core::ports::payee::{PayeeError, PayeeErrorCode as Code};
use bitcoin::{Address, Network, address::NetworkUnchecked};
use lightning_invoice::{Bolt11Invoice, Bolt11InvoiceDescriptionRef};
use reqwest::Url;

use crate::{failure::fail, guard};

/// A destination by its form.
#[derive(Debug, PartialEq)]
pub(crate) enum Destination {
    Bolt11 {
        invoice: String,
        description: String,
    },
    Offer(String),
    Address(String),
    /// `bitcoin:…`
    Uri(String),
    Lnurl {
        url: String,
        local: bool,
    },
    Name(Name),
}

/// `user@domain`.
#[derive(Debug, PartialEq)]
pub(crate) struct Name {
    pub(crate) user: String,
    /// With a port, where one was given.
    pub(crate) domain: String,
    /// ₿ in front: a BIP353 name and nothing else.
    pub(crate) only_dns: bool,
}

impl Name {
    /// A domain of the DNS: no port, no address, not this machine.
    pub(crate) fn is_dns(&self) -> bool {
        self.domain.contains('.') && !self.domain.contains(':') && !self.is_address()
    }

    fn is_address(&self) -> bool {
        self.domain.parse::<std::net::Ipv4Addr>().is_ok()
    }

    fn host(&self) -> &str {
        self.domain
            .rsplit_once(':')
            .map_or(&self.domain, |(host, _)| host)
    }

    pub(crate) fn is_local(&self) -> bool {
        guard::is_this_machine(self.host())
    }

    /// Where BIP353 keeps it.
    pub(crate) fn dns_name(&self) -> String {
        format!("{}.user._bitcoin-payment.{}.", self.user, self.domain)
    }

    /// Where LUD-16 keeps it.
    pub(crate) fn lightning_address(&self) -> String {
        let scheme = if self.is_local() { "http" } else { "https" };
        format!("{scheme}://{}/.well-known/lnurlp/{}", self.domain, self.user)
    }
}

/// Reads a destination.
pub(crate) fn destination(text: &str, network: Network) -> Result<Destination, PayeeError> {
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    if let Some(rest) = lower.strip_prefix("lightning:") {
        let inner = &text[text.len() - rest.len()..];
        return plain(inner.trim_start_matches('/'), network);
    }
    if lower.starts_with("bitcoin:") {
        return Ok(Destination::Uri(text.to_owned()));
    }
    if let Some(rest) = lower.strip_prefix("lnurlp:") {
        let rest = &text[text.len() - rest.len()..];
        return lnurl_scheme(rest.trim_start_matches('/'));
    }
    for (scheme, what) in [
        ("lnurlw:", "a withdrawal"),
        ("lnurlc:", "a channel"),
        ("keyauth:", "a login"),
    ] {
        if lower.starts_with(scheme) {
            return Err(fail(
                Code::Unsupported,
                format!("this LNURL is for {what}, not for a payment"),
            ));
        }
    }
    if lower.starts_with("https://") || lower.starts_with("http://") {
        return web_link(text);
    }
    plain(text, network)
}

/// A destination without a scheme.
fn plain(text: &str, network: Network) -> Result<Destination, PayeeError> {
    let lower = text.to_ascii_lowercase();
    if text.contains('@') {
        return name(text).map(Destination::Name);
    }
    if lower.starts_with("lnurl1") {
        return lnurl(&lower);
    }
    if lower.starts_with("lno1") {
        return Ok(Destination::Offer(text.to_owned()));
    }
    if lower.starts_with("lni1") || lower.starts_with("lnr1") {
        return Err(fail(
            Code::Unsupported,
            "a BOLT12 invoice or refund stands alone: ask the payee for an offer",
        ));
    }
    if lower.starts_with("ln") {
        let (invoice, description) = bolt11(text, network)?;
        return Ok(Destination::Bolt11 { invoice, description });
    }
    address(text, network).map(Destination::Address)
}

/// An invoice of this network, and the payee's words on it.
pub(crate) fn bolt11(text: &str, network: Network) -> Result<(String, String), PayeeError> {
    let invoice: Bolt11Invoice = text.parse().map_err(|_| {
        fail(
            Code::Unreadable,
            "this begins like a BOLT11 invoice and is none, or a damaged one",
        )
    })?;
    if invoice.network() != network {
        let there = invoice.network();
        return Err(fail(
            Code::WrongNetwork,
            format!("the invoice is of the network {there}, this wallet of {network}"),
        ));
    }
    let description = match invoice.description() {
        Bolt11InvoiceDescriptionRef::Direct(text) => text.to_string(),
        Bolt11InvoiceDescriptionRef::Hash(_) => String::new(),
    };
    Ok((invoice.to_string(), description))
}

/// An address of this network.
pub(crate) fn address(text: &str, network: Network) -> Result<String, PayeeError> {
    let unchecked: Address<NetworkUnchecked> = text.parse().map_err(|_| {
        let forms = "an invoice, an offer, a bitcoin: or lightning: link, an LNURL, a name such as user@domain, or an address";
        fail(Code::Unreadable, format!("this is no destination that is known: give {forms}"))
    })?;
    match unchecked.require_network(network) {
        Ok(address) => Ok(address.to_string()),
        Err(_) => Err(fail(
            Code::WrongNetwork,
            format!("the address is not one of {network}"),
        )),
    }
}

/// LUD-01: an address in bech32, of any length.
fn lnurl(lower: &str) -> Result<Destination, PayeeError> {
    let damaged = || {
        fail(
            Code::Unreadable,
            "this begins like an LNURL and is none, or a damaged one",
        )
    };
    let (_, bytes) = bech32::decode(lower).map_err(|_| damaged())?;
    let text = String::from_utf8(bytes).map_err(|_| damaged())?;
    let url: Url = text.parse().map_err(|_| damaged())?;
    if url
        .query_pairs()
        .any(|(key, value)| key == "tag" && value == "login")
    {
        return Err(fail(
            Code::Unsupported,
            "this LNURL is for a login, not for a payment",
        ));
    }
    let local = url.host_str().is_some_and(guard::is_this_machine);
    Ok(Destination::Lnurl {
        url: url.into(),
        local,
    })
}

/// LUD-17: `lnurlp://domain/path`.
fn lnurl_scheme(rest: &str) -> Result<Destination, PayeeError> {
    let bad = || fail(Code::Unreadable, "this lnurlp: link names no server");
    let url: Url = format!("https://{rest}").parse().map_err(|_| bad())?;
    let local = url.host_str().is_some_and(guard::is_this_machine);
    let url = match local {
        true => format!("http://{rest}").parse().map_err(|_| bad())?,
        false => url,
    };
    Ok(Destination::Lnurl {
        url: url.into(),
        local,
    })
}

/// A page that carries an LNURL for those who can read it (LUD-01's fallback).
fn web_link(text: &str) -> Result<Destination, PayeeError> {
    let unreadable = || {
        fail(
            Code::Unreadable,
            "a web page is no destination: give the invoice or LNURL that it shows",
        )
    };
    let url: Url = text.parse().map_err(|_| unreadable())?;
    let inside = url
        .query_pairs()
        .find(|(key, _)| key.eq_ignore_ascii_case("lightning"));
    let inside = inside
        .map(|(_, value)| value.to_ascii_lowercase())
        .ok_or_else(unreadable)?;
    lnurl(&inside)
}

fn name(text: &str) -> Result<Name, PayeeError> {
    let only_dns = text.starts_with('₿');
    let bare = text.trim_start_matches('₿').to_lowercase();
    let bad = || {
        fail(
            Code::Unreadable,
            "a name is user@domain, of letters, digits, dots, dashes and underscores",
        )
    };
    let (user, domain) = bare.split_once('@').ok_or_else(bad)?;
    let of_user = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
    let of_domain = |c: char| c.is_ascii_alphanumeric() || "-.:".contains(c);
    let well = (1..=63).contains(&user.len())
        && user.chars().all(of_user)
        && (1..=253).contains(&domain.len())
        && domain.chars().all(of_domain);
    if !well {
        return Err(bad());
    }
    Ok(Name {
        user: user.to_owned(),
        domain: domain.to_owned(),
        only_dns,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Code {
        destination(text, Network::Regtest).unwrap_err().code
    }

    #[test]
    fn each_form_is_told_by_its_beginning() {
        let address = "bcrt1q6rz28mcfaxtmd6v789l9rrlrusdprr9pz3cppk";
        assert_eq!(
            destination(address, Network::Regtest).unwrap(),
            Destination::Address(address.to_owned())
        );
        for text in [
            format!("bitcoin:{address}"),
            format!("BITCOIN:{address}?amount=1"),
        ] {
            assert_eq!(
                destination(&text, Network::Regtest).unwrap(),
                Destination::Uri(text.clone())
            );
        }
        // LUD-01's own example.
        let lud01 = "LNURL1DP68GURN8GHJ7UM9WFMXJCM99E3K7MF0V9CXJ0M385EKVCENXC6R2C35XVUKXEFCV5MKVV34X5EKZD3EV56NYD3HXQURZEPEXEJXXEPNXSCRVWFNV9NXZCN9XQ6XYEFHVGCXXCMYXYMNSERXFQ5FNS";
        let url =
            "https://service.com/api?q=3fc3645b439ce8e7f2553a69e5267081d96dcd340693afabe04be7b0ccd178df";
        let expected = Destination::Lnurl {
            url: url.to_owned(),
            local: false,
        };
        for text in [
            lud01.to_owned(),
            format!("lightning:{lud01}"),
            format!("https://x.com/p?lightning={lud01}"),
        ] {
            assert_eq!(destination(&text, Network::Regtest).unwrap(), expected);
        }
        let expected = Destination::Lnurl {
            url: "https://x.com/p".to_owned(),
            local: false,
        };
        assert_eq!(
            destination("lnurlp://x.com/p", Network::Regtest).unwrap(),
            expected
        );
        assert!(matches!(
            destination("lno1abc", Network::Regtest),
            Ok(Destination::Offer(_))
        ));
    }

    #[test]
    fn what_is_no_destination_is_said_by_kind() {
        for text in [
            "",
            "hello",
            "lnbcrt1nonsense",
            "lnurl1nonsense",
            "a b@x.com",
            "@x.com",
            "https://x.com/",
        ] {
            assert_eq!(code(text), Code::Unreadable, "{text}");
        }
        assert_eq!(
            code("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"),
            Code::WrongNetwork
        );
        for text in ["lnurlw://x.com", "keyauth://x.com", "lni1abc"] {
            assert_eq!(code(text), Code::Unsupported, "{text}");
        }
    }

    #[test]
    fn a_name_is_kept_where_its_standards_keep_it() {
        let Destination::Name(name) = destination("₿Matt@Example.com", Network::Regtest).unwrap() else {
            unreachable!()
        };
        assert!(name.only_dns && name.is_dns());
        assert_eq!(name.dns_name(), "matt.user._bitcoin-payment.example.com.");
        assert_eq!(
            name.lightning_address(),
            "https://example.com/.well-known/lnurlp/matt"
        );
        let Destination::Name(local) = destination("me@127.0.0.1:80", Network::Regtest).unwrap() else {
            unreachable!()
        };
        assert!(local.is_local() && !local.is_dns() && !local.only_dns);
        assert_eq!(
            local.lightning_address(),
            "http://127.0.0.1:80/.well-known/lnurlp/me"
        );
    }
}
