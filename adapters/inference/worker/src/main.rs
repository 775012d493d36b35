//! The inference worker: one model in one process, spoken to through `inference/v1` on a Unix socket.
//!
//! It is a child of the host: it prints one line of JSON on stdout when it listens, and ends when its stdin
//! closes, so it outlives no parent. A runtime that asserts or runs out of memory takes only this process along.
mod embed;
mod engine;
mod failure;
mod fault;
mod generate;
mod load;
mod machine;
mod output;
mod prompt;
mod seat;
mod service;
mod table;

use std::{
    fs,
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use autopilot_proto::inference::v1::inference_server::InferenceServer;
use nix::sys::{
    resource::{Resource, setrlimit},
    signal::{self, Signal},
};
use tokio::{net::UnixListener, sync::Notify};
use tokio_stream::wrappers::UnixListenerStream;

use crate::{engine::Engine, service::Service};

/// Longest path that the kernel takes for a Unix socket, bytes.
const SOCKET_PATH_BYTES_MAX: usize = 107;
/// How long a generation may take to notice that the parent is gone.
const LAST_DECODE_BOUND: Duration = Duration::from_secs(2);

const USAGE: &str = "usage: autopilot-inference-worker --socket PATH | --version\n\
  The socket's folder must exist; the worker ends when its stdin closes.";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let socket = match arguments.as_slice() {
        [flag] if flag == "--version" => {
            println!(
                "autopilot-inference-worker {} ({})",
                env!("CARGO_PKG_VERSION"),
                machine::runtime_build()
            );
            return ExitCode::SUCCESS;
        }
        [flag, path] if flag == "--socket" => PathBuf::from(path),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match serve(&socket) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("autopilot-inference-worker: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve(socket: &Path) -> anyhow::Result<()> {
    // The runtime's warnings go to stderr, where the host keeps the last of them.
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
        .with_writer(io::stderr)
        .init();
    llama_cpp_2::send_logs_to_tracing(llama_cpp_2::LogOptions::default());
    let length = socket.as_os_str().len();
    anyhow::ensure!(
        length <= SOCKET_PATH_BYTES_MAX,
        "the socket path has {length} bytes, the kernel takes at most {SOCKET_PATH_BYTES_MAX}: {}",
        socket.display()
    );
    // A core file would hold prompts.
    setrlimit(Resource::RLIMIT_CORE, 0, 0).context("core files cannot be turned off")?;
    // When memory runs out the system shall end this process, which is replaced, and not the wallet, which can lose its
    // channel by it. Where it can't be asked for, the system chooses by size.
    let _ = fs::write("/proc/self/oom_score_adj", "800");
    let parent_gone = Arc::new(Notify::new());
    let engine = Engine::start().context("the inference thread cannot be started")?;
    watch_stdin(parent_gone.clone(), engine.clone()).context("stdin cannot be watched")?;
    // One thread for the socket, so that Health answers while the inference thread computes.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let served = runtime.block_on(async {
        let listener =
            UnixListener::bind(socket).with_context(|| format!("cannot listen on {}", socket.display()))?;
        fs::set_permissions(socket, fs::Permissions::from_mode(0o600))?;
        announce(socket)?;
        tonic::transport::Server::builder()
            .add_service(InferenceServer::new(Service::new(engine.clone())))
            .serve_with_incoming_shutdown(UnixListenerStream::new(listener), parent_gone.notified())
            .await
            .context("the socket failed")
    });
    // The socket may be gone with its folder already; nothing rests on it any more.
    let _ = fs::remove_file(socket);
    served
}

fn announce(socket: &Path) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    let version = env!("CARGO_PKG_VERSION");
    writeln!(
        stdout,
        "{{\"ready\":true,\"version\":\"{version}\",\"socket\":{:?}}}",
        socket.display().to_string()
    )?;
    stdout.flush()
}

/// Ends the process when stdin closes: at once when idle, else when the running generation has noticed.
fn watch_stdin(parent_gone: Arc<Notify>, engine: Engine) -> io::Result<()> {
    std::thread::Builder::new().name("stdin".into()).spawn(move || {
        let mut sink = [0; 256];
        while matches!(io::stdin().lock().read(&mut sink), Ok(count) if count > 0) {}
        engine.cancel_all();
        parent_gone.notify_one();
        // Open streams or a stuck decode hold the shutdown up; nobody is left who could read their answer.
        std::thread::sleep(LAST_DECODE_BOUND);
        let _ = signal::kill(nix::unistd::getpid(), Signal::SIGKILL);
    })?;
    Ok(())
}
