//! Over a real socket: a host's service on a ledger of its own, without wallet, relays and model.
mod chat;
mod commands;
mod described;
mod events;
mod guarded;
mod snapshot;

use std::{path::Path, sync::Arc};

use autopilot_core::{Input, input::Command};
use autopilot_events::pb;
use autopilot_lightning::WalletClient;
use autopilot_payee::PayeeResolver;
use autopilot_store_sqlite::MasterKey;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Notify, broadcast, mpsc, watch},
};

use super::{Manifest, Served};
use crate::{
    config::{Chain, Config},
    control::Service,
    desk::Desk,
    heads::Heads,
    home::Home,
    ledger::Ledger,
    outside::Outside,
    secrets::{Key, Secrets},
};

/// A host's face over HTTP, until it is dropped or stopped.
struct World {
    served: Served,
    service: Service,
    home: Home,
}

impl World {
    async fn start(folder: &Path) -> World {
        let home = Home::open(folder).unwrap();
        let secrets = Secrets::open_or_create(&home, &Key::Own).unwrap();
        let (fatal, _) = mpsc::unbounded_channel();
        let (ledger, start) = Ledger::open(&home.ledger_file(), MasterKey(secrets.body_key()), fatal)
            .await
            .unwrap();
        let opened = pb::LedgerOpened {
            ledger_id: vec![1; 16],
            network: "regtest".to_owned(),
            identity: vec![2; 32],
            program: "test".to_owned(),
        };
        ledger
            .submit(Input::Person(Command::OpenLedger(opened)), None)
            .await
            .unwrap();
        let outside = Outside {
            fetching: Default::default(),
            wallet: WalletClient::new(&home.wallet_socket()).unwrap(),
            ledger,
            market: None,
            model: None,
            embedder: None,
            tokens: broadcast::channel(8).0,
            waiting: watch::Sender::default(),
        };
        let service = Service {
            heads: Arc::new(Heads::new(outside.clone(), &secrets, 0).await.unwrap()),
            outside,
            home: home.clone(),
            config: Arc::new(config()),
            npub: "npub1…".to_owned(),
            warnings: Arc::new(start.notes),
            heartbeat: watch::channel(None).1,
            stop: Arc::new(Notify::new()),
            payees: PayeeResolver::new("regtest", None).unwrap(),
            plans: Arc::default(),
            desk: Desk::default(),
            chart: Arc::default(),
            marks: Default::default(),
            connecting: Arc::default(),
            settings: Arc::default(),
            meters: Arc::default(),
            tailnet: Default::default(),
        };
        let served = Served::start(service.clone(), secrets.control_key())
            .await
            .unwrap();
        World {
            served,
            service,
            home,
        }
    }

    fn manifest(&self) -> &Manifest {
        self.served.manifest()
    }

    async fn stop(self) {
        self.served.stop().await;
        self.service.outside.ledger.stop().await;
    }

    async fn get(&self, path: &str) -> Answer {
        let token = &self.manifest().token;
        self.raw(
            &format!("GET {path} HTTP/1.1\r\nAuthorization: Bearer {token}\r\n"),
            "",
        )
        .await
    }

    async fn command(&self, order: &Value) -> Answer {
        self.post(&order.to_string()).await
    }

    async fn post(&self, body: &str) -> Answer {
        let token = &self.manifest().token;
        let length = body.len();
        let head = format!(
            "POST /v1/commands HTTP/1.1\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n"
        );
        self.raw(&head, body).await
    }

    /// One request with a Host of ours where it has none.
    async fn raw(&self, head: &str, body: &str) -> Answer {
        let address = &self.manifest().address;
        let host = match head.contains("\r\nHost:") {
            true => String::new(),
            false => format!("Host: {address}\r\n"),
        };
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("{head}{host}Connection: close\r\n\r\n{body}");
        // An answer may come before all was sent.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes).await;
        Answer::of(&String::from_utf8(bytes).unwrap())
    }

    async fn record(&self, command: Command) {
        self.service
            .outside
            .ledger
            .submit(Input::Person(command), None)
            .await
            .unwrap();
    }

    fn head(&self) -> u64 {
        self.service.outside.ledger.head().borrow().sequence
    }
}

fn config() -> Config {
    Config {
        chain: Chain::Esplora {
            url: "http://127.0.0.1:1".to_owned(),
        },
        ..Config::bare("regtest")
    }
}

/// A price of a day, to have facts.
fn price(number: u64) -> Command {
    Command::RecordPrice(pb::PriceObserved {
        currency: "EUR".to_owned(),
        per_btc: number + 1,
        decimals: 0,
        source: "a shop".to_owned(),
        observed_at_ms: 1,
    })
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Value,
}

impl Answer {
    fn of(text: &str) -> Answer {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        Answer {
            status: head
                .split(' ')
                .nth(1)
                .and_then(|status| status.parse().ok())
                .unwrap_or(0),
            head: head.to_lowercase(),
            body: serde_json::from_str(body).unwrap_or_default(),
        }
    }

    fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}
