//! A small HTTP server that does as it is told: wrong.
use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// What is answered to one call.
#[derive(Clone)]
pub enum Reply {
    /// These bytes, then the end of the connection.
    Whole(String),
    /// The first, then the second until nobody listens.
    Endless(String, String),
    /// Nothing, and the connection stays.
    Silent,
}

const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";

impl Reply {
    pub fn whole(bytes: &str) -> Reply {
        Reply::Whole(bytes.to_owned())
    }

    pub fn stream(events: &[&str]) -> Reply {
        Reply::Whole(format!("{STREAM}{}", events.concat()))
    }

    pub fn endless(piece: &str) -> Reply {
        Reply::Endless(STREAM.to_owned(), piece.to_owned())
    }
}

pub fn event(data: &str) -> String {
    format!("data: {data}\n\n")
}

pub fn json() -> &'static str {
    "application/json"
}

pub fn status(line: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {line}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

#[derive(Default)]
struct Told {
    replies: Vec<Reply>,
    heard: Vec<String>,
}

/// The server; it ends when dropped.
pub struct Liar {
    address: String,
    told: Arc<Mutex<Told>>,
    calls: watch::Receiver<usize>,
    task: JoinHandle<()>,
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Liar {
    /// Answers calls with these in order, and every list of models with one called `m`.
    pub async fn start(replies: Vec<Reply>) -> Liar {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let heard = Vec::new();
        let told = Arc::new(Mutex::new(Told { replies, heard }));
        let (tell, calls) = watch::channel(0);
        let shared = told.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, shared.clone(), tell.clone()));
            }
        });
        Liar {
            address,
            told,
            calls,
            task,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// How often a path was called.
    pub fn calls(&self, path: &str) -> usize {
        let told = self.told.lock().unwrap();
        told.heard
            .iter()
            .filter(|heard| heard.lines().next().unwrap_or_default().contains(path))
            .count()
    }

    /// Done when a path was called that often.
    pub async fn called(&self, path: &str, times: usize) {
        let mut calls = self.calls.clone();
        calls.wait_for(|_| self.calls(path) >= times).await.unwrap();
    }

    /// Everything that it was sent.
    pub fn heard(&self) -> String {
        self.told.lock().unwrap().heard.concat()
    }
}

async fn answer(mut stream: TcpStream, told: Arc<Mutex<Told>>, tell: watch::Sender<usize>) {
    let request = read(&mut stream).await;
    let reply = {
        let mut told = told.lock().unwrap();
        let lists = request.starts_with("GET /v1/models");
        told.heard.push(request);
        match lists {
            true => Reply::Whole(status("200 OK", json(), r#"{"data":[{"id":"m"}]}"#)),
            false if told.replies.is_empty() => Reply::Silent,
            false => told.replies.remove(0),
        }
    };
    tell.send_modify(|calls| *calls += 1);
    match reply {
        Reply::Whole(bytes) => drop(stream.write_all(bytes.as_bytes()).await),
        Reply::Endless(head, piece) => {
            let mut sent = stream.write_all(head.as_bytes()).await;
            let many = piece.repeat(16);
            while sent.is_ok() {
                sent = stream.write_all(many.as_bytes()).await;
            }
        }
        Reply::Silent => {
            // Until the other side has gone.
            let mut rest = [0; 64];
            while stream.read(&mut rest).await.is_ok_and(|count| count > 0) {}
        }
    }
}

/// A request with its body, by its Content-Length.
async fn read(stream: &mut TcpStream) -> String {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4_096]);
    loop {
        let count = stream.read(&mut buffer).await.unwrap_or(0);
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head.to_lowercase().lines().find_map(|line| {
                line.strip_prefix("content-length:")
                    .and_then(|length| length.trim().parse().ok())
            });
            body.len() >= length.unwrap_or(0)
        });
        if whole || count == 0 {
            return text;
        }
    }
}
