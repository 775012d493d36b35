//! A host whose wallet does not start: it answers, says why, keeps trying, and ends in order when it is asked to.
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use autopilot_host::{
    config::{Chain, Config},
    control::{Client, client},
    home::Home,
    run::{self, HostError, Options, Stage},
    secrets::Key,
};
use autopilot_proto::control::v1 as pb;
use autopilot_simchain::SimChain;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::{oneshot, watch},
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

/// Bound of one change of state; generous, since machines are shared.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Host {
    pub home: Home,
    stage: watch::Receiver<Stage>,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<Result<(), HostError>>,
    _folder: tempfile::TempDir,
}

/// A program in the wallet's place that says this and ends.
fn program(folder: &Path, says: &str) -> PathBuf {
    let path = folder.join("walletd");
    fs::write(&path, format!("#!/bin/sh\ncat <<'END'\n{says}\nEND\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

impl Host {
    pub fn start(says: &str) -> Host {
        let folder = tempfile::Builder::new().prefix("ap").tempdir_in("/tmp").unwrap();
        let walletd = program(folder.path(), says);
        let nowhere = Chain::Esplora {
            url: "http://127.0.0.1:1".into(),
        };
        Host::with(folder, nowhere, Some(walletd))
    }

    fn with(folder: tempfile::TempDir, chain: Chain, walletd: Option<PathBuf>) -> Host {
        let home = Home::open(&folder.path().join("h")).unwrap();
        let config = Config {
            chain,
            ..Config::bare("regtest")
        };
        config.write(&home.config_file()).unwrap();
        let options = Options {
            walletd,
            ..Options::new(home.path().to_owned(), Key::Own)
        };
        let stage = options.stage.subscribe();
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(run::run(options, |_| {}, async move { drop(stopped.await) }));
        Host {
            home,
            stage,
            stop: Some(stop),
            running,
            _folder: folder,
        }
    }

    pub async fn client(&mut self) -> Client {
        let starting = self.stage.wait_for(|stage| matches!(stage, Stage::Starting));
        timeout(PATIENCE, starting).await.unwrap().unwrap();
        client(&self.home.control_socket()).unwrap()
    }

    pub async fn ended(mut self) {
        timeout(PATIENCE, &mut self.running)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        assert!(matches!(*self.stage.borrow(), Stage::Ended));
        assert!(!self.home.control_socket().exists());
    }
}

/// Asks until the host says this. Nobody tells an event for each try.
async fn says(client: &mut Client, words: &str) -> pb::StatusReply {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let status = client.status(pb::StatusRequest {}).await.unwrap().into_inner();
        if status.waiting_for.contains(words) {
            return status;
        }
        assert!(Instant::now() < deadline, "nobody says {words:?}: {status:?}");
        sleep(Duration::from_millis(50)).await;
    }
}

pub const NO_BLOCKS: &str =
    r#"{"error":{"code":"chain-unreachable","message":"http://127.0.0.1:1 does not answer"}}"#;

#[tokio::test]
async fn a_wallet_that_does_not_start_is_said_and_tried_again() {
    let mut host = Host::start(NO_BLOCKS);
    let mut client = host.client().await;
    let status = says(&mut client, "127.0.0.1:1 does not answer").await;
    assert!(!status.can_earn && !status.wallet_connected);
    let refused = client.go_online(pb::GoOnlineRequest { wait_s: 0 }).await;
    assert_eq!(refused.unwrap_err().code(), tonic::Code::FailedPrecondition);
    let balance = client.balance(pb::BalanceRequest {}).await;
    assert_eq!(balance.unwrap_err().code(), tonic::Code::Unavailable);
    // Another reason is told as soon as it is the reason.
    program(host._folder.path(), "no JSON at all");
    says(&mut client, "ended before it was ready").await;
    client.stop(pb::StopRequest {}).await.unwrap();
    host.ended().await;
}

#[tokio::test]
async fn a_window_stops_a_host_that_still_starts() {
    let mut host = Host::start(NO_BLOCKS);
    let mut client = host.client().await;
    says(&mut client, "the wallet does not start").await;
    drop(host.stop.take());
    host.ended().await;
}

/// Where nobody listens yet, and later whoever passes everything on.
async fn pass_on(at: u16, to: u16) {
    let listener = TcpListener::bind(("127.0.0.1", at)).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut one, _)) = listener.accept().await {
            tokio::spawn(async move {
                if let Ok(mut other) = TcpStream::connect(("127.0.0.1", to)).await {
                    let _ = copy_bidirectional(&mut one, &mut other).await;
                }
            });
        }
    });
}

/// With the real wallet: it waits for its blocks, the host answers meanwhile, and everything serves once they come.
#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_serves_once_its_blocks_come() {
    let folder = tempfile::Builder::new().prefix("ap").tempdir_in("/tmp").unwrap();
    let blocks = folder.path().join("chain.blocks");
    let options = autopilot_simchain::Options {
        blocks: Some(&blocks),
        auto_mine: true,
    };
    let chain = SimChain::start_with(([127, 0, 0, 1], 0).into(), options)
        .await
        .unwrap();
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let later = Chain::Bitcoind {
        host: chain.host.clone(),
        port,
        user: chain.user.clone(),
        password: chain.password.clone(),
    };
    let mut host = Host::with(folder, later, None);
    let mut client = host.client().await;
    let status = says(&mut client, &format!("bitcoind, 127.0.0.1:{port}")).await;
    assert!(status.node_id.is_empty(), "nobody knows the node before it runs");
    pass_on(port, chain.port).await;
    let serving = host.stage.wait_for(|stage| matches!(stage, Stage::Serving(_)));
    timeout(PATIENCE, serving).await.unwrap().unwrap();
    let status = client.status(pb::StatusRequest {}).await.unwrap().into_inner();
    assert_eq!((status.waiting_for.as_str(), status.node_id.len()), ("", 66));
    client.stop(pb::StopRequest {}).await.unwrap();
    host.ended().await;
}
