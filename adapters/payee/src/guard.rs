//! Which servers may be asked. A payee's server is a stranger's: it must not turn this machine against its own network.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use autopilot_core::ports::payee::{PayeeError, PayeeErrorCode as Code};
use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};

use crate::failure::fail;

/// An address that strangers may send us to: public, unicast.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Special-purpose ranges by RFC 6890 and its successors.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (18..20).contains(&b)))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    // What carries a v4 address inside is judged by that: mapped, NAT64, 6to4.
    let inner = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    if let Some(mapped) = address.to_ipv4_mapped() {
        return is_public_v4(mapped);
    }
    match segments {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => inner(high, low),
        // Global unicast, less documentation and Teredo.
        [first, second, ..] => {
            (0x2000..0x4000).contains(&first) && !(first == 0x2001 && (second == 0xdb8 || second == 0))
        }
    }
}

/// A host that means this machine.
pub(crate) fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse::<IpAddr>().map(|address| address.is_loopback());
    bare.eq_ignore_ascii_case("localhost") || address.unwrap_or(false)
}

/// Whether `url` may be asked. `local`: a person named this machine, so that it may be.
pub(crate) fn check(url: &Url, local: bool) -> Result<(), PayeeError> {
    let forbidden = |why: String| Err(fail(Code::Forbidden, why));
    let Some(host) = url.host_str() else {
        return forbidden("the address names no server".to_owned());
    };
    if !url.username().is_empty() || url.password().is_some() {
        return forbidden(format!("the address of {host} carries a user name"));
    }
    if is_this_machine(host) {
        return match (local, url.scheme()) {
            (true, "http" | "https") => Ok(()),
            _ => forbidden(format!(
                "{host} is this machine, and a stranger may not send us there"
            )),
        };
    }
    if host.ends_with(".onion") {
        return Err(fail(
            Code::Unsupported,
            format!("{host} is reached over Tor only, which is not built in"),
        ));
    }
    if url.scheme() != "https" {
        return forbidden(format!(
            "{host} is to be asked over {}, and only https is safe",
            url.scheme()
        ));
    }
    let literal = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>();
    match literal {
        Ok(address) if !is_public(address) => forbidden(format!("{address} lies inside a private network")),
        _ => Ok(()),
    }
}

/// Looks names up and leaves out what is not public, so that no name leads inside either.
pub(crate) struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let local = is_this_machine(name.as_str());
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<_> = found
                .filter(|address| match local {
                    true => address.ip().is_loopback(),
                    false => is_public(address.ip()),
                })
                .collect();
            if allowed.is_empty() {
                return Err(format!("{} has no public address", name.as_str()).into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        let public = ["1.1.1.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::101:101"];
        let private = [
            "127.0.0.1",
            "10.0.0.1",
            "172.16.3.4",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "2001:db8::1",
            "ff02::1",
        ];
        for (text, expected) in public
            .iter()
            .map(|t| (t, true))
            .chain(private.iter().map(|t| (t, false)))
        {
            assert_eq!(is_public(text.parse().unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn strangers_send_us_to_public_https_only() {
        let check = |text: &str, local| check(&text.parse().unwrap(), local).map_err(|error| error.code);
        assert_eq!(check("https://example.com/x", false), Ok(()));
        assert_eq!(check("http://localhost:80/x", true), Ok(()));
        for (text, local) in [
            ("http://example.com/", false),
            ("http://example.com/", true),
            ("http://127.0.0.1/", false),
            ("https://localhost/", false),
            ("https://10.0.0.1/", true),
            ("https://[::ffff:192.168.0.1]/", true),
            ("https://0x7f.1/", false),
            ("https://user@example.com/", false),
            ("ftp://localhost/", true),
        ] {
            assert_eq!(check(text, local), Err(Code::Forbidden), "{text}");
        }
        assert_eq!(check("http://abc.onion/", false), Err(Code::Unsupported));
    }
}
