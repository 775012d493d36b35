//! Relays as processes of their own, that can be stopped and started at the same address.
use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdin, Command},
};

/// A relay's process. It ends with us: its standard input is its leash.
pub struct Relay {
    /// Its address, `ws://…`; kept over restarts.
    pub url: String,
    program: PathBuf,
    process: Child,
    leash: Option<ChildStdin>,
}

impl Relay {
    /// Starts one at a free port.
    ///
    /// # Errors
    /// It did not start.
    pub async fn start(program: &Path) -> Result<Relay> {
        Relay::start_at(program, "127.0.0.1:0").await
    }

    async fn start_at(program: &Path, address: &str) -> Result<Relay> {
        let mut process = Command::new(program)
            .args(["relay", "--leash", "--listen", address])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let leash = process.stdin.take();
        let stdout = process.stdout.take().context("the relay has no output")?;
        let line = BufReader::new(stdout).lines().next_line().await?;
        let said: serde_json::Value = serde_json::from_str(&line.context("the relay ended")?)?;
        Ok(Relay {
            url: said["relay"]
                .as_str()
                .context("the relay names no address")?
                .to_owned(),
            program: program.to_owned(),
            process,
            leash,
        })
    }

    /// The process.
    pub fn pid(&self) -> Option<u32> {
        self.process.id()
    }

    /// Ends it.
    ///
    /// # Errors
    /// Its end can't be waited for.
    pub async fn stop(&mut self) -> Result<()> {
        drop(self.leash.take());
        self.process.wait().await?;
        Ok(())
    }

    /// Starts it again where it was. It remembers nothing.
    ///
    /// # Errors
    /// It did not start.
    pub async fn start_again(&mut self) -> Result<()> {
        let address = self.url.trim_start_matches("ws://").to_owned();
        *self = Relay::start_at(&self.program.clone(), &address).await?;
        Ok(())
    }
}
