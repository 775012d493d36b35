//! `cqrs-es` with `sqlite-es`. Its events are JSON, so a fact's bytes are base64 in it. The pool is the one that `sqlite-es`
//! makes by default, except that each commit is synced.
use std::{collections::HashMap, convert::Infallible, path::Path};

use anyhow::Context;
use base64::{DecodeError, Engine, engine::general_purpose::STANDARD};
use cqrs_es::{
    Aggregate, DomainEvent, EventEnvelope,
    event_sink::EventSink,
    persist::{PersistedEventRepository, SerializedEvent},
};
use serde::{Deserialize, Serialize};
use sqlite_es::SqliteEventRepository;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use crate::{Read, Store, facts::Fact};

/// What `sqlite-es` says that its events need: a migration of the library's own repository, no part of its code.
const TABLE: &str = "CREATE TABLE events (
    aggregate_type text NOT NULL,
    aggregate_id text NOT NULL,
    sequence integer CHECK (sequence >= 0) NOT NULL,
    event_type text NOT NULL,
    event_version text NOT NULL,
    payload text NOT NULL,
    metadata text NOT NULL,
    PRIMARY KEY (aggregate_type, aggregate_id, sequence)
) STRICT";

pub struct Cqrs(SqliteEventRepository);

#[derive(Default, Serialize, Deserialize)]
struct Story;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Told(Vec<u8>);

impl From<Told> for String {
    fn from(told: Told) -> Self {
        STANDARD.encode(told.0)
    }
}

impl TryFrom<String> for Told {
    type Error = DecodeError;

    fn try_from(text: String) -> Result<Self, DecodeError> {
        STANDARD.decode(text).map(Self)
    }
}

impl DomainEvent for Told {
    fn event_type(&self) -> String {
        "fact".into()
    }

    fn event_version(&self) -> String {
        "1".into()
    }
}

impl Aggregate for Story {
    const TYPE: &'static str = "story";
    type Command = ();
    type Event = Told;
    type Error = Infallible;
    type Services = ();

    async fn handle(&mut self, (): (), (): &(), _: &EventSink<Self>) -> Result<(), Infallible> {
        Ok(())
    }

    fn apply(&mut self, _: Told) {}
}

impl Store for Cqrs {
    type Event = SerializedEvent;

    async fn open(path: &Path) -> anyhow::Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true);
        let pool = SqlitePoolOptions::new()
            .max_connections(10)
            .connect_with(options)
            .await?;
        sqlx::query(TABLE).execute(&pool).await?;
        Ok(Self(SqliteEventRepository::new(pool)))
    }

    fn event(fact: &Fact) -> anyhow::Result<SerializedEvent> {
        let envelope = EventEnvelope::<Story> {
            aggregate_id: fact.stream.clone(),
            sequence: usize::try_from(fact.version)?,
            payload: Told(fact.bytes.clone()),
            metadata: HashMap::new(),
        };
        SerializedEvent::try_from(&envelope).context("an event for cqrs-es")
    }

    async fn append(&self, events: Vec<SerializedEvent>) -> anyhow::Result<()> {
        Ok(self.0.persist::<Story>(&events, None).await?)
    }

    async fn replay(&self) -> anyhow::Result<Read> {
        let (mut read, mut events) = (Read::default(), self.0.stream_all_events::<Story>().await?);
        while let Some(event) = events.next::<Story>(&[]).await {
            read.count(&event?.payload.0);
        }
        Ok(read)
    }
}
