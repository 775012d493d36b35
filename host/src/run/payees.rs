//! Who looks up payees, and which DNS resolver is asked.
use std::net::{IpAddr, SocketAddr};

use autopilot_payee::PayeeResolver;

use super::HostError;
use crate::config::Config;

const RESOLV_CONF: &str = "/etc/resolv.conf";
const DNS_PORT: u16 = 53;

/// The configured resolver, or this machine's first. Nobody is asked before a person names somebody.
pub(super) fn resolver(config: &Config) -> Result<PayeeResolver, HostError> {
    let dns = match config.wallet.dns.as_str() {
        "" => std::fs::read_to_string(RESOLV_CONF)
            .ok()
            .and_then(|text| first_of(&text)),
        // The configuration was checked when it was read.
        named => named.parse().ok(),
    };
    PayeeResolver::new(&config.network, dns).map_err(|error| HostError::Payees(error.message))
}

/// The first `nameserver` of a resolv.conf (resolv.conf(5)).
fn first_of(text: &str) -> Option<SocketAddr> {
    let addresses = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("nameserver"));
    let address = addresses
        .filter_map(|rest| rest.trim().parse::<IpAddr>().ok())
        .next()?;
    Some(SocketAddr::new(address, DNS_PORT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_nameserver_is_asked() {
        let text = "# made by hand\nsearch home\nnameserver 127.0.0.53\nnameserver 9.9.9.9\n";
        assert_eq!(first_of(text), Some(([127, 0, 0, 53], 53).into()));
        assert_eq!(first_of("search home\n"), None);
    }
}
