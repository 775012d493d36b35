//! The tailnet of this machine, as the program `tailscale` tells it. Nothing rests on it: it is only shown.
use std::{collections::BTreeMap, io, process::Stdio, time::Duration};

use serde::Deserialize;
use tokio::{io::AsyncReadExt, process::Command, time::timeout};

/// How long the program may take.
const LIMIT: Duration = Duration::from_secs(3);
/// Most that it may say, bytes.
const OUTPUT_BYTES_MAX: u64 = 1 << 20;
/// Most of its words that are shown when it fails, letters.
const WORDS_MAX: usize = 200;

/// What is known of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Tailnet {
    /// It was not looked at yet.
    #[default]
    Unknown,
    /// There is no program `tailscale`.
    NotInstalled,
    /// It can't be seen, in words.
    Trouble(String),
    /// As it was seen.
    Seen(Seen),
}

/// The tailnet as it was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Its name; empty where this machine is in none.
    pub name: String,
    /// The program's own word: `Running`, `Stopped`, `NeedsLogin` …
    pub state: String,
    /// This machine first, then by name.
    pub devices: Vec<Device>,
}

/// One device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// Its name.
    pub name: String,
    /// Its operating system.
    pub os: String,
    /// Its first address.
    pub address: String,
    /// Whether it is online.
    pub online: bool,
    /// This machine.
    pub this: bool,
    /// When it was seen last, milliseconds since the Unix epoch; none while it is online, or where it is not known.
    pub last_seen_ms: Option<i64>,
}

impl Seen {
    /// Whether this machine takes part.
    pub fn is_up(&self) -> bool {
        self.state == "Running"
    }

    /// The state in words.
    pub fn state_words(&self) -> String {
        match self.state.as_str() {
            "NeedsLogin" => "not logged in".to_owned(),
            "NeedsMachineAuth" => "waiting for its approval".to_owned(),
            "NoState" | "" => "not started".to_owned(),
            other => other.to_lowercase(),
        }
    }
}

/// Asks the program on the path.
pub async fn look() -> Tailnet {
    ask("tailscale").await
}

async fn ask(program: &str) -> Tailnet {
    match timeout(LIMIT, run(program)).await {
        Ok(Ok(output)) => read(&output),
        Ok(Err(Failed::Missing)) => Tailnet::NotInstalled,
        Ok(Err(Failed::Because(words))) => Tailnet::Trouble(words),
        // The process is killed with the future that held it.
        Err(_) => Tailnet::Trouble(format!("tailscale did not answer within {} s", LIMIT.as_secs())),
    }
}

enum Failed {
    Missing,
    Because(String),
}

async fn run(program: &str) -> Result<Vec<u8>, Failed> {
    let because = |error: io::Error| Failed::Because(format!("tailscale can't be asked: {error}"));
    let mut process = Command::new(program)
        .args(["status", "--json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Failed::Missing,
            _ => because(error),
        })?;
    let (Some(stdout), Some(stderr)) = (process.stdout.take(), process.stderr.take()) else {
        return Err(Failed::Because("tailscale has no output".to_owned()));
    };
    let (mut output, mut words) = (Vec::new(), Vec::new());
    let read = stdout.take(OUTPUT_BYTES_MAX + 1).read_to_end(&mut output).await;
    read.map_err(because)?;
    if output.len() as u64 > OUTPUT_BYTES_MAX {
        return Err(Failed::Because(format!(
            "tailscale said more than {} MiB, which is no answer",
            OUTPUT_BYTES_MAX >> 20
        )));
    }
    // Whoever fills both pipes is out of time instead.
    let _ = stderr.take(OUTPUT_BYTES_MAX).read_to_end(&mut words).await;
    let status = process.wait().await.map_err(because)?;
    match status.success() || !output.is_empty() {
        true => Ok(output),
        false => {
            let words: String = String::from_utf8_lossy(&words).chars().take(WORDS_MAX).collect();
            let first = words.lines().next().unwrap_or_default().trim().to_owned();
            Err(Failed::Because(format!("tailscale failed ({status}): {first}")))
        }
    }
}

/// What is used of the answer; what a newer program adds is passed over.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Status {
    backend_state: String,
    #[serde(rename = "Self")]
    this: Option<Node>,
    current_tailnet: Option<Net>,
    #[serde(default)]
    peer: Option<BTreeMap<String, Node>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Net {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Node {
    host_name: String,
    #[serde(rename = "DNSName")]
    dns_name: String,
    #[serde(rename = "OS")]
    os: String,
    #[serde(rename = "TailscaleIPs")]
    addresses: Option<Vec<String>>,
    online: bool,
    last_seen: String,
}

fn read(output: &[u8]) -> Tailnet {
    let status: Status = match serde_json::from_slice(output) {
        Ok(status) => status,
        Err(error) => return Tailnet::Trouble(format!("tailscale's answer can't be read: {error}")),
    };
    let mut devices: Vec<Device> = status
        .peer
        .unwrap_or_default()
        .into_values()
        .map(|node| device(node, false))
        .collect();
    devices.sort_by(|one, other| one.name.cmp(&other.name));
    devices.splice(0..0, status.this.map(|node| device(node, true)));
    Tailnet::Seen(Seen {
        name: status.current_tailnet.map(|net| net.name).unwrap_or_default(),
        state: status.backend_state,
        devices,
    })
}

fn device(node: Node, this: bool) -> Device {
    // The first label of the name that others reach it by; phones all have the same host name.
    let label = node.dns_name.split('.').next().unwrap_or_default().to_owned();
    let seen = node.last_seen.parse::<jiff::Timestamp>().ok();
    let seen_ms = seen.map(jiff::Timestamp::as_millisecond).filter(|ms| *ms > 0);
    Device {
        name: if label.is_empty() { node.host_name } else { label },
        os: node.os,
        address: node
            .addresses
            .and_then(|all| all.into_iter().next())
            .unwrap_or_default(),
        online: node.online,
        this,
        last_seen_ms: seen_ms.filter(|_| !node.online),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt, time::Instant};

    use super::*;

    /// As tailscale 1.7x answers, shortened; names and keys are made up.
    const ANSWER: &str = r#"{
      "Version": "1.76.6-t1edcf9d46", "TUN": true, "BackendState": "Running", "HaveNodeKey": true,
      "Self": {"ID": "n1", "PublicKey": "nodekey:aa", "HostName": "tower", "DNSName": "tower.tail1234.ts.net.",
        "OS": "linux", "UserID": 1, "TailscaleIPs": ["100.64.0.1", "fd7a:115c:a1e0::1"], "Online": true,
        "LastSeen": "0001-01-01T00:00:00Z"},
      "MagicDNSSuffix": "tail1234.ts.net",
      "CurrentTailnet": {"Name": "someone@example.com", "MagicDNSSuffix": "tail1234.ts.net", "MagicDNSEnabled": true},
      "Peer": {
        "nodekey:bb": {"HostName": "localhost", "DNSName": "phone.tail1234.ts.net.", "OS": "android",
          "TailscaleIPs": ["100.64.0.3"], "Online": false, "LastSeen": "2026-01-02T03:04:05.6Z"},
        "nodekey:cc": {"HostName": "laptop", "DNSName": "laptop.tail1234.ts.net.", "OS": "macOS",
          "TailscaleIPs": null, "Online": true, "LastSeen": "0001-01-01T00:00:00Z"}
      }, "User": {"1": {"ID": 1}}}"#;

    async fn asked(script: &str) -> Tailnet {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tailscale");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        ask(path.to_str().unwrap()).await
    }

    fn trouble(seen: Tailnet) -> String {
        match seen {
            Tailnet::Trouble(words) => words,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn devices_are_seen_and_this_one_is_first() {
        let script = format!("[ \"$*\" = 'status --json' ] && cat <<'END'\n{ANSWER}\nEND");
        let Tailnet::Seen(seen) = asked(&script).await else {
            panic!("it answers")
        };
        assert!(seen.is_up() && seen.name == "someone@example.com");
        let names: Vec<_> = seen
            .devices
            .iter()
            .map(|device| (device.name.as_str(), device.online))
            .collect();
        assert_eq!(names, [("tower", true), ("laptop", true), ("phone", false)]);
        assert!(seen.devices[0].this && seen.devices[0].last_seen_ms.is_none());
        assert_eq!(seen.devices[2].last_seen_ms, Some(1_767_323_045_600));
    }

    #[tokio::test]
    async fn what_is_no_answer_is_said() {
        assert_eq!(ask("/no/such/tailscale").await, Tailnet::NotInstalled);
        assert!(trouble(asked("echo '{\"BackendState\": 7'").await).contains("can't be read"));
        assert!(trouble(asked("echo 'not allowed' >&2; exit 1").await).contains("not allowed"));
        let stopped = asked("echo '{\"BackendState\":\"NeedsLogin\"}'; exit 1").await;
        let Tailnet::Seen(seen) = stopped else {
            panic!("it answers")
        };
        assert_eq!(
            (seen.is_up(), seen.state_words().as_str()),
            (false, "not logged in")
        );
    }

    #[tokio::test]
    async fn a_hang_and_a_flood_are_bounded() {
        let begun = Instant::now();
        assert!(trouble(asked("exec sleep 60").await).contains("did not answer within 3 s"));
        assert!(trouble(asked("exec yes").await).contains("more than 1 MiB"));
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
}
