//! The life of the process: configuration, lock, engine, socket, leash.
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{Read, Write},
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use autopilot_proto::wallet::v1::wallet_server::WalletServer;
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    net::UnixListener,
    signal::unix::{SignalKind, signal},
};
use tokio_stream::wrappers::UnixListenerStream;

use crate::{
    config::{Config, LINE_LIMIT},
    log,
    node::{self, StartError, start_error},
    service::Service,
    wallet::Wallet,
};

/// `sockaddr_un` holds 108 bytes with its end.
const SOCKET_PATH_LIMIT: usize = 107;
/// How often channels are looked at and lost peers called again.
const TICK: Duration = Duration::from_secs(2);

/// Prints why the process ends, as one line of JSON, and gives the exit code.
pub(crate) fn report(error: &StartError) -> ExitCode {
    println!(
        "{}",
        json!({"error": {"code": error.code, "message": error.message}})
    );
    tracing::error!(
        code = error.code,
        message = error.message,
        "the wallet process ends"
    );
    ExitCode::from(match error.code {
        "invalid-config" => 2,
        "locked" => 3,
        "chain-unreachable" => 4,
        "wrong-network" => 5,
        _ => 1,
    })
}

pub(crate) async fn run() -> Result<(), StartError> {
    let mut stdin = BufReader::new(tokio::io::stdin());
    let config = Arc::new(read_config(&mut stdin).await?);
    let leash = async move {
        let mut rest = [0; 256];
        // Bytes after the first line mean nothing; the end of the stream does.
        while !matches!(stdin.read(&mut rest).await, Ok(0) | Err(_)) {}
    };
    let mut terminated =
        signal(SignalKind::terminate()).map_err(|error| start_error("runtime", error.to_string()))?;
    let mut interrupted =
        signal(SignalKind::interrupt()).map_err(|error| start_error("runtime", error.to_string()))?;
    tokio::select! {
        result = serve(config) => result,
        () = leash => { tracing::info!("stdin closed: stopping"); Ok(()) }
        _ = terminated.recv() => { tracing::info!("SIGTERM: stopping"); Ok(()) }
        _ = interrupted.recv() => { tracing::info!("SIGINT: stopping"); Ok(()) }
    }
}

async fn read_config(stdin: &mut BufReader<tokio::io::Stdin>) -> Result<Config, StartError> {
    let invalid = |message: String| start_error("invalid-config", message);
    let mut line = String::new();
    let mut bounded = stdin.take(LINE_LIMIT);
    bounded
        .read_line(&mut line)
        .await
        .map_err(|error| invalid(error.to_string()))?;
    let config: Config =
        serde_json::from_str(&line).map_err(|error| invalid(format!("the configuration: {error}")))?;
    let length = config.socket.as_os_str().as_bytes().len();
    if length > SOCKET_PATH_LIMIT {
        let socket = config.socket.display();
        return Err(invalid(format!(
            "the socket path {socket} has {length} bytes; Unix allows {SOCKET_PATH_LIMIT}. Choose a shorter home folder"
        )));
    }
    if config.forwarding && (config.alias.is_none() || config.listen.is_empty()) {
        return Err(invalid(
            "forwarding needs an alias and an address to listen on".into(),
        ));
    }
    Ok(config)
}

/// A running node, stopped when it goes out of scope, whichever way the process ends.
struct Running(Arc<Wallet>);

impl Drop for Running {
    fn drop(&mut self) {
        // Stopping blocks for as long as LDK needs to write its state.
        let stopped = tokio::task::block_in_place(|| self.0.node.stop());
        tracing::info!(?stopped, "the node is stopped");
    }
}

async fn serve(config: Arc<Config>) -> Result<(), StartError> {
    let folder = |error: std::io::Error| {
        start_error("wallet-dir", format!("{}: {error}", config.wallet_dir.display()))
    };
    private_folder(&config.wallet_dir).map_err(folder)?;
    let _lock = lock(&config).await?;
    log::start(&config.wallet_dir).map_err(folder)?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), network = %config.network, "starting");
    let wallet = {
        let config = config.clone();
        let started = tokio::task::spawn_blocking(move || {
            let node = node::start(&config)?;
            Wallet::new(node, &config).map_err(|error| start_error("wallet-dir", error.to_string()))
        });
        Arc::new(
            started
                .await
                .map_err(|_| start_error("engine", "the engine failed while starting"))??,
        )
    };
    let running = Running(wallet.clone());
    let listener = bind(&config.socket).map_err(|error| {
        start_error(
            "socket",
            format!("cannot listen on {}: {error}", config.socket.display()),
        )
    })?;
    let node_id = wallet.node.node_id().to_string();
    let ready = json!({"ready": true, "node_id": node_id, "socket": config.socket.display().to_string()});
    println!("{ready}");
    std::io::stdout()
        .flush()
        .map_err(|error| start_error("runtime", error.to_string()))?;

    let housekeeping = tokio::spawn(tick(wallet.clone()));
    let served = tonic::transport::Server::builder()
        .concurrency_limit_per_connection(64)
        .add_service(WalletServer::new(Service::new(wallet)))
        .serve_with_incoming(UnixListenerStream::new(listener))
        .await;
    housekeeping.abort();
    drop(running);
    served.map_err(|error| start_error("socket", error.to_string()))
}

async fn tick(wallet: Arc<Wallet>) {
    loop {
        let shared = wallet.clone();
        let looked = tokio::task::spawn_blocking(move || {
            shared.reconnect();
            shared.remember_channels(&shared.node.list_channels(), &shared.node.list_balances())
        });
        if let Ok(Err(error)) = looked.await {
            tracing::error!(message = error.message, "channels could not be noted");
        }
        tokio::time::sleep(TICK).await;
    }
}

fn private_folder(path: &Path) -> std::io::Result<()> {
    fs::create_dir_all(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

/// Two nodes on one channel state lose money: the lock is held for as long as the process lives.
async fn lock(config: &Config) -> Result<File, StartError> {
    let path = config.wallet_dir.join("walletd.lock");
    let failed = |error: std::io::Error| start_error("wallet-dir", format!("{}: {error}", path.display()));
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(failed)?;
    let deadline = Instant::now() + Duration::from_secs(config.lock_timeout_s);
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = (&mut file).take(32).read_to_string(&mut holder);
                return Err(start_error(
                    "locked",
                    format!(
                        "another wallet process ({}) still holds {}; stop it first, never start a second one on a copy",
                        holder.trim(),
                        config.wallet_dir.display()
                    ),
                ));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
    file.set_len(0).map_err(failed)?;
    writeln!(file, "{}", std::process::id()).map_err(failed)?;
    Ok(file)
}

fn bind(path: &Path) -> std::io::Result<UnixListener> {
    if let Some(folder) = path.parent() {
        if !folder.exists() {
            private_folder(folder)?;
        }
        if fs::metadata(folder)?.permissions().mode() & 0o077 != 0 {
            let message = format!("{} is open to others: chmod 700 it", folder.display());
            return Err(std::io::Error::new(std::io::ErrorKind::PermissionDenied, message));
        }
    }
    // Whoever made an old socket is gone: the lock is ours.
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}
