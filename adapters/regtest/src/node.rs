//! Starting, mining, stopping and restarting one node.

use crate::{Error, Rpc, RpcError, keeper::Keeper};
use rand::RngCore;
use serde_json::{Value, json};
use std::{
    env, fs, io,
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How long a node may take to answer after its start.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long a node may take to stop when asked.
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// Another program may take a free port between our look and bitcoind's bind.
const START_ATTEMPTS: usize = 3;

/// What a test may ask of a node beyond the usual.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The program; by default `BITCOIND`, or the one that `scripts/bitcoind.sh` cached.
    pub program: Option<PathBuf>,
    /// Further lines for the `[regtest]` section of `bitcoin.conf`.
    pub extra_lines: Vec<String>,
}

/// A regtest node. Dropping it kills the process, reaps it and removes its folder.
#[derive(Debug)]
pub struct Bitcoind {
    // Before the folder: fields are dropped in this order, and the process must be gone first.
    keeper: Option<Keeper>,
    rpc: Rpc,
    program: PathBuf,
    folder: TempDir,
}

impl Bitcoind {
    /// Starts a node with free ports and waits until it answers.
    pub fn start() -> Result<Self, Error> {
        Self::start_with(&Options::default())
    }

    /// As [`Bitcoind::start`], with options.
    pub fn start_with(options: &Options) -> Result<Self, Error> {
        let program = options.program.clone().map_or_else(find_program, Ok)?;
        if !program.is_file() {
            return Err(Error::Missing(program));
        }
        let mut attempts = START_ATTEMPTS;
        loop {
            attempts -= 1;
            let mut node = Self::prepare(&program, &options.extra_lines)?;
            match node.launch() {
                Ok(()) => return Ok(node),
                Err(Error::Ended(_)) if attempts > 0 => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn prepare(program: &Path, extra_lines: &[String]) -> Result<Self, Error> {
        let folder = tempfile::Builder::new().prefix("autopilot-bitcoind-").tempdir()?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut secret = [0; 16];
        rand::rng().fill_bytes(&mut secret);
        let rpc = Rpc {
            host: Ipv4Addr::LOCALHOST.to_string(),
            port,
            user: "autopilot".into(),
            password: hex::encode(secret),
        };
        // The password goes into a file that only the owner reads, never into the argument list.
        let mut lines = vec![
            "regtest=1".to_owned(),
            "[regtest]".into(),
            "server=1".into(),
            "listen=0".into(),
            "connect=0".into(),
            "txindex=1".into(),
            "rpcbind=127.0.0.1".into(),
            "rpcallowip=127.0.0.1".into(),
            // ldk-node polls on several connections at once.
            "rpcthreads=8".into(),
            "rpcworkqueue=128".into(),
            "dbcache=32".into(),
            format!("rpcport={}", rpc.port),
            format!("rpcuser={}", rpc.user),
            format!("rpcpassword={}", rpc.password),
        ];
        lines.extend_from_slice(extra_lines);
        let config = folder.path().join("bitcoin.conf");
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(config)?;
        io::Write::write_all(&mut file, (lines.join("\n") + "\n").as_bytes())?;
        Ok(Self {
            keeper: None,
            rpc,
            program: program.into(),
            folder,
        })
    }

    fn launch(&mut self) -> Result<(), Error> {
        let mut command = Command::new(&self.program);
        command
            .arg(format!("-datadir={}", self.folder.path().display()))
            .arg("-printtoconsole=0");
        let keeper = self.keeper.insert(Keeper::spawn(command)?);
        let began = Instant::now();
        loop {
            match self.rpc.call("getblockcount", &[]) {
                Ok(_) => return Ok(()),
                Err(_) if keeper.has_ended() => return Err(Error::Ended(last_words(self.folder.path()))),
                // Not listening yet, or -28 while it loads: Core has no event to wait for.
                Err(_) if began.elapsed() < START_LIMIT => thread::sleep(Duration::from_millis(25)),
                Err(_) => return Err(Error::Silent(START_LIMIT)),
            }
        }
    }

    /// Where it listens and how to log in: what a wallet needs as its chain source.
    pub fn rpc(&self) -> &Rpc {
        &self.rpc
    }

    /// The data folder, removed with the node.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The process, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.keeper.as_ref().map(Keeper::pid)
    }

    /// Calls any method of Core.
    pub fn call(&self, method: &str, params: &[Value]) -> Result<Value, RpcError> {
        self.rpc.call(method, params)
    }

    /// Mines `count` blocks whose coins belong to nobody in particular. Returns their hashes, oldest first.
    pub fn mine(&self, count: u32) -> Result<Vec<String>, RpcError> {
        // `raw(51)` is the script OP_TRUE.
        self.hashes("generatetodescriptor", &[json!(count), json!("raw(51)")])
    }

    /// Mines `count` blocks to an address: 50 BTC each until block 150, spendable 100 blocks later.
    pub fn mine_to(&self, address: &str, count: u32) -> Result<Vec<String>, RpcError> {
        self.hashes("generatetoaddress", &[json!(count), json!(address)])
    }

    /// Gives an address spendable coins: one block to it, then 100 to let it mature.
    pub fn fund(&self, address: &str) -> Result<(), RpcError> {
        self.mine_to(address, 1)?;
        self.mine(100)?;
        Ok(())
    }

    /// The height of the best block; 0 is the genesis block.
    pub fn height(&self) -> Result<u64, RpcError> {
        let answer = self.call("getblockcount", &[])?;
        answer.as_u64().ok_or_else(|| RpcError::Form {
            method: "getblockcount".into(),
        })
    }

    /// The ids of the transactions that wait for a block.
    pub fn mempool(&self) -> Result<Vec<String>, RpcError> {
        self.hashes("getrawmempool", &[])
    }

    /// Stops the node as its operator would, and leaves its folder: the chain is then gone for whoever uses it.
    pub fn stop(&mut self) -> Result<(), Error> {
        if let Some(keeper) = self.keeper.take() {
            self.rpc.call("stop", &[])?;
            if !keeper.wait_end(STOP_LIMIT) {
                return Err(Error::Silent(STOP_LIMIT));
            }
        }
        Ok(())
    }

    /// Kills the node as a power cut would, and leaves its folder.
    pub fn kill(&mut self) {
        self.keeper = None;
    }

    /// Starts it again after [`Bitcoind::stop`] or [`Bitcoind::kill`]: same folder, port and credentials.
    pub fn start_again(&mut self) -> Result<(), Error> {
        if self.keeper.is_some() {
            Ok(())
        } else {
            self.launch()
        }
    }

    fn hashes(&self, method: &str, params: &[Value]) -> Result<Vec<String>, RpcError> {
        serde_json::from_value(self.call(method, params)?).map_err(|_| RpcError::Form {
            method: method.into(),
        })
    }
}

/// `BITCOIND`, or the newest build in the cache.
fn find_program() -> Result<PathBuf, Error> {
    if let Some(program) = env::var_os("BITCOIND").map(PathBuf::from) {
        return Ok(program);
    }
    let cache = env::var_os("AUTOPILOT_CACHE")
        .map(PathBuf::from)
        .unwrap_or_else(|| {
            PathBuf::from(env::var_os("HOME").unwrap_or_else(|| "/root".into())).join(".cache/autopilot")
        });
    let builds = cache.join("bitcoind");
    fs::read_dir(&builds)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin/bitcoind"))
        .filter(|program| program.is_file())
        .max_by_key(|program| program.metadata().and_then(|meta| meta.modified()).ok())
        .ok_or(Error::Missing(builds))
}

fn last_words(folder: &Path) -> String {
    let log = fs::read_to_string(folder.join("regtest/debug.log")).unwrap_or_default();
    let lines: Vec<&str> = log.lines().rev().take(3).collect();
    if lines.is_empty() {
        "none".into()
    } else {
        lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
    }
}
