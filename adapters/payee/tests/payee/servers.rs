//! Small servers on free ports of this machine; each ends with its value.
use std::{net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// What a server says to one request.
pub enum Say {
    /// Status line, headers and body as they are.
    Raw(String),
    /// A body with status 200.
    Body(String),
    /// Nothing, ever.
    Nothing,
    /// Bytes without end.
    Flood,
}

pub struct Server {
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen<F, Fut>(serve: F) -> Server
where
    F: Fn(TcpStream, SocketAddr) -> Fut + Send + 'static,
    Fut: Future<Output = Option<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(serve(stream, address));
        }
    });
    Server { address, task }
}

/// An http server: `answer` gets the path with its query, and the server's own `host:port`.
pub async fn http(answer: impl Fn(&str, &str) -> Say + Send + Sync + 'static) -> Server {
    let answer = Arc::new(answer);
    listen(move |stream, address| one_request(stream, address, answer.clone())).await
}

async fn one_request(
    mut stream: TcpStream,
    address: SocketAddr,
    answer: Arc<impl Fn(&str, &str) -> Say>,
) -> Option<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        stream
            .read_buf(&mut request)
            .await
            .ok()
            .filter(|read| *read > 0)?;
    }
    let text = String::from_utf8(request).ok()?;
    let path = text.split(' ').nth(1)?;
    let said = answer(path, &address.to_string());
    match said {
        Say::Raw(text) => stream.write_all(text.as_bytes()).await.ok(),
        Say::Body(body) => {
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            stream.write_all(format!("{head}{body}").as_bytes()).await.ok()
        }
        Say::Nothing => std::future::pending().await,
        Say::Flood => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
                .await
                .ok()?;
            while stream.write_all(&[b'x'; 4_096]).await.is_ok() {}
            None
        }
    }
}

/// A DNS server over TCP that knows the given records, in wire format. `shape` may spoil a whole answer.
pub async fn dns(records: Vec<u8>, shape: impl Fn(Vec<u8>) -> Vec<u8> + Send + Sync + 'static) -> Server {
    let records = Arc::new(split(&records));
    let shape = Arc::new(shape);
    listen(move |stream, _| questions(stream, records.clone(), shape.clone())).await
}

async fn questions(
    mut stream: TcpStream,
    records: Arc<Vec<Vec<u8>>>,
    shape: Arc<impl Fn(Vec<u8>) -> Vec<u8>>,
) -> Option<()> {
    loop {
        let length = stream.read_u16().await.ok()?;
        let mut query = vec![0; usize::from(length)];
        stream.read_exact(&mut query).await.ok()?;
        let question = &query[12..];
        let name = name_length(question);
        let kind = u16::from_be_bytes([question[name], question[name + 1]]);
        let found: Vec<_> = records
            .iter()
            .filter(|record| answers(record, &question[..name], kind))
            .collect();
        // A response with the authenticated-data bit; no such name where nothing is known.
        let flags: u16 = if found.is_empty() { 0x81a3 } else { 0x81a0 };
        let mut answer = vec![0, 0];
        answer.extend(flags.to_be_bytes());
        answer.extend([0, 1]);
        answer.extend(u16::try_from(found.len()).unwrap().to_be_bytes());
        answer.extend([0; 4]);
        answer.extend(&question[..name + 4]);
        answer.extend(found.into_iter().flatten());
        let answer = shape(answer);
        stream
            .write_u16(u16::try_from(answer.len()).unwrap())
            .await
            .ok()?;
        stream.write_all(&answer).await.ok()?;
    }
}

fn name_length(bytes: &[u8]) -> usize {
    let mut at = 0;
    while bytes[at] != 0 {
        at += 1 + usize::from(bytes[at]);
    }
    at + 1
}

/// Name, type, class, time to live, length, data: one after the other.
fn split(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let fixed = name_length(bytes) + 10;
        let data = u16::from_be_bytes([bytes[fixed - 2], bytes[fixed - 1]]);
        let (record, rest) = bytes.split_at(fixed + usize::from(data));
        records.push(record.to_vec());
        bytes = rest;
    }
    records
}

/// The record itself, or the signature over it.
fn answers(record: &[u8], name: &[u8], kind: u16) -> bool {
    const RRSIG: u16 = 46;
    let end = name_length(record);
    let of = |at: usize| u16::from_be_bytes([record[at], record[at + 1]]);
    let own = of(end);
    record[..end].eq_ignore_ascii_case(name) && (own == kind || own == RRSIG && of(end + 10) == kind)
}
