//! The websocket under the SDK's pool, with the inbox in between.
//!
//! The SDK takes an id that it has seen for proof of the content that comes with it, and its notifications drop
//! events when they are not fetched in time. So no event reaches it: the inbox takes them off the wire, and the SDK
//! keeps connections, acknowledgements, pings and authentication. The bound on a message stands where memory is
//! taken, in the websocket itself.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_wsocket::{ConnectionMode, Message, WebSocket};
use futures_util::stream::SplitSink;
use futures_util::{Sink, StreamExt};
use nostr::Url;
use nostr::util::BoxedFuture;
use nostr_sdk::pool::transport::error::TransportError;
use nostr_sdk::pool::transport::websocket::{WebSocketSink, WebSocketStream, WebSocketTransport};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::inbox::{Inbox, Verdict};
use super::lanes::Lanes;
use crate::nip90::MAX_EVENT_BYTES;

/// The most bytes of one message: an event at its bound, escaped, in its frame. A relay that sends more is cut off.
pub(super) const MAX_MESSAGE_BYTES: usize = 2 * MAX_EVENT_BYTES;

pub(super) struct GuardedTransport {
    pub inbox: Arc<Inbox>,
    pub lanes: Arc<Lanes>,
    pub connect_timeout: Duration,
}

impl fmt::Debug for GuardedTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedTransport")
            .field("relays", &self.lanes.addresses())
            .finish_non_exhaustive()
    }
}

/// Why a connection could not be made.
#[derive(Debug, thiserror::Error)]
enum ConnectError {
    #[error("the address is not one of the configured relays")]
    Foreign,
    #[error("the address names no host or port")]
    Address,
    #[error("no connection within {0:?}")]
    Timeout(Duration),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Websocket(#[from] Box<tokio_tungstenite::tungstenite::Error>),
}

impl WebSocketTransport for GuardedTransport {
    fn support_ping(&self) -> bool {
        true
    }

    fn connect<'a>(
        &'a self,
        url: &'a Url,
        _mode: &'a ConnectionMode,
        timeout: Duration,
    ) -> BoxedFuture<'a, Result<(WebSocketSink, WebSocketStream), TransportError>> {
        Box::pin(async move {
            let foreign = || TransportError::backend(ConnectError::Foreign);
            let lane = self.lanes.lane_of_address(url).ok_or_else(foreign)?;
            let bound = self.connect_timeout.min(timeout);
            let dialled = tokio::time::timeout(bound, dial(url)).await;
            let socket = dialled
                .unwrap_or(Err(ConnectError::Timeout(bound)))
                .map_err(|error| {
                    if let Some(stats) = self.lanes.stats(lane) {
                        stats.failed(&error.to_string());
                    }
                    TransportError::backend(error)
                })?;
            let (sink, stream) = socket.split();
            let inbox = Arc::clone(&self.inbox);
            let guarded = stream.filter_map(move |message| {
                let passed = match message {
                    Ok(Message::Text(text)) => {
                        (inbox.take(lane, &text) == Verdict::Pass).then_some(Message::Text(text))
                    }
                    Ok(Message::Binary(_)) => None,
                    Ok(other) => Some(other),
                    Err(error) => {
                        inbox.broken(lane, &error.to_string());
                        return std::future::ready(Some(Err(TransportError::backend(error))));
                    }
                };
                std::future::ready(passed.map(Ok))
            });
            Ok((
                Box::new(GuardedSink(sink)) as WebSocketSink,
                Box::pin(guarded) as WebSocketStream,
            ))
        })
    }
}

async fn dial(url: &Url) -> Result<WebSocket, ConnectError> {
    let (host, port) = url
        .host_str()
        .zip(url.port_or_known_default())
        .ok_or(ConnectError::Address)?;
    // An IPv6 literal stands in brackets in an address, and without them in a lookup.
    let stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await?;
    stream.set_nodelay(true)?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES));
    let (socket, _) =
        tokio_tungstenite::client_async_tls_with_config(url.as_str(), stream, Some(config), None)
            .await
            .map_err(Box::new)?;
    Ok(WebSocket::Tokio(socket))
}

/// The sending half, with the SDK's error. `sink_map_err` may panic when it is polled after an error.
struct GuardedSink(SplitSink<WebSocket, Message>);

impl Sink<Message> for GuardedSink {
    type Error = TransportError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Pin::new(&mut self.0)
            .poll_ready(cx)
            .map_err(TransportError::backend)
    }

    fn start_send(mut self: Pin<&mut Self>, item: Message) -> Result<(), TransportError> {
        Pin::new(&mut self.0)
            .start_send(item)
            .map_err(TransportError::backend)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Pin::new(&mut self.0)
            .poll_flush(cx)
            .map_err(TransportError::backend)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Pin::new(&mut self.0)
            .poll_close(cx)
            .map_err(TransportError::backend)
    }
}
