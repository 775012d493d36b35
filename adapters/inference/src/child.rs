//! One worker process: started, connected, and at its end asked why it ended.
use std::{
    collections::VecDeque,
    fs,
    os::unix::{fs::DirBuilderExt, process::ExitStatusExt},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use autopilot_core::ports::model::ModelError;
use autopilot_proto::inference::v1::{ModelInfo, inference_client::InferenceClient};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader},
    net::UnixStream,
    process::{Child, ChildStdin, ChildStdout, Command},
    task::JoinHandle,
    time::timeout,
};
use tonic::transport::{Channel, Endpoint};

use crate::{
    config::{ModelFile, WorkerConfig},
    wire::{self, CallError},
};

/// Longest path that the kernel takes for a Unix socket, bytes.
const SOCKET_PATH_BYTES_MAX: usize = 107;
/// Bytes of the worker's last words that are kept.
const LAST_WORDS_BYTES: usize = 8 << 10;
/// How long a worker whose connection broke, or that was told to stop, may take to end before it is killed.
const END_BOUND: Duration = Duration::from_secs(3);
const REAP_TRIES_MAX: u32 = 100;
const REAP_PAUSE: Duration = Duration::from_millis(2);
/// What runtimes print when an allocation fails, before they abort.
const OUT_OF_MEMORY_WORDS: [&str; 4] = [
    "memory allocation of",
    "std::bad_alloc",
    "failed to allocate",
    "Cannot allocate memory",
];

/// Client of one worker's socket.
pub type Client = InferenceClient<Channel>;

/// A live worker process. Dropping it kills the process.
pub struct Worker {
    child: Child,
    /// Closing it tells the worker to stop.
    stdin: Option<ChildStdin>,
    _stdout: BufReader<ChildStdout>,
    last_words: LastWords,
    socket: PathBuf,
    pub client: Client,
    /// The loaded model.
    pub model: Option<ModelInfo>,
    /// Generations at a time that it was last asked to load for.
    pub asked_n_seq: u32,
}

impl Worker {
    /// Starts the program and waits until it listens.
    pub async fn start(config: &WorkerConfig, fault: Option<&str>) -> Result<Worker, ModelError> {
        let socket = socket_path(&config.runtime_dir)?;
        let mut command = Command::new(&config.program);
        // No variable of the host goes along: some hold secrets.
        command
            .env_clear()
            .env("OMP_WAIT_POLICY", "passive")
            .env("MALLOC_ARENA_MAX", "2");
        if let Some(path) = std::env::var_os("LD_LIBRARY_PATH") {
            command.env("LD_LIBRARY_PATH", path);
        }
        if let Some(fault) = fault {
            command.env("AUTOPILOT_WORKER_FAULT", fault);
        }
        command.arg("--socket").arg(&socket);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // A group of its own: Ctrl-C in a terminal is the host's to handle.
        command.process_group(0).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => ModelError::WorkerMissing {
                path: config.program.display().to_string(),
            },
            _ => unavailable(format!("{}: {error}", config.program.display())),
        })?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdout), Some(stderr)) = (stdout, stderr) else {
            return Err(unavailable("its pipes are missing".into()));
        };
        let mut last_words = LastWords::listen(stderr);
        let mut stdout = BufReader::new(stdout);
        let mut ready = String::new();
        let heard = timeout(config.start_bound, (&mut stdout).take(4096).read_line(&mut ready)).await;
        if !matches!(heard, Ok(Ok(count)) if count > 0) || !ready.contains("\"ready\":true") {
            let _ = child.kill().await;
            return Err(unavailable(format!(
                "it never listened; it said: {}",
                last_words.text().await
            )));
        }
        let client = connect(socket.clone()).await?;
        Ok(Worker {
            child,
            stdin,
            _stdout: stdout,
            last_words,
            socket,
            client,
            model: None,
            asked_n_seq: 0,
        })
    }

    /// Checks and loads the model for that many generations at a time, unless it is loaded and its file unchanged.
    pub async fn load(
        &mut self,
        config: &WorkerConfig,
        model: &ModelFile,
        n_seq: u32,
    ) -> Result<ModelInfo, ModelError> {
        let before = self.model.take();
        let request = wire::load_request(config, model, n_seq);
        let reply = timeout(config.load_bound, self.client.load(request)).await;
        let reply = match reply {
            Ok(Ok(reply)) => reply.into_inner(),
            Ok(Err(status)) => match wire::call_error(&status) {
                // Others are at work: it goes on with what they use.
                CallError::Told(ModelError::Busy) if before.is_some() => {
                    self.model = before;
                    return self.model.clone().ok_or(ModelError::Busy);
                }
                CallError::Told(error) => return Err(error),
                CallError::Broken => return Err(self.end_reason().await),
            },
            Err(_) => {
                self.kill().await;
                return Err(ModelError::WorkerHung {
                    silent_ms: as_ms(config.load_bound),
                });
            }
        };
        let model = reply.model.ok_or_else(|| ModelError::Internal {
            reason: "no model was described".into(),
        })?;
        if reply.load_ms > 0 {
            tracing::info!(
                model = model.name,
                n_seq = model.n_seq,
                load_ms = reply.load_ms,
                "model loaded"
            );
        }
        self.asked_n_seq = n_seq;
        self.model = Some(model.clone());
        Ok(model)
    }

    /// Process id, while it lives.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Whether the process still lives.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it at once.
    pub async fn kill(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.child.kill().await;
    }

    /// Lets it stop by itself within a bound, then kills it.
    pub async fn stop(&mut self) {
        self.stdin.take();
        if timeout(END_BOUND, self.child.wait()).await.is_err() {
            self.kill().await;
        }
    }

    /// Why a worker whose connection broke has ended; one that has not is killed.
    pub async fn end_reason(&mut self) -> ModelError {
        let Ok(Ok(status)) = timeout(END_BOUND, self.child.wait()).await else {
            self.kill().await;
            return ModelError::Internal {
                reason: "its connection broke, and it was replaced".into(),
            };
        };
        let words = self.last_words.text().await;
        tracing::warn!(%status, words, "inference worker ended");
        reason_of(status, &words)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // A killed process ends at once; waiting for it leaves no zombie behind. The bound is for a machine that
        // is out of breath, where the runtime reaps it later.
        let _ = self.child.start_kill();
        for _ in 0..REAP_TRIES_MAX {
            if !matches!(self.child.try_wait(), Ok(None)) {
                break;
            }
            std::thread::sleep(REAP_PAUSE);
        }
        // It removes its socket itself unless it was killed.
        let _ = fs::remove_file(&self.socket);
    }
}

fn reason_of(status: ExitStatus, last_words: &str) -> ModelError {
    let aborted = status.signal() == Some(nix::libc::SIGABRT);
    if aborted && OUT_OF_MEMORY_WORDS.iter().any(|words| last_words.contains(words)) {
        return ModelError::OutOfMemory;
    }
    ModelError::WorkerCrashed {
        signal: status.signal(),
        exit_code: status.code(),
    }
}

/// A reason why no worker can be had.
pub fn unavailable(reason: String) -> ModelError {
    ModelError::WorkerUnavailable { reason }
}

/// A duration in whole milliseconds.
pub fn as_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn socket_path(dir: &Path) -> Result<PathBuf, ModelError> {
    static STARTED: AtomicU64 = AtomicU64::new(0);
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|error| unavailable(format!("{}: {error}", dir.display())))?;
    let number = STARTED.fetch_add(1, Ordering::Relaxed);
    let path = dir.join(format!("inference-{}-{number}.sock", std::process::id()));
    let length = path.as_os_str().len();
    if length > SOCKET_PATH_BYTES_MAX {
        return Err(unavailable(format!(
            "the socket path has {length} bytes, at most {SOCKET_PATH_BYTES_MAX} are possible; choose a shorter \
             home folder: {}",
            path.display()
        )));
    }
    // Left over from a process of the same id that was killed.
    let _ = fs::remove_file(&path);
    Ok(path)
}

async fn connect(socket: PathBuf) -> Result<Client, ModelError> {
    let connector = tower::service_fn(move |_| {
        let socket = socket.clone();
        async move { UnixStream::connect(socket).await.map(TokioIo::new) }
    });
    // The address is a formality: the connector knows the socket.
    let channel = Endpoint::from_static("http://worker.invalid")
        .connect_with_connector(connector)
        .await
        .map_err(|error| unavailable(format!("its socket: {error}")))?;
    Ok(InferenceClient::new(channel))
}

/// Reads a worker's stderr to its end and keeps the last of it.
struct LastWords {
    kept: Arc<Mutex<VecDeque<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl LastWords {
    fn listen(mut stderr: impl AsyncRead + Unpin + Send + 'static) -> LastWords {
        let kept = Arc::<Mutex<VecDeque<u8>>>::default();
        let filling = kept.clone();
        let reader = tokio::spawn(async move {
            let mut buffer = [0; 1024];
            while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
                let mut kept = filling.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend(&buffer[..count]);
                let surplus = kept.len().saturating_sub(LAST_WORDS_BYTES);
                kept.drain(..surplus);
            }
        });
        LastWords {
            kept,
            reader: Some(reader),
        }
    }

    /// What was said last; waits for the end of it, within a bound.
    async fn text(&mut self) -> String {
        if let Some(reader) = &mut self.reader
            && timeout(END_BOUND, reader).await.is_ok()
        {
            self.reader = None;
        }
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&kept.iter().copied().collect::<Vec<u8>>()).into_owned()
    }
}
