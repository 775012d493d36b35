//! `bitcoin:` links: BIP21 with the keys of BIP321. One link can carry several ways to pay.
use autopilot_core::ports::payee::{PayeeError, PayeeErrorCode as Code, Resolved, Way};
use autopilot_events::words::Msat;
use bitcoin::Network;

use crate::{
    failure::fail,
    parse::{self, Destination},
    shorten,
};

const MSAT_PER_BTC_DIGITS: usize = 11;

/// A link as read: what can be paid at once, and LNURLs that have to be asked first.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    bolt11: Vec<Way>,
    offers: Vec<Way>,
    onchain: Vec<Way>,
    urls: Vec<String>,
    amount: Option<Msat>,
    description: String,
    notes: Vec<String>,
}

impl Parsed {
    /// The ways in the stated order, and the LNURLs.
    pub(crate) fn into_parts(self) -> (Resolved, Vec<String>) {
        let ways = self.bolt11.into_iter().chain(self.offers).chain(self.onchain);
        let resolved = Resolved {
            ways: ways.collect(),
            amount: self.amount,
            description: shorten(&self.description),
            notes: self.notes,
            ..Resolved::default()
        };
        (resolved, self.urls)
    }

    /// Takes one way in, or says why not: another way in the same link may do.
    fn take(&mut self, way: Result<Destination, PayeeError>) {
        match way {
            Ok(Destination::Bolt11 { invoice, description }) => {
                self.bolt11.push(Way::Bolt11(invoice));
                if self.description.is_empty() {
                    self.description = description;
                }
            }
            Ok(Destination::Offer(offer)) => self.offers.push(Way::Offer(offer)),
            Ok(Destination::Address(address)) => self.onchain.push(Way::Onchain(address)),
            Ok(Destination::Lnurl { url, .. }) => self.urls.push(url),
            Ok(Destination::Uri(_) | Destination::Name(_)) => {
                self.notes
                    .push("a link or name inside a link is not followed".to_owned());
            }
            Err(error) => self.notes.push(error.message),
        }
    }
}

/// Reads a link. Parts that are damaged or of another network are noted; unknown demands (`req-…`) refuse it.
pub(crate) fn parse(text: &str, network: Network) -> Result<Parsed, PayeeError> {
    let body = text.split_once(':').map(|(_, body)| body).unwrap_or_default();
    let (address, query) = body.split_once('?').unwrap_or((body, ""));
    let mut parsed = Parsed::default();
    let address = address.trim_start_matches('/');
    if !address.is_empty() {
        parsed.take(parse::address(address, network).map(Destination::Address));
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = percent_decoded(value)?;
        match key.to_ascii_lowercase().as_str() {
            "amount" => match parsed.amount.replace(btc(&value)?) {
                None => {}
                Some(_) => return Err(fail(Code::Unreadable, "the link names two amounts")),
            },
            "label" | "message" if !value.is_empty() => {
                let between = if parsed.description.is_empty() { "" } else { ", " };
                parsed.description = format!("{}{between}{value}", parsed.description);
            }
            "lightning" | "lno" => parsed.take(parse::destination(&value, network)),
            "bc" | "tb" | "bcrt" | "tbs" => {
                parsed.take(parse::address(&value, network).map(Destination::Address));
            }
            unknown if unknown.starts_with("req-") => {
                let why = format!("the link demands {unknown:?}, which this wallet does not know");
                return Err(fail(Code::Unsupported, why));
            }
            _ => {}
        }
    }
    Ok(parsed)
}

/// A decimal number of bitcoin, without floats. BIP21 has at most eight places; three more are millisatoshi.
fn btc(text: &str) -> Result<Msat, PayeeError> {
    let bad = || fail(Code::Unreadable, "the link's amount is no number of bitcoin");
    let (whole, places) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.chars().all(|c| c.is_ascii_digit());
    if text.is_empty()
        || text == "."
        || !digits(whole)
        || !digits(places)
        || places.len() > MSAT_PER_BTC_DIGITS
    {
        return Err(bad());
    }
    let msat = format!("{whole}{places:0<MSAT_PER_BTC_DIGITS$}");
    msat.parse().map(Msat).map_err(|_| bad())
}

/// `%20` → a space. A plus stays a plus, as in RFC 3986.
fn percent_decoded(text: &str) -> Result<String, PayeeError> {
    let bad = || fail(Code::Unreadable, "the link holds a damaged escape");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, tail) = rest.split_at_checked(2).ok_or_else(bad)?;
        let digits = std::str::from_utf8(digits).map_err(|_| bad())?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| bad())?);
        rest = tail;
    }
    String::from_utf8(bytes).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: &str = "bcrt1q6rz28mcfaxtmd6v789l9rrlrusdprr9pz3cppk";

    fn read(text: &str) -> Resolved {
        parse(text, Network::Regtest).unwrap().into_parts().0
    }

    fn code(text: &str) -> Code {
        parse(text, Network::Regtest).unwrap_err().code
    }

    #[test]
    fn one_link_carries_several_ways_in_the_stated_order() {
        let read = read(&format!(
            "bitcoin:{ADDRESS}?amount=0.00000021&label=A%20shop&message=tea+milk&lno=lno1abc&somethingelse=5"
        ));
        let expected = [Way::Offer("lno1abc".to_owned()), Way::Onchain(ADDRESS.to_owned())];
        assert_eq!(read.ways, expected);
        assert_eq!(
            (read.amount, read.description.as_str()),
            (Some(Msat(21_000)), "A shop, tea+milk")
        );
    }

    #[test]
    fn a_part_that_does_not_fit_is_passed_over_and_named() {
        let read = read(&format!("BITCOIN:{ADDRESS}?LIGHTNING=lnbcrt1nonsense"));
        assert_eq!(read.ways, [Way::Onchain(ADDRESS.to_owned())]);
        assert_eq!(read.notes.len(), 1);
        let (foreign, _) = parse(
            "bitcoin:bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
            Network::Regtest,
        )
        .unwrap()
        .into_parts();
        assert!(foreign.ways.is_empty() && foreign.notes[0].contains("regtest"));
    }

    #[test]
    fn what_can_t_be_understood_is_refused() {
        assert_eq!(code(&format!("bitcoin:{ADDRESS}?req-magic=1")), Code::Unsupported);
        for query in [
            "amount=1&amount=2",
            "amount=1e3",
            "amount=-1",
            "amount=.",
            "amount=1.2.3",
            "label=%2",
            "label=%zz",
        ] {
            assert_eq!(
                code(&format!("bitcoin:{ADDRESS}?{query}")),
                Code::Unreadable,
                "{query}"
            );
        }
        assert_eq!(btc("20999999.97690000").unwrap(), Msat(2_099_999_997_690_000_000));
        assert_eq!(btc("1").unwrap(), Msat(100_000_000_000));
        assert_eq!(btc(".5").unwrap(), Msat(50_000_000_000));
    }
}
