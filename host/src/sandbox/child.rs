//! A host as a process of its own, held by its standard input: when that closes it stops by itself, so that none is
//! left over, whatever ends us.
use std::{
    fs::OpenOptions,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde::Deserialize;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{ChildStdin, Command},
    time::timeout,
};

use super::{SandboxError, Window};
use crate::{
    config::Config,
    control::{Client, client},
    home::Home,
};

/// How long a host may take to serve: it waits for its wallet.
const START_LIMIT: Duration = Duration::from_secs(180);
/// How long a graceful stop may take before the process is killed.
const STOP_LIMIT: Duration = Duration::from_secs(45);

/// A running host.
pub struct Child {
    /// Its role.
    pub role: &'static str,
    /// Its home folder.
    pub home: Home,
    /// Market identity, hexadecimal.
    pub pubkey: String,
    /// The wallet's node.
    pub node_id: String,
    /// Where it listens for peers.
    pub node_addresses: Vec<String>,
    program: Program,
    process: tokio::process::Child,
    leash: Option<ChildStdin>,
}

/// What a host runs in.
#[derive(Clone, Debug)]
enum Program {
    /// Started with its role.
    Headless(PathBuf),
    /// It knows one role only.
    Window(Window),
}

impl Program {
    fn command(&self, role: &str) -> Command {
        match self {
            Program::Headless(program) => {
                let mut command = Command::new(program);
                command.arg(role);
                command
            }
            Program::Window(window) => {
                let mut command = Command::new(&window.program);
                command.envs(window.environment.iter().cloned());
                command
            }
        }
    }
}

#[derive(Deserialize)]
struct Said {
    pubkey: String,
    node_id: String,
    node_addresses: Vec<String>,
}

impl Child {
    /// Writes the configuration and starts `program ROLE --home … --leash`, with further environment.
    ///
    /// # Errors
    /// [`SandboxError::Host`], with the last words and the place of the log.
    pub async fn start(
        program: &Path,
        role: &'static str,
        path: &Path,
        config: &Config,
        environment: &[(&str, &str)],
    ) -> Result<Child, SandboxError> {
        let home = Home::open(path)?;
        config.write(&home.config_file())?;
        Child::start_again(program, role, home, environment).await
    }

    /// Writes the configuration and opens a window as the host of this home.
    ///
    /// # Errors
    /// [`SandboxError::Host`].
    pub async fn open(
        window: &Window,
        role: &'static str,
        path: &Path,
        config: &Config,
    ) -> Result<Child, SandboxError> {
        let home = Home::open(path)?;
        config.write(&home.config_file())?;
        Child::run(Program::Window(window.clone()), role, home, &[]).await
    }

    /// Starts a host on a home that is there already.
    ///
    /// # Errors
    /// [`SandboxError::Host`].
    pub async fn start_again(
        program: &Path,
        role: &'static str,
        home: Home,
        environment: &[(&str, &str)],
    ) -> Result<Child, SandboxError> {
        Child::run(Program::Headless(program.to_owned()), role, home, environment).await
    }

    async fn run(
        program: Program,
        role: &'static str,
        home: Home,
        environment: &[(&str, &str)],
    ) -> Result<Child, SandboxError> {
        let log = home.logs_dir().join("host.log");
        let failed = |cause: String| SandboxError::Host {
            role,
            cause,
            log: log.clone(),
        };
        let to_log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(|e| failed(e.to_string()))?;
        let mut process = program
            .command(role)
            .arg("--home")
            .arg(home.path())
            .arg("--leash")
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::from(to_log))
            // Ctrl-C in the terminal is ours to answer: hosts are stopped in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| failed(e.to_string()))?;
        let (leash, stdout) = (process.stdin.take(), process.stdout.take());
        let Some(stdout) = stdout else {
            return Err(failed("it has no output".to_owned()));
        };
        let mut lines = BufReader::new(stdout).lines();
        let line = timeout(START_LIMIT, lines.next_line()).await;
        let said = match line {
            Err(_) => {
                return Err(failed(format!(
                    "it did not serve within {} s",
                    START_LIMIT.as_secs()
                )));
            }
            Ok(Ok(Some(line))) => serde_json::from_str::<Said>(&line).map_err(|_| failed(line))?,
            Ok(_) => {
                let status = timeout(STOP_LIMIT, process.wait()).await;
                let words = last_words(&log);
                return Err(failed(format!(
                    "it ended ({}): {words}",
                    status.map_or("hanging".to_owned(), |s| s
                        .map_or_else(|e| e.to_string(), |s| s.to_string()))
                )));
            }
        };
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Child {
            role,
            home,
            pubkey: said.pubkey,
            node_id: said.node_id,
            node_addresses: said.node_addresses,
            program,
            process,
            leash,
        })
    }

    /// The process.
    pub fn pid(&self) -> Option<u32> {
        self.process.id()
    }

    /// A client of this host.
    ///
    /// # Errors
    /// [`SandboxError::Call`].
    pub fn client(&self) -> Result<Client, SandboxError> {
        client(&self.home.control_socket()).map_err(|e| SandboxError::Call {
            what: "the control socket",
            cause: e.to_string(),
        })
    }

    /// Waits until the process ends by itself.
    pub async fn ended(&mut self) -> String {
        self.process
            .wait()
            .await
            .map_or_else(|e| e.to_string(), |status| status.to_string())
    }

    /// Starts the same host anew: in order where it still runs, else after its crash.
    ///
    /// # Errors
    /// [`SandboxError::Host`].
    pub async fn restart(&mut self, environment: &[(&str, &str)]) -> Result<(), SandboxError> {
        self.stop_in_order().await;
        *self = Child::run(self.program.clone(), self.role, self.home.clone(), environment).await?;
        Ok(())
    }

    /// Kills it at once, as a crash would.
    pub async fn kill(&mut self) {
        let _ = self.process.kill().await;
    }

    /// Stops it gracefully; it is killed only when that takes too long. True when it went well.
    pub async fn stop_in_order(&mut self) -> bool {
        drop(self.leash.take());
        match timeout(STOP_LIMIT, self.process.wait()).await {
            Ok(status) => status.is_ok_and(|status| status.success()),
            Err(_) => {
                let _ = self.process.kill().await;
                false
            }
        }
    }
}

/// The end of a log.
fn last_words(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let mut lines: Vec<&str> = text
        .lines()
        .rev()
        .filter(|line| !line.trim().is_empty())
        .take(3)
        .collect();
    lines.reverse();
    if lines.is_empty() {
        "it said nothing".to_owned()
    } else {
        lines.join(" / ")
    }
}
