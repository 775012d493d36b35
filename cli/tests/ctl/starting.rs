//! Where a command needs a host and none runs, one is started, and said.
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use autopilot_host::{
    config::{Chain, Config},
    home::Home,
    secrets::{Key, SecretString, Secrets},
};
use tempfile::TempDir;

use super::support::{Ran, command, ran};

/// A home folder that was set up, and a program in the wallet's place that never begins. A host that is left is stopped.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::Builder::new().prefix("ap").tempdir_in("/tmp").unwrap();
        let place = Place { folder };
        let home = Home::open(&place.home()).unwrap();
        let config = Config {
            chain: Chain::Esplora {
                url: "http://127.0.0.1:1".into(),
            },
            ..Config::bare("regtest")
        };
        config.write(&home.config_file()).unwrap();
        let wallet = place.folder.path().join("walletd");
        fs::write(&wallet, "#!/bin/sh\nexit 1\n").unwrap();
        fs::set_permissions(&wallet, fs::Permissions::from_mode(0o755)).unwrap();
        place
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("h")
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = command(&self.home(), arguments);
        command.env("AUTOPILOT_WALLETD", self.folder.path().join("walletd"));
        ran(command.output().unwrap())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.run(&["--no-start", "stop"]);
        gone(&self.home().join("run/control.sock"));
    }
}

fn gone(path: &Path) -> bool {
    let deadline = Instant::now() + Duration::from_secs(20);
    while path.exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    !path.exists()
}

#[test]
fn a_host_is_started_once_and_said() {
    let place = Place::new();
    for arguments in [
        &["--no-start", "status", "--json"][..],
        &["wait", "provider-online", "--timeout", "1", "--json"],
        &["stop", "--json"],
    ] {
        let ran = place.run(arguments);
        assert_eq!(
            (ran.exit, ran.error_code().as_str()),
            (3, "unreachable"),
            "{}",
            ran.stderr
        );
        assert!(!ran.stderr.contains("starting"), "{}", ran.stderr);
    }
    let first = place.run(&["policy", "get", "--json"]);
    assert_eq!(first.exit, 0, "{}", first.stderr);
    assert!(
        first.stderr.contains("no host is running: starting one"),
        "{}",
        first.stderr
    );
    assert!(first.json()["policy"].is_object());
    let second = place.run(&["status", "--json"]);
    assert_eq!((second.exit, second.stderr.as_str()), (0, ""));
    assert!(place.home().join("run/control.json").exists());
    assert!(fs::metadata(place.home().join("logs/host.log")).is_ok());
    assert_eq!(place.run(&["stop"]).exit, 0);
    assert!(gone(&place.home().join("run/control.json")));
}

#[test]
fn commands_at_once_start_one_host() {
    let place = Place::new();
    let all: Vec<Ran> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| place.run(&["policy", "get", "--json"])))
            .collect();
        handles.into_iter().map(|handle| handle.join().unwrap()).collect()
    });
    assert!(
        all.iter().all(|ran| ran.exit == 0),
        "{:?}",
        all.iter().map(|ran| &ran.stderr).collect::<Vec<_>>()
    );
    let started = all
        .iter()
        .filter(|ran| ran.stderr.contains("starting one"))
        .count();
    assert_eq!(started, 1);
}

#[test]
fn a_locked_identity_is_said() {
    let place = Place::new();
    let home = Home::open(&place.home()).unwrap();
    let key = Key::Typed(SecretString::from("correct horse battery staple".to_owned()));
    Secrets::open_or_create(&home, &key).unwrap();
    let ran = place.run(&["status", "--json"]);
    assert_eq!(
        (ran.exit, ran.error_code().as_str()),
        (11, "passphrase-needed"),
        "{}",
        ran.stderr
    );
    assert!(!home.control_socket().exists());
}
