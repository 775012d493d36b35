//! A model server that follows a script: it serves one model, takes jobs and never answers them, and can be taken away.
use autopilot_host::config::{Config, Model, ModelServer};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    task::JoinHandle,
};

const MODELS: &str = r#"{"object":"list","data":[{"id":"scripted","object":"model"}]}"#;

/// A server that answers until it is dropped.
pub struct Scripted {
    address: String,
    serving: JoinHandle<()>,
    // Its connections are cut with it.
    _runtime: Runtime,
}

impl Scripted {
    pub fn answer() -> Scripted {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let serving = runtime.spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection));
            }
        });
        Scripted {
            address,
            serving,
            _runtime: runtime,
        }
    }

    /// A home that is set up for it.
    pub fn configure(&self, config: &mut Config) {
        config.model = Some(Model::Server(ModelServer {
            url: format!("http://{}/v1", self.address),
            ..ModelServer::default()
        }));
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// One request on a connection: the list of models, or an answer that never comes.
async fn serve(connection: TcpStream) {
    let mut connection = BufReader::new(connection);
    let mut request = String::new();
    let read = connection.read_line(&mut request).await;
    let mut line = String::from("…");
    while !line.trim().is_empty() {
        line.clear();
        if read.is_err() || !matches!(connection.read_line(&mut line).await, Ok(1..)) {
            return;
        }
    }
    if !request.starts_with("GET /v1/models ") {
        return std::future::pending().await;
    }
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{MODELS}",
        MODELS.len()
    );
    // Whoever asked may be gone.
    let _ = connection.write_all(answer.as_bytes()).await;
}
