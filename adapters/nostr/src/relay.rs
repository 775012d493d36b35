//! A relay in this process, for tests and the sandbox: NIP-01 queries, everything valid is stored in memory.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use nostr_relay_builder::builder::{RateLimit, RelayBuilder};
use nostr_relay_builder::local::LocalRelay;
use tokio::net::TcpListener;

/// Events that the relay keeps; beyond it the oldest go.
const MAX_EVENTS: usize = 75_000;
/// How often a free port is looked for, should another program take it first.
const PORT_ATTEMPTS: usize = 16;
/// How long a shutdown waits for the port to be free again.
const SHUTDOWN_BOUND: Duration = Duration::from_secs(5);

/// Why the relay did not start.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedRelayError {
    /// No free port was found, or the given one is taken.
    #[error("no relay at {addr}: {source}")]
    Bind {
        /// Where it should have listened.
        addr: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The relay itself failed.
    #[error("the relay did not start: {0}")]
    Start(String),
}

/// A running relay. Dropping it shuts it down; [`EmbeddedRelay::shutdown`] also waits for it.
pub struct EmbeddedRelay {
    relay: LocalRelay,
    addr: SocketAddr,
}

impl EmbeddedRelay {
    /// Starts a relay at `addr`; port 0 finds a free one. Must be called within a tokio runtime.
    pub async fn start(addr: SocketAddr) -> Result<Self, EmbeddedRelayError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            // The builder binds by itself and tells no port, so a free one is found first and then given.
            let bind = |source| EmbeddedRelayError::Bind { addr, source };
            let probe = TcpListener::bind(addr).await.map_err(bind)?;
            let free = probe.local_addr().map_err(bind)?;
            drop(probe);
            let relay = LocalRelay::new(builder(free));
            match relay.run().await {
                Ok(()) => return Ok(Self { relay, addr: free }),
                Err(_) if addr.port() == 0 && attempt < PORT_ATTEMPTS => {}
                Err(error) => return Err(EmbeddedRelayError::Start(error.to_string())),
            }
        }
    }

    /// Starts a relay on a free loopback port.
    pub async fn start_on_loopback() -> Result<Self, EmbeddedRelayError> {
        Self::start(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).await
    }

    /// Its address, `ws://…`.
    pub fn url(&self) -> String {
        format!("ws://{}", self.addr)
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Ends it, and waits (at most five seconds) until its port is free.
    pub async fn shutdown(self) {
        let addr = self.addr;
        // The signal reaches only who waits for it at that moment, so it is given until it was heard.
        let freed = async {
            loop {
                self.relay.shutdown();
                if TcpListener::bind(addr).await.is_ok() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(SHUTDOWN_BOUND, freed).await.is_err() {
            tracing::warn!(%addr, "the embedded relay still holds its port");
        }
    }
}

fn builder(addr: SocketAddr) -> RelayBuilder {
    use nostr_relay_builder::prelude::{MemoryDatabase, MemoryDatabaseOptions};
    let storage = MemoryDatabaseOptions {
        events: true,
        max_events: Some(MAX_EVENTS),
    };
    RelayBuilder::default()
        .addr(addr.ip())
        .port(addr.port())
        .database(MemoryDatabase::with_opts(storage))
        // The default, 60 events a minute, is less than one provider's feedback.
        .rate_limit(RateLimit {
            max_reqs: 10_000,
            notes_per_minute: 1_000_000,
        })
        .default_filter_limit(MAX_EVENTS)
}
