//! Relays that somebody else names: a buyer's wish where answers go, a hint where an input lies. Each visit is one
//! short connection of its own, bounded in time and bytes, and never to an address inside our own network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use nostr::filter::MatchEventOptions;
use nostr::{ClientMessage, Event, Filter, JsonUtil, RelayMessage, RelayUrl, SubscriptionId};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Message, protocol::WebSocketConfig};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async_tls_with_config};

use super::transport::MAX_MESSAGE_BYTES;
use crate::nip90;

/// The longest address that is followed, in bytes.
const MAX_URL_BYTES: usize = 200;
/// The most events that one visit brings home; further ones are not read.
const MAX_EVENTS: usize = 32;
/// The most messages that are read in one visit, whatever they say.
const MAX_MESSAGES: usize = 128;
const SUBSCRIPTION: &str = "once";

/// Why a visit came to nothing. The words stand in journals and feedback.
#[derive(Debug, thiserror::Error)]
pub(super) enum VisitError {
    #[error("not visited: it is no ws:// or wss:// address of a relay")]
    Address,
    #[error("not visited: it lies inside a private network")]
    Private,
    #[error("timeout")]
    Timeout,
    #[error("not connected: {0}")]
    Connect(std::io::Error),
    #[error("not connected: {0}")]
    Websocket(Box<tokio_tungstenite::tungstenite::Error>),
    #[error("it closed the connection")]
    Closed,
    #[error("{0}")]
    Refused(String),
}

/// What a visitor may do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visitor {
    /// Loopback and private networks too: where the whole world is local.
    pub allow_private: bool,
    /// For the whole visit.
    pub bound: Duration,
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Of somebody's wishes, those to be visited: relay addresses, none of ours, the first few.
pub(super) fn chosen<'a>(
    wishes: impl IntoIterator<Item = &'a str>,
    ours: impl Fn(&RelayUrl) -> bool,
    most: usize,
) -> Vec<RelayUrl> {
    let mut chosen: Vec<RelayUrl> = Vec::new();
    for wish in wishes.into_iter().filter(|wish| wish.len() <= MAX_URL_BYTES) {
        match RelayUrl::parse(wish) {
            Ok(url) if !ours(&url) && !chosen.contains(&url) && chosen.len() < most => chosen.push(url),
            _ => {}
        }
    }
    chosen
}

impl Visitor {
    /// Hands an event over; the relay says that it took it.
    pub async fn publish(self, url: &RelayUrl, event: &Event) -> Result<(), VisitError> {
        let visit = async {
            let mut socket = self.dial(url).await?;
            say(&mut socket, &ClientMessage::event(event.clone())).await?;
            for _ in 0..MAX_MESSAGES {
                if let RelayMessage::Ok {
                    event_id,
                    status,
                    message,
                } = hear(&mut socket).await?
                    && event_id == event.id
                {
                    let has_it = status || message.starts_with("duplicate:");
                    return if has_it {
                        Ok(())
                    } else {
                        Err(VisitError::Refused(message.into_owned()))
                    };
                }
            }
            Err(VisitError::Closed)
        };
        timeout(self.bound, visit)
            .await
            .unwrap_or(Err(VisitError::Timeout))
    }

    /// Asks for stored events. What comes back fits the filter, has a valid signature, and is within our bounds.
    pub async fn fetch(self, url: &RelayUrl, filter: &Filter) -> Result<Vec<Event>, VisitError> {
        let mut found = Vec::new();
        let visit = async {
            let mut socket = self.dial(url).await?;
            say(
                &mut socket,
                &ClientMessage::req(SubscriptionId::new(SUBSCRIPTION), vec![filter.clone()]),
            )
            .await?;
            for _ in 0..MAX_MESSAGES {
                match hear(&mut socket).await? {
                    RelayMessage::Event { event, .. } if fits(&event, filter) => {
                        found.push(event.into_owned())
                    }
                    RelayMessage::EndOfStoredEvents(_) => return Ok(()),
                    RelayMessage::Closed { message, .. } => {
                        return Err(VisitError::Refused(message.into_owned()));
                    }
                    _ => {}
                }
                if found.len() >= MAX_EVENTS {
                    return Ok(());
                }
            }
            Ok(())
        };
        let ended = timeout(self.bound, visit)
            .await
            .unwrap_or(Err(VisitError::Timeout));
        // What came before a relay hung or broke off is as good as any.
        if found.is_empty() {
            ended.map(|()| found)
        } else {
            Ok(found)
        }
    }

    /// Connects to an address that was looked at: the very one, so that a name can't point elsewhere a moment later.
    async fn dial(self, url: &RelayUrl) -> Result<Socket, VisitError> {
        let url = nostr::Url::from(url.clone());
        let (host, port) = url
            .host_str()
            .zip(url.port_or_known_default())
            .ok_or(VisitError::Address)?;
        let host = host.trim_matches(['[', ']']);
        let mut last = VisitError::Address;
        for address in tokio::net::lookup_host((host, port))
            .await
            .map_err(VisitError::Connect)?
        {
            if !self.allow_private && !is_public(address.ip()) {
                return Err(VisitError::Private);
            }
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    let config = WebSocketConfig::default()
                        .max_message_size(Some(MAX_MESSAGE_BYTES))
                        .max_frame_size(Some(MAX_MESSAGE_BYTES));
                    let connected =
                        client_async_tls_with_config(url.as_str(), stream, Some(config), None).await;
                    return connected
                        .map(|(socket, _)| socket)
                        .map_err(|error| VisitError::Websocket(Box::new(error)));
                }
                Err(error) => last = VisitError::Connect(error),
            }
        }
        Err(last)
    }
}

fn fits(event: &Event, filter: &Filter) -> bool {
    filter.match_event(event, MatchEventOptions::new()) && nip90::is_sound(event)
}

async fn say(socket: &mut Socket, message: &ClientMessage<'_>) -> Result<(), VisitError> {
    let sent = socket.send(Message::text(message.as_json())).await;
    sent.map_err(|error| VisitError::Websocket(Box::new(error)))
}

/// The next message that can be understood; the bound of the visit ends a relay that only chatters.
async fn hear(socket: &mut Socket) -> Result<RelayMessage<'static>, VisitError> {
    for _ in 0..MAX_MESSAGES {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => {
                if let Ok(message) = RelayMessage::from_json(text.as_str()) {
                    return Ok(message);
                }
            }
            Some(Ok(Message::Close(_))) | None => return Err(VisitError::Closed),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(VisitError::Websocket(Box::new(error))),
        }
    }
    Err(VisitError::Closed)
}

/// Whether an address lies in the public Internet. The ranges are those of the IANA registries of special-purpose
/// addresses; an IPv4 address inside an IPv6 one is judged by itself.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    let special = v4.is_private()
        || v4.is_loopback()
        || v4.is_link_local()
        || v4.is_documentation()
        || a == 0
        || a >= 224
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b));
    !special
}

fn is_public_v6(v6: Ipv6Addr) -> bool {
    let inner = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match v6.segments() {
        // Mapped and translated IPv4.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            is_public_v4(inner(high, low))
        }
        // 6to4.
        [0x2002, high, low, ..] => is_public_v4(inner(high, low)),
        // Teredo and other protocol assignments, ORCHID, documentation.
        [0x2001, second, ..] if second < 0x0200 || second == 0x0db8 => false,
        // Of the rest only global unicast.
        [first, ..] => (0x2000..0x4000).contains(&first) && first != 0x3fff,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_visited() {
        let check = |address: &str, public| {
            assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
        };
        for address in [
            "1.1.1.1",
            "100.128.0.1",
            "172.32.0.1",
            "2606:4700::1111",
            "::ffff:1.1.1.1",
            "2002:101:101::1",
        ] {
            check(address, true);
        }
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "::",
            "::1",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
        ] {
            check(address, false);
        }
    }

    #[test]
    fn of_many_wishes_a_few_are_followed() {
        let wishes = [
            "wss://a.example",
            "http://b.example",
            "wss://a.example/",
            "ws://ours.example",
            "wss://c.example",
            "nonsense",
            "wss://d.example",
        ];
        let ours = RelayUrl::parse("ws://ours.example").unwrap();
        let long = format!("wss://{}.example", "x".repeat(MAX_URL_BYTES));
        let wishes = wishes.into_iter().chain([long.as_str()]);
        let chosen = chosen(wishes, |url| *url == ours, 2);
        let words: Vec<&str> = chosen
            .iter()
            .map(|url| url.as_str_without_trailing_slash())
            .collect();
        assert_eq!(words, ["wss://a.example", "wss://c.example"]);
    }
}
