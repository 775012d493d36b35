//! A model server that speaks when it is told to: each answer begins at once, and ends when the test lets it. It can be
//! taken away.
use autopilot_host::config::{Config, Model, ModelServer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    sync::watch,
};

const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
const MODELS: &str = r#"{"data":[{"id":"parrot"}]}"#;

/// The server; it ends when dropped.
pub struct Speaker {
    address: String,
    goes_on: watch::Sender<bool>,
    _runtime: Runtime,
}

impl Speaker {
    /// Answers every question with "One ", and with "two." once it may go on.
    pub fn start() -> Speaker {
        let runtime = Runtime::new().unwrap();
        let (goes_on, may) = watch::channel(false);
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, may.clone()));
            }
        });
        Speaker {
            address,
            goes_on,
            _runtime: runtime,
        }
    }

    /// A home is served by it.
    pub fn serves(&self, config: &mut Config) {
        config.model = Some(Model::Server(ModelServer {
            url: format!("http://{}/v1", self.address),
            model: Some("parrot".to_owned()),
            ..ModelServer::default()
        }));
    }

    /// Answers end from now on.
    pub fn go_on(&self) {
        self.goes_on.send_replace(true);
    }
}

/// One call; what the other side does with it is its own business.
async fn answer(mut stream: TcpStream, mut may: watch::Receiver<bool>) {
    let request = read(&mut stream).await;
    if request.starts_with("GET ") {
        let length = MODELS.len();
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n";
        let whole = format!("{head}Content-Length: {length}\r\n\r\n{MODELS}");
        drop(stream.write_all(whole.as_bytes()).await);
        return;
    }
    let piece = |content: &str| {
        format!(
            "data: {{\"choices\":[{{\"delta\":{{\"content\":\"{content}\"}}}}],\"model\":\"parrot\"}}\n\n"
        )
    };
    let end = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let begun = stream
        .write_all(format!("{STREAM}{}", piece("One ")).as_bytes())
        .await;
    if begun.is_ok() && may.wait_for(|may| *may).await.is_ok() {
        drop(
            stream
                .write_all(format!("{}{end}", piece("two.")).as_bytes())
                .await,
        );
    }
}

/// A request with its body, by its Content-Length.
async fn read(stream: &mut TcpStream) -> String {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4_096]);
    loop {
        let count = stream.read(&mut buffer).await.unwrap_or(0);
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let length = |head: &str| {
            let head = head.to_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length:").map(str::to_owned));
            length.and_then(|length| length.trim().parse().ok()).unwrap_or(0)
        };
        let whole = text
            .split_once("\r\n\r\n")
            .is_some_and(|(head, body)| body.len() >= length(head));
        if whole || count == 0 {
            return text;
        }
    }
}
