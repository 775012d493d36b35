//! The parts of the program: ledger, configuration, models, processes, host, relays.
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use autopilot_host::{
    audit::Audit,
    config::{Config, Model},
    models::{self, Served, StoredModel},
};
use autopilot_proto::control::v1::{ModelRequest, RelaysRequest, StatusRequest};
use tokio::{process::Command, time::timeout};

use super::Check;
use crate::{
    connect::{call, connect},
    output::{bytes, clean_line, short},
    progress::Progress,
};

/// The processes that a host starts.
pub const PROGRAMS: [&str; 2] = ["autopilot-inference-worker", "autopilot-walletd"];
const VERSION_BOUND: Duration = Duration::from_secs(10);
const VERSION_CHARS_MAX: usize = 200;

/// Checks the ledger's end, and says when its last fact was recorded.
pub async fn ledger(home: &Path, checks: &mut Vec<Check>) -> Option<i64> {
    let head = match Audit::open(home).await {
        Ok(audit) => audit.head().await,
        Err(error) => Err(error),
    };
    match head {
        Ok(head) => {
            let detail = format!(
                "{} facts, chain {}…",
                head.sequence,
                short(&head.chain.to_string())
            );
            checks.push(Check::ok("ledger", detail));
            (head.sequence > 0).then_some(head.recorded_at_ms)
        }
        Err(error) if error.code() == "ledger-missing" => {
            checks.push(Check::warn(
                "ledger",
                "there is none yet",
                "a host makes it at its first start",
            ));
            None
        }
        Err(error) => {
            checks.push(Check::fail(
                "ledger",
                error.to_string(),
                "autopilotctl ledger verify",
            ));
            None
        }
    }
}

pub fn configuration(home: &Path) -> Check {
    match Config::read(&home.join("config.toml")) {
        Ok(config) => {
            let (network, chain) = (&config.network, config.chain.name());
            Check::ok(
                "configuration",
                format!(
                    "network {network}, {} relays, chain from {chain}",
                    config.relays.len()
                ),
            )
        }
        Err(error) => Check::warn("configuration", error.to_string(), ""),
    }
}

/// The configured model and those of the store: there, and as they were admitted. Reads each file whole.
pub fn models(home: &Path, checks: &mut Vec<Check>) {
    let configured = Config::read(&home.join("config.toml"))
        .ok()
        .and_then(|config| config.model);
    let mut files: Vec<(PathBuf, Option<[u8; 32]>)> = Vec::new();
    let has_server = matches!(configured, Some(Model::Server(_)));
    if let Some(Model::File { path, sha256, .. }) = configured {
        files.push((path, sha256.as_deref().and_then(models::sha256)));
    }
    match models::list(home) {
        Ok(stored) => {
            let others = stored
                .into_iter()
                .filter(|model| files.iter().all(|(path, _)| *path != model.path));
            let others: Vec<_> = others
                .map(|StoredModel { path, sha256, .. }| (path, sha256))
                .collect();
            files.extend(others);
        }
        Err(error) => checks.push(Check::fail("model", error.to_string(), "")),
    }
    if files.is_empty() && !has_server {
        let next = "autopilotctl model pull NAME, ADDRESS or PATH";
        checks.push(Check::warn("model", "there is none; a buyer needs none", next));
    }
    checks.extend(
        files
            .into_iter()
            .map(|(path, expected)| model_file(&path, expected)),
    );
}

/// The configured model server: whether it answers, and with which model.
pub async fn model_server(home: &Path, checks: &mut Vec<Check>) {
    let Some(served) = models::served(home).await else {
        return;
    };
    let Served { url, chosen, offered } = served;
    checks.push(match chosen {
        Ok((name, 0)) => Check::warn(
            "model server",
            format!("{url} serves {}, and does not tell its context length", clean_line(&name)),
            "say context_tokens under [model] in config.toml, or a long prompt may be cut there without a word",
        ),
        Ok((name, n_ctx)) => Check::ok(
            "model server",
            format!(
                "{url} serves {} with {n_ctx} tokens of context, {} models in all",
                clean_line(&name),
                offered.len()
            ),
        ),
        Err((problem, next)) => Check::fail("model server", clean_line(&problem), next),
    });
}

fn model_file(path: &Path, expected: Option<[u8; 32]>) -> Check {
    let shown = path.display();
    let size = match std::fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) => return Check::fail("model", format!("{shown}: {error}"), "autopilotctl model pull"),
    };
    let mut progress = Progress::new();
    let found = models::digest_of(path, |done| progress.count("reading the model", done, size));
    drop(progress);
    match (found, expected) {
        (Err(error), _) => Check::fail("model", format!("{shown}: {error}"), "autopilotctl model pull"),
        (Ok(found), Some(expected)) if found != expected => Check::fail(
            "model",
            format!(
                "{shown} is not the file that was admitted (SHA-256 {}…)",
                short(&models::hex(found))
            ),
            "remove it and pull it again: autopilotctl model pull",
        ),
        (Ok(found), Some(_)) => Check::ok(
            "model",
            format!(
                "{shown}, {}, SHA-256 {}… as admitted",
                bytes(size),
                short(&models::hex(found))
            ),
        ),
        (Ok(found), None) => {
            let digest = short(&models::hex(found));
            Check::ok(
                "model",
                format!(
                    "{shown}, {}, SHA-256 {digest}… (none to compare with)",
                    bytes(size)
                ),
            )
        }
    }
}

/// Where a program of ours is: the wallet's in `AUTOPILOT_WALLETD`, each in `AUTOPILOT_BIN_DIR`, else beside this one.
fn find(program: &str) -> Result<PathBuf, PathBuf> {
    let named = std::env::var_os("AUTOPILOT_WALLETD").map(PathBuf::from);
    if let Some(path) = named.filter(|path| program == PROGRAMS[1] && path.is_file()) {
        return Ok(path);
    }
    let beside = || std::env::current_exe().ok()?.parent().map(Path::to_owned);
    let folder = std::env::var_os("AUTOPILOT_BIN_DIR")
        .map(PathBuf::from)
        .or_else(beside)
        .unwrap_or_default();
    let path = folder.join(program);
    if path.is_file() { Ok(path) } else { Err(folder) }
}

pub async fn program(name: &'static str) -> Check {
    let path = match find(name) {
        Ok(path) => path,
        Err(folder) => {
            let next = "build it (./run does), or name its folder in AUTOPILOT_BIN_DIR";
            return Check::fail(name, format!("it is not in {}", folder.display()), next);
        }
    };
    let mut command = Command::new(&path);
    command
        .arg("--version")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    match timeout(VERSION_BOUND, command.output()).await {
        Ok(Ok(output)) if output.status.success() => {
            let text = String::from_utf8_lossy(&output.stdout);
            let version: String = clean_line(text.trim()).chars().take(VERSION_CHARS_MAX).collect();
            Check::ok(name, version)
        }
        Ok(Ok(output)) => Check::fail(
            name,
            format!("{} ended with {}", path.display(), output.status),
            "build it anew",
        ),
        Ok(Err(error)) => Check::fail(
            name,
            format!("{} can't be run: {error}", path.display()),
            "build it anew",
        ),
        Err(_) => Check::fail(name, "it does not tell its version in time", "build it anew"),
    }
}

/// What only a running host knows.
pub async fn host(home: &Path, checks: &mut Vec<Check>) {
    let mut client = match connect(home).await {
        Ok(client) => client,
        Err(failure) => {
            checks.push(Check::warn(
                "host",
                failure.message,
                failure.next.unwrap_or_default(),
            ));
            return;
        }
    };
    match call(client.status(StatusRequest {})).await {
        Ok(status) => {
            let wallet = if status.wallet_connected {
                "wallet connected"
            } else {
                "wallet not connected"
            };
            let detail = format!(
                "{}, {}, {wallet}, version {}",
                status.state, status.network, status.version
            );
            let ours = env!("CARGO_PKG_VERSION");
            checks.push(match status.version == ours {
                true => Check::ok("host", detail),
                false => Check::warn(
                    "host",
                    detail,
                    format!("this program is {ours}: use both of one version"),
                ),
            });
            let blockers = status
                .blockers
                .iter()
                .map(|blocker| Check::warn("earning", blocker.clone(), ""));
            checks.extend(blockers);
            let warnings = status
                .warnings
                .iter()
                .map(|warning| Check::warn("notice", warning.clone(), ""));
            checks.extend(warnings);
        }
        Err(failure) => checks.push(Check::fail(
            "host",
            failure.message,
            failure.next.unwrap_or_default(),
        )),
    }
    match call(client.model(ModelRequest {
        action: "describe".to_owned(),
    }))
    .await
    {
        Ok(model) if model.problem.is_empty() => {
            checks.push(Check::ok(
                "model served",
                format!("{} {}", model.state, model.name),
            ));
        }
        Ok(model) => checks.push(Check::warn(
            "model served",
            model.problem,
            "autopilotctl model warm",
        )),
        Err(failure) => checks.push(Check::warn("model served", failure.message, "")),
    }
    match call(client.relays(RelaysRequest {})).await {
        Ok(reply) => checks.extend(reply.relays.into_iter().map(|relay| match relay.state.as_str() {
            "connected" => Check::ok("relay", relay.relay),
            state => {
                let detail = format!("{} {state}: {}", relay.relay, relay.last_error);
                Check::warn("relay", detail, "it is tried again; others are used meanwhile")
            }
        })),
        Err(failure) => checks.push(Check::warn("relay", failure.message, "")),
    }
}
