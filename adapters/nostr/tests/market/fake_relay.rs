//! A relay that does what it is told, over a real websocket: it lies, stalls and shouts.

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;

/// What to answer to a message of the client: the messages to send, in order. Called with the count of messages of
/// this kind (`REQ`, `EVENT`, …) on all connections so far.
pub type Script = dyn Fn(&serde_json::Value, usize) -> Vec<Message> + Send + Sync;

pub struct FakeRelay {
    pub url: String,
    task: JoinHandle<()>,
}

impl FakeRelay {
    pub async fn start(
        script: impl Fn(&serde_json::Value, usize) -> Vec<Message> + Send + Sync + 'static,
    ) -> Self {
        let script: Arc<Script> = Arc::new(script);
        let counts = Arc::new(std::sync::Mutex::new(
            std::collections::HashMap::<String, usize>::new(),
        ));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (script, counts) = (Arc::clone(&script), Arc::clone(&counts));
                connections.spawn(async move {
                    let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else {
                        return;
                    };
                    while let Some(Ok(message)) = socket.next().await {
                        let Message::Text(text) = message else { continue };
                        let Ok(value) = serde_json::from_str::<serde_json::Value>(&text) else {
                            continue;
                        };
                        let verb = value[0].as_str().unwrap_or_default().to_owned();
                        let count = {
                            let mut counts = counts.lock().unwrap();
                            let count = counts.entry(verb).or_default();
                            *count += 1;
                            *count
                        };
                        for answer in script(&value, count) {
                            if socket.send(answer).await.is_err() {
                                return;
                            }
                        }
                    }
                });
            }
        });
        Self { url, task }
    }

    /// Takes connections, answers nothing at all.
    pub async fn that_hangs() -> Self {
        Self::start(|_, _| Vec::new()).await
    }
}

impl Drop for FakeRelay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An event under the subscription that a `REQ` names.
pub fn event_for(request: &serde_json::Value, event: &serde_json::Value) -> Message {
    Message::text(serde_json::json!(["EVENT", request[1], event]).to_string())
}

/// Whether this is a `REQ` for that subscription.
pub fn asks_for(message: &serde_json::Value, name: &str) -> bool {
    message[0] == "REQ" && message[1] == name
}
