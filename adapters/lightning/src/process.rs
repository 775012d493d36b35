//! The wallet process: started with its configuration on stdin, and held by that stdin for as long as we live.
use std::{
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, Command},
    time::timeout,
};

/// Beyond the process's own start bound, for the process to say why it failed.
const START_GRACE: Duration = Duration::from_secs(45);
/// How long a graceful stop may take before the process is killed.
const STOP_LIMIT: Duration = Duration::from_secs(30);
const LINE_LIMIT: u64 = 64 * 1024;

/// 64 bytes from which all keys of the wallet come. Prints as nothing.
#[derive(Clone)]
pub struct Seed(pub [u8; 64]);

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(…)")
    }
}

impl Serialize for Seed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0))
    }
}

/// Where the wallet reads the chain.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ChainSource {
    /// bitcoind's JSON-RPC, or the simulated chain's.
    BitcoindRpc {
        /// Host name or address.
        host: String,
        /// Port.
        port: u16,
        /// Basic-auth user.
        user: String,
        /// Basic-auth password.
        password: String,
    },
    /// An Esplora server.
    Esplora {
        /// Its address, `https://…/api`.
        url: String,
    },
    /// An Electrum server.
    Electrum {
        /// Its address, `ssl://host:port` or `tcp://host:port`.
        url: String,
    },
}

/// How to run a wallet process. It travels over a pipe, never in an argument.
#[derive(Clone, Debug, Serialize)]
pub struct WalletdConfig {
    /// The wallet's seed: a labelled branch of the identity's.
    #[serde(rename = "seed_hex")]
    pub seed: Seed,
    /// The wallet's own folder; made private to its owner.
    pub wallet_dir: PathBuf,
    /// The socket to listen on, at most 107 bytes, in a folder that only the owner can enter.
    pub socket: PathBuf,
    /// "bitcoin", "testnet", "signet" or "regtest". Always explicit.
    pub network: String,
    /// Where the chain is read.
    pub chain: ChainSource,
    /// `host:port`; port 0 takes a free one and keeps it over restarts. Empty: no inbound connections.
    pub listen: Vec<String>,
    /// Node ids, in hexadecimal, whose channels are used before their funding confirms.
    pub trusted_peers_0conf: Vec<String>,
    /// A public name, at most 32 bytes; needed to forward.
    pub alias: Option<String>,
    /// Forward payments to unannounced channels: what a hub does. Needs `alias` and `listen`.
    pub forwarding: bool,
    /// Seconds to wait for the chain source at start.
    pub start_timeout_s: u64,
    /// Seconds to wait for another process to leave the wallet folder.
    pub lock_timeout_s: u64,
    /// Seconds after a start in which an earlier payment to an offer counts as under way, and not as in doubt.
    pub doubt_after_s: u64,
}

impl WalletdConfig {
    /// A wallet without a listener and with nobody trusted; the other fields at their defaults.
    pub fn new(seed: Seed, wallet_dir: PathBuf, socket: PathBuf, network: &str, chain: ChainSource) -> Self {
        Self {
            seed,
            wallet_dir,
            socket,
            network: network.to_owned(),
            chain,
            listen: Vec::new(),
            trusted_peers_0conf: Vec::new(),
            alias: None,
            forwarding: false,
            start_timeout_s: 60,
            lock_timeout_s: 30,
            doubt_after_s: 180,
        }
    }
}

/// Why a wallet process did not start.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// There is no such program, or it cannot be run.
    #[error("{path} cannot be started: {source}")]
    Program {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The process said why. Codes: `invalid-config`, `locked`, `chain-unreachable`, `wrong-network`,
    /// `wallet-damaged`, `wallet-dir`, `address-in-use`, `socket`, `engine`, `runtime`.
    #[error("the wallet did not start: {message}")]
    Refused {
        /// For programs.
        code: String,
        /// For people.
        message: String,
    },
    /// The process ended, or answered with something else.
    #[error("the wallet process ended before it was ready ({0})")]
    Ended(String),
    /// The process took too long, and was stopped.
    #[error("the wallet was not ready after {0} seconds")]
    TimedOut(u64),
}

/// How a wallet process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalletExit {
    /// Its exit status, in words.
    pub status: String,
    /// It stopped as asked.
    pub clean: bool,
}

impl From<std::io::Result<ExitStatus>> for WalletExit {
    fn from(status: std::io::Result<ExitStatus>) -> Self {
        match status {
            Ok(status) => Self {
                clean: status.success(),
                status: status.to_string(),
            },
            Err(error) => Self {
                clean: false,
                status: error.to_string(),
            },
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum FirstLine {
    Ready { ready: bool, node_id: String },
    Refused { error: Refusal },
}

#[derive(Deserialize)]
struct Refusal {
    code: String,
    message: String,
}

/// A running wallet process. Dropping it closes the leash: the process stops by itself, gracefully.
#[derive(Debug)]
pub struct WalletProcess {
    child: Child,
    leash: Option<ChildStdin>,
    /// Where it listens.
    pub socket: PathBuf,
    /// Our node, in hexadecimal.
    pub node_id: String,
}

impl WalletProcess {
    /// Starts `program` and waits until it is ready.
    ///
    /// # Errors
    /// When the program is missing, refuses with a reason, ends, or is not ready within the configuration's bounds.
    /// Then no process is left.
    pub async fn spawn(config: &WalletdConfig, program: &Path) -> Result<Self, SpawnError> {
        let failed = |source| SpawnError::Program {
            path: program.display().to_string(),
            source,
        };
        let mut child = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .env_remove("RUST_BACKTRACE")
            // Ctrl-C in the terminal is the host's to answer: it stops the wallet in order.
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let limit = Duration::from_secs(config.start_timeout_s + config.lock_timeout_s) + START_GRACE;
        match timeout(limit, greet(&mut child, config)).await {
            Ok(Ok((leash, node_id))) => Ok(Self {
                child,
                leash: Some(leash),
                socket: config.socket.clone(),
                node_id,
            }),
            Ok(Err(error)) => {
                let _ = child.kill().await;
                Err(error)
            }
            Err(_) => {
                let _ = child.kill().await;
                Err(SpawnError::TimedOut(limit.as_secs()))
            }
        }
    }

    /// The process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until the process ends, for whatever reason. May be dropped and called again.
    pub async fn exited(&mut self) -> WalletExit {
        self.child.wait().await.into()
    }

    /// Stops gracefully by closing the leash, and kills only after 30 seconds.
    pub async fn stop(mut self) -> WalletExit {
        drop(self.leash.take());
        match timeout(STOP_LIMIT, self.child.wait()).await {
            Ok(status) => status.into(),
            Err(_) => {
                let _ = self.child.kill().await;
                WalletExit {
                    status: format!("killed after {} seconds", STOP_LIMIT.as_secs()),
                    clean: false,
                }
            }
        }
    }

    /// Kills at once, as a crash would. For crash tests: a wallet with payments under way can lose its channel by it.
    pub async fn kill(mut self) -> WalletExit {
        let _ = self.child.kill().await;
        self.exited().await
    }
}

async fn greet(child: &mut Child, config: &WalletdConfig) -> Result<(ChildStdin, String), SpawnError> {
    let ended = |why: &str| SpawnError::Ended(why.to_owned());
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(ended("it has no pipes"));
    };
    let mut line =
        serde_json::to_vec(config).map_err(|_| ended("the configuration cannot be written as JSON"))?;
    line.push(b'\n');
    // A process that ends early closes the pipe; its first line says why.
    let _ = stdin.write_all(&line).await;
    let mut answer = String::new();
    let mut stdout = BufReader::new(stdout);
    let read = (&mut stdout).take(LINE_LIMIT).read_line(&mut answer).await;
    read.map_err(|error| SpawnError::Ended(error.to_string()))?;
    match serde_json::from_str(&answer) {
        Ok(FirstLine::Ready { ready: true, node_id }) => {
            // Nothing more is expected; reading on keeps the pipe open, and ends with the process.
            tokio::spawn(async move { tokio::io::copy(&mut stdout, &mut tokio::io::sink()).await });
            Ok((stdin, node_id))
        }
        Ok(FirstLine::Refused { error }) => Err(SpawnError::Refused {
            code: error.code,
            message: error.message,
        }),
        Ok(FirstLine::Ready { ready: false, .. }) | Err(_) => {
            let status = timeout(Duration::from_secs(1), child.wait()).await;
            let status = status.map_or("it did not say why".into(), |status| {
                WalletExit::from(status).status
            });
            Err(SpawnError::Ended(status))
        }
    }
}

/// The wallet program: `AUTOPILOT_WALLETD`, `$AUTOPILOT_BIN_DIR/autopilot-walletd`, beside this program, or in the
/// build folder of a checkout. `None` when there is none of these.
pub fn find_walletd() -> Option<PathBuf> {
    const NAME: &str = "autopilot-walletd";
    let named = std::env::var_os("AUTOPILOT_WALLETD").map(PathBuf::from);
    let shared = std::env::var_os("AUTOPILOT_BIN_DIR").map(|dir| PathBuf::from(dir).join(NAME));
    let program = std::env::current_exe().ok();
    // A test's program is one folder deeper.
    let beside = program
        .iter()
        .flat_map(|program| program.ancestors().skip(1).take(2))
        .map(|dir| dir.join(NAME));
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("walletd/target/debug")
        .join(NAME);
    named
        .into_iter()
        .chain(shared)
        .chain(beside)
        .chain([checkout])
        .find(|path| path.is_file())
}
