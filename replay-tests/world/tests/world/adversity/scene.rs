//! A world with a hostile relay beside the honest one, a stranger in it, and the facts as they come.
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use autopilot_core::ports::market::MARKET_NIP90;
use autopilot_events::words::JobId;
use autopilot_host::{
    audit::{Audit, JournalQuery},
    control::Client as Control,
    sandbox::ChainKind,
};
use autopilot_hostile_relay::{HostileRelay, Message, acknowledge};
use autopilot_proto::control::v1 as pb;
use autopilot_world_tests::stage::{FEE_CEILING_MSAT, PATIENCE_S, PRICE_MSAT, Stage};
use nostr_sdk::prelude::*;
use tonic::Streaming;

/// Bound of everything that is waited for here; generous, since machines are shared.
pub const PATIENCE: Duration = Duration::from_secs(PATIENCE_S as u64);
/// What gives no event is looked at this often, within [`PATIENCE`].
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// How the hostile relay answers what is published there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Says that it took it, and forgets it.
    Lies,
    /// Refuses everything.
    Refuses,
    /// Says nothing.
    Hangs,
    /// Ends the connection.
    Drops,
}

impl Manner {
    fn answer(self, message: &serde_json::Value) -> Vec<Message> {
        match (message[0].as_str(), self) {
            (Some("REQ"), _) => vec![Message::text(serde_json::json!(["EOSE", message[1]]).to_string())],
            (Some("EVENT"), Manner::Lies) => vec![acknowledge(message, true, "")],
            (Some("EVENT"), Manner::Refuses) => vec![acknowledge(message, false, "blocked: pay me first")],
            (Some("EVENT"), Manner::Drops) => vec![Message::Close(None)],
            _ => Vec::new(),
        }
    }
}

/// Facts of a ledger as they come.
pub struct Facts {
    stream: Streaming<pb::FactLine>,
    pub seen: Vec<pb::FactLine>,
}

impl Facts {
    pub async fn of(client: &mut Control) -> Facts {
        let request = pb::FollowRequest { after: 0, limit: 0 };
        Facts {
            stream: client.follow(request).await.unwrap().into_inner(),
            seen: Vec::new(),
        }
    }

    /// Waits for the fact of this type in this stream.
    pub async fn until(&mut self, kind: &str, stream: &str) -> pb::FactLine {
        self.until_count(kind, stream, 1).await.pop().unwrap()
    }

    /// Waits until there are so many of them. An empty stream means any.
    pub async fn until_count(&mut self, kind: &str, stream: &str, count: usize) -> Vec<pb::FactLine> {
        let wait = async {
            while self.all(kind, stream).len() < count {
                self.seen
                    .push(self.stream.message().await.unwrap().expect("the host runs"));
            }
        };
        tokio::time::timeout(PATIENCE, wait)
            .await
            .unwrap_or_else(|_| panic!("{count} × {kind} in {stream:?}"));
        self.all(kind, stream)
    }

    /// Takes in what came meanwhile.
    pub async fn catch_up(&mut self) {
        while let Ok(fact) = tokio::time::timeout(LOOK_AGAIN, self.stream.message()).await {
            self.seen.push(fact.unwrap().expect("the host runs"));
        }
    }

    /// Those that came so far.
    pub fn all(&self, kind: &str, stream: &str) -> Vec<pb::FactLine> {
        let fits = |fact: &&pb::FactLine| fact.r#type == kind && (stream.is_empty() || fact.stream == stream);
        self.seen.iter().filter(fits).cloned().collect()
    }
}

/// Everything that a case needs.
pub struct Scene {
    pub stage: Stage,
    pub hostile: HostileRelay,
    pub manner: Arc<Mutex<Manner>>,
    /// A plain client on the honest relay.
    pub stranger: Client,
    pub keys: Keys,
    /// The provider.
    pub provider: Control,
    /// The provider's facts.
    pub facts: Facts,
}

impl Scene {
    /// One honest relay, and for the provider alone a hostile one. The provider is online.
    pub async fn set() -> Scene {
        let manner = Arc::new(Mutex::new(Manner::Lies));
        let told = Arc::clone(&manner);
        let hostile = HostileRelay::start(move |message, _| told.lock().unwrap().answer(message)).await;
        let also = hostile.url.clone();
        let stage = Stage::build_with(ChainKind::Simulated, |options| options.extra_relays = vec![also])
            .await
            .unwrap();
        stage.world.go_online().await.unwrap();
        let keys = Keys::generate();
        let stranger = client(&stage.world.relays[0], &keys).await;
        let mut provider = stage.world.provider.client().unwrap();
        let facts = Facts::of(&mut provider).await;
        Scene {
            stage,
            hostile,
            manner,
            stranger,
            keys,
            provider,
            facts,
        }
    }

    pub fn pubkey(&self) -> PublicKey {
        PublicKey::from_hex(&self.stage.world.provider.pubkey).unwrap()
    }

    /// A job of the stranger's, not yet sent.
    pub fn job(&self, text: &str, more: Vec<Tag>) -> Event {
        job(&self.keys, text, more)
    }

    pub async fn send(&self, event: &Event) {
        let sent = self.stranger.send_event(event).await.unwrap();
        assert!(!sent.success.is_empty(), "{sent:?}");
    }

    /// The provider's result for a job, as the honest relay has it.
    pub async fn result(&self, request: &Event) -> Event {
        let filter = Filter::new()
            .kind(Kind::Custom(6050))
            .author(self.pubkey())
            .event(request.id);
        first(&self.stranger, filter, |_| true).await
    }

    /// Sends a job, waits for its result, pays it and waits until the payment is counted.
    pub async fn buy(&mut self, request: &Event) -> Event {
        self.send(request).await;
        let result = self.result(request).await;
        self.pay(&result).await;
        self.facts.until("job.settled", &stream(request)).await;
        result
    }

    /// Pays the invoice of an event of the provider's with a wallet that knows nothing of jobs.
    pub async fn pay(&self, billed: &Event) {
        let amount = value(billed, "amount").unwrap();
        assert_eq!(amount[1], PRICE_MSAT.to_string());
        let pay = pb::PayRequest {
            payment_request: amount[2].clone(),
            amount_msat: None,
            fee_ceiling_msat: FEE_CEILING_MSAT,
            wait_s: PATIENCE_S,
        };
        let paid = self.stage.world.hub.client().unwrap().pay(pay).await.unwrap();
        assert_eq!(paid.get_ref().status, "succeeded", "{paid:?}");
    }

    pub async fn status(&mut self) -> pb::StatusReply {
        self.provider
            .status(pb::StatusRequest {})
            .await
            .unwrap()
            .into_inner()
    }

    /// The provider's view of a relay.
    pub async fn relay(&mut self, url: &str) -> pb::RelayLine {
        let reply = self
            .provider
            .relays(pb::RelaysRequest {})
            .await
            .unwrap()
            .into_inner();
        let same = |line: &&pb::RelayLine| line.relay.trim_end_matches('/') == url.trim_end_matches('/');
        reply.relays.iter().find(same).unwrap().clone()
    }

    /// Waits until the provider's view of the hostile relay is as wished.
    pub async fn relay_when(&mut self, what: &str, holds: impl Fn(&pb::RelayLine) -> bool) -> pb::RelayLine {
        let url = self.hostile.url.clone();
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let line = self.relay(&url).await;
            if holds(&line) {
                return line;
            }
            assert!(tokio::time::Instant::now() < deadline, "{what}: {line:?}");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Waits until the provider's status is as wished.
    pub async fn status_when(
        &mut self,
        what: &str,
        holds: impl Fn(&pb::StatusReply) -> bool,
    ) -> pb::StatusReply {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let status = self.status().await;
            if holds(&status) {
                return status;
            }
            assert!(tokio::time::Instant::now() < deadline, "{what}: {status:?}");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Waits until the provider's journal has a line of this kind with these words about this subject (or any).
    pub async fn journal(&self, kind: &str, subject: Option<&str>, words: &str) {
        let audit = Audit::open(self.stage.world.provider.home.path()).await.unwrap();
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let (lines, _) = audit.journal(&about(subject)).await.unwrap();
            if lines
                .iter()
                .any(|line| line.kind == kind && line.text.contains(words))
            {
                return;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "no {kind} with {words:?} about {subject:?} in {lines:#?}"
            );
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Deliveries that the provider says it skipped, since relays sent more than a lane holds.
    pub async fn skipped(&self) -> usize {
        let audit = Audit::open(self.stage.world.provider.home.path()).await.unwrap();
        let (lines, _) = audit.journal(&JournalQuery::newest(100_000)).await.unwrap();
        let lagged = lines.iter().filter(|line| line.kind == "relay.lagged");
        lagged
            .map(|line| line.text.split(' ').next().unwrap().parse::<usize>().unwrap())
            .sum()
    }

    /// Why a job is or is not paid, in the provider's words.
    pub async fn why(&mut self, request: &Event) -> String {
        let request = pb::WhyRequest {
            job: request.id.to_hex(),
        };
        self.provider.why(request).await.unwrap().into_inner().answer
    }
}

/// A job with a bid at the price.
pub fn job(keys: &Keys, text: &str, more: Vec<Tag>) -> Event {
    EventBuilder::new(Kind::Custom(5050), "")
        .tag(tag(&["i", text, "text"]))
        .tag(tag(&["param", "max_tokens", "8"]))
        .tag(tag(&["bid", &PRICE_MSAT.to_string()]))
        .tags(more)
        .sign_with_keys(keys)
        .unwrap()
}

/// A plain client on one relay.
pub async fn client(relay: &str, keys: &Keys) -> Client {
    let client = Client::new(keys.clone());
    client.add_relay(relay).await.unwrap();
    client.connect().await;
    client.wait_for_connection(Duration::from_secs(30)).await;
    client
}

pub fn tag(parts: &[&str]) -> Tag {
    Tag::parse(parts.iter().copied()).unwrap()
}

/// The fields of the first tag of this name.
pub fn value<'a>(event: &'a Event, name: &str) -> Option<&'a [String]> {
    let mut tags = event.tags.iter().map(|tag| tag.as_slice());
    tags.find(|tag| tag.first().is_some_and(|first| first == name))
}

/// The first event that fits.
pub async fn first(client: &Client, filter: Filter, fits: impl Fn(&Event) -> bool) -> Event {
    let mut notifications = client.notifications();
    let subscription = client.subscribe(filter.clone(), None).await.unwrap().val;
    let wait = async {
        loop {
            match notifications.recv().await {
                Ok(RelayPoolNotification::Message {
                    message:
                        RelayMessage::Event {
                            subscription_id,
                            event,
                        },
                    ..
                }) if *subscription_id == subscription && fits(&event) => return event.into_owned(),
                _ => {}
            }
        }
    };
    let found = tokio::time::timeout(PATIENCE, wait)
        .await
        .unwrap_or_else(|_| panic!("no event for {filter:?}"));
    client.unsubscribe(&subscription).await;
    found
}

/// The ledger's stream of a job.
pub fn stream(request: &Event) -> String {
    format!("job/{}", JobId::derive(MARKET_NIP90, request.id.as_bytes()))
}

/// An event as a relay's message carries it.
pub fn as_value(event: &Event) -> serde_json::Value {
    serde_json::from_str(&event.as_json()).unwrap()
}

/// The newest journal lines about this, or about anything.
pub fn about(subject: Option<&str>) -> JournalQuery {
    JournalQuery {
        subject: subject.map(str::to_owned),
        ..JournalQuery::newest(10_000)
    }
}
