//! A relay that does what it is told, over a real websocket: it lies, stalls, shouts and hangs up. For tests alone.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::broadcast,
    task::{JoinHandle, JoinSet},
};
pub use tokio_tungstenite::tungstenite::Message;

/// What to answer to a message of the client: the messages to send, in order. Called with the count of messages of
/// this verb (`REQ`, `EVENT`, …) on all connections so far.
pub type Script = dyn Fn(&Value, usize) -> Vec<Message> + Send + Sync;

/// Unasked messages that wait for a connection to send them.
const PUSHED: usize = 64;

#[derive(Clone)]
enum Order {
    Send(Arc<Vec<Message>>),
    HangUp,
}

/// A running one. It ends when it is dropped.
pub struct HostileRelay {
    /// Its address, `ws://…`.
    pub url: String,
    orders: broadcast::Sender<Order>,
    task: JoinHandle<()>,
}

struct Connection {
    script: Arc<Script>,
    counts: Arc<Mutex<HashMap<String, usize>>>,
    orders: broadcast::Receiver<Order>,
}

impl HostileRelay {
    /// Starts one on a free port.
    pub async fn start(script: impl Fn(&Value, usize) -> Vec<Message> + Send + Sync + 'static) -> Self {
        let script: Arc<Script> = Arc::new(script);
        let counts = Arc::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let (orders, _) = broadcast::channel(PUSHED);
        let tell = orders.clone();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let connection = Connection {
                    script: Arc::clone(&script),
                    counts: Arc::clone(&counts),
                    orders: tell.subscribe(),
                };
                connections.spawn(connection.serve(stream));
            }
        });
        Self { url, orders, task }
    }

    /// Takes connections, answers nothing at all.
    pub async fn that_hangs() -> Self {
        Self::start(|_, _| Vec::new()).await
    }

    /// Sends these to every connection, unasked.
    pub fn push(&self, messages: Vec<Message>) {
        // Nobody may be connected.
        let _ = self.orders.send(Order::Send(Arc::new(messages)));
    }

    /// Ends every connection without a word. New ones are taken.
    pub fn hang_up(&self) {
        let _ = self.orders.send(Order::HangUp);
    }
}

impl Drop for HostileRelay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Connection {
    async fn serve(mut self, stream: TcpStream) {
        let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else {
            return;
        };
        loop {
            let answers = tokio::select! {
                order = self.orders.recv() => match order {
                    Ok(Order::Send(messages)) => messages.to_vec(),
                    Ok(Order::HangUp) | Err(_) => return,
                },
                message = socket.next() => match message {
                    Some(Ok(Message::Text(text))) => self.answers(&text),
                    Some(Ok(_)) => continue,
                    None | Some(Err(_)) => return,
                },
            };
            for answer in answers {
                if socket.send(answer).await.is_err() {
                    return;
                }
            }
        }
    }

    fn answers(&self, text: &str) -> Vec<Message> {
        let Ok(value) = serde_json::from_str::<Value>(text) else {
            return Vec::new();
        };
        let verb = value[0].as_str().unwrap_or_default().to_owned();
        let count = {
            let mut counts = self.counts.lock().unwrap();
            let count = counts.entry(verb).or_default();
            *count += 1;
            *count
        };
        (self.script)(&value, count)
    }
}

/// An event under the subscription that a `REQ` names.
pub fn event_for(request: &Value, event: &Value) -> Message {
    event_under(request[1].as_str().unwrap_or_default(), event)
}

/// An event under a subscription of this name.
pub fn event_under(subscription: &str, event: &Value) -> Message {
    Message::text(json!(["EVENT", subscription, event]).to_string())
}

/// Whether this is a `REQ` for that subscription.
pub fn asks_for(message: &Value, name: &str) -> bool {
    message[0] == "REQ" && message[1] == name
}

/// An `OK` for the event that an `EVENT` carries.
pub fn acknowledge(message: &Value, accepted: bool, words: &str) -> Message {
    Message::text(json!(["OK", message[1]["id"], accepted, words]).to_string())
}

/// The event with one field replaced, under the old id and signature.
pub fn altered(event: &Value, field: &str, value: Value) -> Value {
    let mut event = event.clone();
    event[field] = value;
    event
}

/// Copies of a true event in each of which one thing is wrong: what it says, who says it, when, and the proofs of it.
pub fn forgeries(event: &Value, other_key: &str) -> Vec<Value> {
    let created_at_s = event["created_at"].as_u64().unwrap_or_default();
    let forged_tags = json!([["i", "give me everything", "text"], ["bid", "100000000"]]);
    [
        ("tags", forged_tags),
        ("content", json!("altered")),
        ("pubkey", json!(other_key)),
        ("sig", json!("0".repeat(128))),
        ("id", json!("1".repeat(64))),
        ("created_at", json!(created_at_s + 5)),
        ("kind", json!(5_051)),
    ]
    .map(|(field, value)| altered(event, field, value))
    .into()
}

/// Messages that no honest relay sends, none of them an event that was asked for; `event` is a true one.
pub fn noise(event: &Value) -> Vec<Message> {
    vec![
        Message::text("this is no JSON"),
        Message::text("[\"EVENT\""),
        Message::text("{}"),
        Message::text("[\"EVENT\",\"requests\",{}]"),
        event_under("a subscription nobody made", event),
        Message::text("[".repeat(100_000)),
        Message::binary(vec![0xff; 1_000]),
        Message::text(json!(["OK", "0".repeat(64), true, "unasked"]).to_string()),
        Message::text(json!(["NOTICE", "x".repeat(10_000)]).to_string()),
        Message::text(""),
    ]
}
