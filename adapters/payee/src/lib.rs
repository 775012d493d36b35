//! The payee port: whatever a person pastes as a destination becomes ways to pay it.
//!
//! Formats: BOLT11, BOLT12, BIP21 with the keys of BIP321, LNURL-pay (LUD-01, 06, 12, 17), Lightning addresses
//! (LUD-16), names with DNSSEC proofs (BIP353), on-chain addresses. Servers are asked over https only, except on this
//! machine; none inside a private network; every answer is bounded in time and size and checked against the question.
mod failure;
mod guard;
mod http;
mod lnurl;
mod name;
mod parse;
#[doc(hidden)]
pub mod reading;
mod uri;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use autopilot_core::ports::payee::{Callback, PayeeError, PayeeErrorCode as Code, Payees, Resolved, Way};
use autopilot_events::words::Msat;
use bitcoin::Network;

use crate::{
    failure::fail,
    http::Http,
    parse::{Destination, Name},
};

/// Longest destination that is looked at, in bytes.
const DESTINATION_LIMIT: usize = 8_192;
/// Longest description that is kept, in characters.
const DESCRIPTION_LIMIT: usize = 300;

/// For one question to one server, with all its redirects.
const TIME_LIMIT: Duration = Duration::from_secs(10);

type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Resolves destinations for a wallet of one network.
#[derive(Clone)]
pub struct PayeeResolver {
    network: Network,
    dns: Option<SocketAddr>,
    http: Http,
    clock: Clock,
    time_limit: Duration,
}

impl PayeeResolver {
    /// For a wallet of `network`. `dns` is a recursive resolver that is asked for BIP353 names over TCP; `None`: names
    /// are Lightning addresses only.
    ///
    /// # Errors
    /// `Unsupported` for a network that is not known, or where the TLS of this machine can't be set up.
    pub fn new(network: &str, dns: Option<SocketAddr>) -> Result<Self, PayeeError> {
        let network = network
            .parse()
            .map_err(|_| fail(Code::Unsupported, format!("{network} is no network of bitcoin")))?;
        let now_s = || {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs())
        };
        Ok(Self {
            network,
            dns,
            http: Http::new(TIME_LIMIT)?,
            clock: Arc::new(now_s),
            time_limit: TIME_LIMIT,
        })
    }

    /// The same with another clock, in Unix seconds: recorded proofs hold for their time only.
    pub fn with_clock(self, now_s: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self {
            clock: Arc::new(now_s),
            ..self
        }
    }

    /// The same with another bound on each question, instead of 10 seconds.
    pub fn within(mut self, time_limit: Duration) -> Self {
        self.http.time_limit = time_limit;
        Self { time_limit, ..self }
    }

    /// A name is a BIP353 name first: its answer is proven. Where there is none it is a Lightning address, unless ₿
    /// says that it must be the former. A proof that does not hold ends it.
    async fn named(&self, name: &Name) -> Result<Resolved, PayeeError> {
        let problem = match (name.is_dns(), self.dns) {
            (true, Some(dns)) => match name::ask(dns, name, (self.clock)(), self.time_limit).await {
                Ok(found) => return self.proven(name, found),
                Err(error) if error.code == Code::NameUnproven => return Err(error),
                Err(error) => error,
            },
            (true, None) => fail(Code::NameNotFound, "no DNS resolver is configured"),
            (false, _) => fail(Code::NameNotFound, "no DNS name"),
        };
        if name.only_dns {
            return Err(problem);
        }
        let mut resolved = self
            .asked(&name.lightning_address(), name.is_local())
            .await
            .map_err(|error| {
                let both = format!("{} (and by BIP353: {})", error.message, problem.message);
                fail(error.code, both)
            })?;
        resolved.path.insert(0, "lightning-address".to_owned());
        if name.is_dns() {
            resolved
                .notes
                .push(format!("not a BIP353 name: {}", problem.message));
        }
        Ok(resolved)
    }

    fn proven(&self, name: &Name, found: name::Found) -> Result<Resolved, PayeeError> {
        let parsed = uri::parse(&found.uri, self.network)?;
        let mut resolved = self.without_servers(parsed)?;
        resolved.path.insert(0, "bip353".to_owned());
        resolved.authority = name.dns_name();
        resolved.proof_digest = Some(*blake3::hash(&found.proof).as_bytes());
        Ok(resolved)
    }

    /// A proven name leads to money itself, never to another name or server.
    fn without_servers(&self, parsed: uri::Parsed) -> Result<Resolved, PayeeError> {
        let (mut resolved, urls) = parsed.into_parts();
        if !urls.is_empty() {
            resolved
                .notes
                .push("an LNURL inside a BIP353 record is not followed".to_owned());
        }
        if resolved.ways.is_empty() {
            return Err(parsed_nothing(&resolved));
        }
        resolved.path.push("bip21".to_owned());
        Ok(resolved)
    }

    /// Asks an LNURL server what it takes.
    async fn asked(&self, url: &str, local: bool) -> Result<Resolved, PayeeError> {
        let (callback, description) = lnurl::first(&self.http, url, local).await?;
        Ok(Resolved {
            path: vec!["lnurl-pay".to_owned()],
            authority: lnurl::host(url),
            ways: vec![Way::Callback(callback)],
            description: shorten(&description),
            ..Resolved::default()
        })
    }

    async fn by_uri(&self, text: &str) -> Result<Resolved, PayeeError> {
        let (mut resolved, urls) = uri::parse(text, self.network)?.into_parts();
        resolved.path.push("bip21".to_owned());
        // Between offers and the chain, as the order of ways says.
        for url in urls {
            match self.asked(&url, false).await {
                Ok(found) => {
                    let place = resolved
                        .ways
                        .iter()
                        .position(|way| matches!(way, Way::Onchain(_)));
                    let place = place.unwrap_or(resolved.ways.len());
                    resolved.ways.splice(place..place, found.ways);
                    resolved.authority = found.authority;
                }
                Err(error) => resolved.notes.push(error.message),
            }
        }
        match resolved.ways.is_empty() {
            true => Err(parsed_nothing(&resolved)),
            false => Ok(resolved),
        }
    }
}

fn parsed_nothing(resolved: &Resolved) -> PayeeError {
    let why = match resolved.notes.first() {
        Some(note) => format!("nothing in it can be paid: {note}"),
        None => "nothing in it can be paid".to_owned(),
    };
    fail(Code::Unsupported, why)
}

fn shorten(text: &str) -> String {
    text.chars().take(DESCRIPTION_LIMIT).collect()
}

impl Payees for PayeeResolver {
    async fn resolve(&self, destination: &str) -> Result<Resolved, PayeeError> {
        if destination.len() > DESTINATION_LIMIT {
            let limit = format!("a destination has at most {DESTINATION_LIMIT} characters");
            return Err(fail(Code::Unreadable, limit));
        }
        let one = |way: Way, step: &str, description: String| Resolved {
            ways: vec![way],
            path: vec![step.to_owned()],
            description: shorten(&description),
            ..Resolved::default()
        };
        match parse::destination(destination, self.network)? {
            Destination::Bolt11 { invoice, description } => {
                Ok(one(Way::Bolt11(invoice), "bolt11", description))
            }
            Destination::Offer(offer) => Ok(one(Way::Offer(offer), "bolt12", String::new())),
            Destination::Address(address) => Ok(one(Way::Onchain(address), "onchain", String::new())),
            Destination::Uri(text) => self.by_uri(&text).await,
            Destination::Lnurl { url, local } => self.asked(&url, local).await,
            Destination::Name(name) => self.named(&name).await,
        }
    }

    async fn invoice(&self, callback: &Callback, amount: Msat, comment: &str) -> Result<String, PayeeError> {
        lnurl::second(&self.http, callback, amount, comment, self.network).await
    }
}
