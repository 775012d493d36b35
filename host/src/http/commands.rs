//! `POST /v1/commands`: any call of the contract by its name, done once for each key.
//!
//! A program that hears no answer asks again, and must not pay twice for it. So a command that changes something that lasts
//! needs a key of the program's own, and rests on two facts:
//!
//! 1. `control.commanded`, durable *before* the command is carried out: digest of the key (its identity, a primary key),
//!    name, keyed digest of the parameters. The same key with other parameters is a conflict, whenever it comes.
//! 2. `control.answered`: what it was answered. A repeat gets exactly this, after a restart too.
//!
//! A repeat while the first one runs waits for it. One after a crash between the two facts is carried out again where
//! something further down makes that harmless ([`Class::Again`]); elsewhere it is told that the outcome was not recorded,
//! and from which fact on the ledger shows what came of it. It is never carried out a second time.
//!
//! Parameters may hold texts that are forgotten later, so their digest is keyed with a branch of the identity: whoever has
//! the ledger alone can't try texts out against it.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use autopilot_core::{
    Input,
    group::Done,
    input::{Command, answered_key},
};
use autopilot_events::{Event, pb, words::Digest};
use axum::{
    Json,
    body::Bytes,
    extract::{FromRequest, Request, State},
    http::{StatusCode, header},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tonic::Status;

use super::{
    Face,
    class::{Class, class_with},
    errors::Problem,
};
use crate::{
    control::{Call, Service, errors},
    ledger::Ledger,
};

/// The largest request, in bytes.
pub(super) const BODY_BYTES_MAX: usize = 256 * 1024;
/// How long a request may take to arrive.
const BODY_LIMIT: Duration = Duration::from_secs(10);
/// The longest key, in characters.
const KEY_CHARS_MAX: usize = 128;

/// What a program asks for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    command: String,
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    params: Option<Value>,
}

/// What it is told.
#[derive(Serialize)]
pub(super) struct Answered {
    reply: Value,
    /// It was carried out before, and this is what it was answered then.
    repeated: bool,
}

type Locks = HashMap<Digest, Arc<tokio::sync::Mutex<()>>>;

/// Keyed commands of one host.
pub(super) struct Commands {
    ledger: Ledger,
    params_key: [u8; 32],
    running: Mutex<Locks>,
}

/// A command with its key, understood and not begun.
struct Keyed {
    key: Digest,
    name: String,
    class: Class,
    call: Call,
}

impl Commands {
    pub(super) fn new(ledger: Ledger, params_key: [u8; 32]) -> Commands {
        Commands {
            ledger,
            params_key,
            running: Mutex::default(),
        }
    }

    async fn once(&self, service: Service, keyed: Keyed) -> Result<Answered, Problem> {
        let key = keyed.key;
        let lock = self.locks().entry(key).or_default().clone();
        let outcome = {
            let _alone = lock.lock().await;
            self.alone(service, keyed).await
        };
        let mut locks = self.locks();
        // Two handles are left when nobody else waits: the table's and ours.
        if Arc::strong_count(&lock) <= 2 {
            locks.remove(&key);
        }
        outcome
    }

    fn locks(&self) -> std::sync::MutexGuard<'_, Locks> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn alone(&self, service: Service, keyed: Keyed) -> Result<Answered, Problem> {
        let Keyed {
            key,
            name,
            class,
            call,
        } = keyed;
        let commanded = pb::ControlCommanded {
            key_digest: key.to_vec(),
            command: name,
            params_digest: blake3::keyed_hash(&self.params_key, &call.params)
                .as_bytes()
                .to_vec(),
        };
        let begun = self.submit(Command::NoteCommanded(commanded)).await?;
        let again = matches!(begun, Done::Duplicate { .. });
        if let Done::Duplicate { sequence } = begun {
            if let Some(answered) = self.answered(key).await? {
                return recorded(answered);
            }
            if class == Class::Once {
                return Err(outcome_unknown(sequence));
            }
        }
        let outcome = (call.carry_out)(service).await.map_err(Problem::from);
        // A refusal to do it again is no word on what the first time did.
        if !(again && outcome.is_err()) {
            let answered = of_outcome(key, &outcome);
            // Whoever asked is answered all the same; a repeat is then one after a crash.
            if let Err(problem) = self.submit(Command::NoteAnswered(answered)).await {
                tracing::warn!(
                    cause = problem.trouble.sentence,
                    "the outcome of a command is not recorded"
                );
            }
        }
        outcome.map(|reply| Answered {
            reply,
            repeated: false,
        })
    }

    async fn submit(&self, command: Command) -> Result<Done, Problem> {
        let done = self.ledger.submit(Input::Person(command), None).await;
        done.map_err(|error| match error {
            crate::ledger::SubmitError::Conflict { sequence, .. } => Problem::new(
                StatusCode::CONFLICT,
                "conflict",
                format!("this key was used for another command: fact {sequence}"),
                "use a new key for a new command",
            ),
            other => errors::submit(other).into(),
        })
    }

    async fn answered(&self, key: Digest) -> Result<Option<pb::ControlAnswered>, Problem> {
        let fact = self.ledger.reader().fact_by_key(&answered_key(&key.0)).await;
        let fact = fact.map_err(|error| Problem::from(errors::read(error)))?;
        Ok(fact.and_then(|fact| match fact.event {
            Event::ControlAnswered(answered) => Some(answered),
            _ => None,
        }))
    }
}

fn outcome_unknown(sequence: u64) -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "outcome-unknown",
        format!(
            "the host stopped after this command was begun (fact {sequence}), and its outcome was not recorded; it is not done again"
        ),
        &format!("GET /v1/events?after={sequence} shows what came of it; to do it again use a new key"),
    )
}

fn of_outcome(key: Digest, outcome: &Result<Value, Problem>) -> pb::ControlAnswered {
    let key_digest = key.to_vec();
    match outcome {
        Ok(reply) => pb::ControlAnswered {
            key_digest,
            status: StatusCode::OK.as_u16().into(),
            reply: reply.to_string(),
            ..pb::ControlAnswered::default()
        },
        Err(problem) => pb::ControlAnswered {
            key_digest,
            code: problem.trouble.code.clone(),
            sentence: problem.trouble.sentence.clone(),
            next: problem.trouble.next.clone(),
            status: problem.status.as_u16().into(),
            reply: String::new(),
        },
    }
}

fn recorded(answered: pb::ControlAnswered) -> Result<Answered, Problem> {
    if answered.code.is_empty() {
        // The text was made from a value; anything else reads as null.
        let reply = serde_json::from_str(&answered.reply).unwrap_or_default();
        return Ok(Answered {
            reply,
            repeated: true,
        });
    }
    let status = u16::try_from(answered.status).ok();
    let status = status.and_then(|status| StatusCode::from_u16(status).ok());
    Err(Problem::new(
        status.unwrap_or(StatusCode::UNPROCESSABLE_ENTITY),
        &answered.code,
        answered.sentence,
        &answered.next,
    ))
}

/// The request's body, within its bounds.
async fn body(request: Request) -> Result<Bytes, Problem> {
    let json = request.headers().get(header::CONTENT_TYPE);
    let json = json.and_then(|value| value.to_str().ok());
    if !json.is_some_and(|value| {
        value
            .split(';')
            .next()
            .is_some_and(|kind| kind.trim() == "application/json")
    }) {
        let sentence = "a command is sent as application/json";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Problem::new(
            status,
            "invalid-argument",
            sentence,
            "GET /v1/openapi.json",
        ));
    }
    match tokio::time::timeout(BODY_LIMIT, Bytes::from_request(request, &())).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            format!("a command has at most {BODY_BYTES_MAX} bytes"),
            "",
        )),
        Ok(Err(rejection)) => Err(Problem::invalid(rejection.body_text())),
        Err(_) => Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "timeout",
            format!("the command did not arrive within {} s", BODY_LIMIT.as_secs()),
            "",
        )),
    }
}

fn key_of(order: &Order) -> Result<Option<Digest>, Problem> {
    let Some(key) = &order.key else { return Ok(None) };
    let printable = key.chars().all(|c| !c.is_control()) && !key.trim().is_empty();
    if !printable || key.chars().count() > KEY_CHARS_MAX {
        let sentence = format!("a key has 1 to {KEY_CHARS_MAX} printable characters");
        return Err(Problem::invalid(sentence));
    }
    Ok(Some(Digest::of_content(key.as_bytes())))
}

pub(super) async fn answer(State(face): State<Face>, request: Request) -> Result<Json<Answered>, Problem> {
    let bytes = body(request).await?;
    let order: Order = serde_json::from_slice(&bytes).map_err(|error| Problem::invalid(error.to_string()))?;
    let key = key_of(&order)?;
    let name = order.command.replace('-', "_");
    let mut params = order
        .params
        .unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    let class = class_with(&name, &params);
    // An invoice is keyed in the wallet: under this key too, so that asking again gives the same one.
    if let (Some(key), "receive", Some(fields)) = (key, name.as_str(), params.as_object_mut()) {
        fields.entry("key").or_insert_with(|| key.to_string().into());
    }
    let call = Service::call(&name, params).filter(|_| !order.command.contains('_'));
    let Some(call) = call else {
        let sentence = format!("there is no command {:?}", order.command);
        return Err(Problem::new(
            StatusCode::NOT_FOUND,
            "unknown-command",
            sentence,
            "GET /v1/openapi.json",
        ));
    };
    let call = call.map_err(Problem::from)?;
    // In a task of its own: whoever breaks off must not leave a command half done and unanswered.
    let service = face.service.clone();
    let done = match (class, key) {
        (Class::Free, _) => tokio::spawn(async move {
            let reply = (call.carry_out)(service).await;
            reply
                .map(|reply| Answered {
                    reply,
                    repeated: false,
                })
                .map_err(Problem::from)
        }),
        (_, None) => {
            let sentence = format!("{} changes something that lasts: it needs a key", order.command);
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "key-needed",
                sentence,
                "make one up for this command (\"key\": \"…\"), and send the same one when you ask again",
            ));
        }
        (_, Some(key)) => {
            let keyed = Keyed {
                key,
                name: order.command,
                class,
                call,
            };
            tokio::spawn(async move { face.commands.once(service, keyed).await })
        }
    };
    let done = done.await;
    done.unwrap_or_else(|error| Err(Status::internal(error.to_string()).into()))
        .map(Json)
}
