//! A real OpenAI-compatible server: llama.cpp's own, as `scripts/model-server.sh` fetches it, with the test model.
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdin, Command},
    time::timeout,
};

use crate::stage::model;

/// How long it may take to load the model; generous, since machines are shared.
const START_BOUND: Duration = Duration::from_secs(120);

/// A running server on a free port of the loopback. It ends when dropped.
pub struct ModelServer {
    /// Its address, up to and with `/v1`.
    pub url: String,
    process: Child,
    _leash: Option<ChildStdin>,
}

impl ModelServer {
    /// Starts it with this many seats of 2,048 tokens each, on a port where one is named, with a key where there is a
    /// file with one.
    ///
    /// # Errors
    /// When it is not there, or does not listen.
    pub async fn start(seats: u32, port: Option<u16>, key_file: Option<&Path>) -> Result<ModelServer> {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts");
        let mut command = Command::new("python3");
        command
            .arg(scripts.join("model_server.py"))
            .arg(model()?)
            .args(["--parallel", &seats.to_string()])
            .env("PYTHONPATH", folder(&scripts).await?)
            .env("OMP_WAIT_POLICY", "passive");
        if let Some(port) = port {
            command.args(["--port", &port.to_string()]);
        }
        if let Some(path) = key_file {
            command.arg("--key-file").arg(path);
        }
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("python3 does not start")?;
        let leash = process.stdin.take();
        let stdout = process.stdout.take().context("it has no output")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = timeout(START_BOUND, lines.next_line())
            .await
            .context("the model server does not listen")??;
        let said: serde_json::Value = serde_json::from_str(&line.context("the model server ended")?)?;
        Ok(ModelServer {
            url: said["url"].as_str().context("no url")?.to_owned(),
            process,
            _leash: leash,
        })
    }

    /// Its port.
    pub fn port(&self) -> Option<u16> {
        let (_, port) = self.url.strip_suffix("/v1")?.rsplit_once(':')?;
        port.parse().ok()
    }

    /// Stops it where it is; connections stay open.
    ///
    /// # Errors
    /// When there is no process any more.
    pub async fn freeze(&self) -> Result<()> {
        let pid = self.process.id().context("it has ended")?;
        let done = Command::new("kill")
            .args(["-STOP", &pid.to_string()])
            .status()
            .await?;
        ensure!(done.success(), "it can't be stopped");
        Ok(())
    }

    /// Ends it at once, as a crash does.
    ///
    /// # Errors
    /// The kernel's.
    pub async fn kill(&mut self) -> Result<()> {
        Ok(self.process.kill().await?)
    }

    /// Ends it at once, and does not wait.
    ///
    /// # Errors
    /// The kernel's.
    pub fn begin_kill(&mut self) -> Result<()> {
        Ok(self.process.start_kill()?)
    }
}

async fn folder(scripts: &Path) -> Result<PathBuf> {
    let asked = Command::new(scripts.join("model-server.sh"))
        .arg("--where")
        .output()
        .await?;
    let folder = PathBuf::from(String::from_utf8(asked.stdout)?.trim());
    ensure!(
        folder.is_dir(),
        "the model server is not at {}: run scripts/model-server.sh, or ./test, which does",
        folder.display()
    );
    Ok(folder)
}
