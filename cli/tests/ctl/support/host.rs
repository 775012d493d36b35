//! A host of a few words: real gRPC over a real socket, with answers that a test chooses.
#![allow(clippy::unwrap_used)] // In tests a panic is the verdict.

mod answers;
mod table;

use std::{
    os::unix::fs::DirBuilderExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use autopilot_proto::control::v1::{control_server::ControlServer, *};
use tokio::{net::UnixListener, sync::broadcast, task::JoinHandle};
use tokio_stream::wrappers::{ReceiverStream, UnixListenerStream};
use tonic::Status;

use answers::{answering, basis, refused};

/// What the fake knows.
#[derive(Clone)]
pub struct Host {
    pub online: Arc<AtomicBool>,
    pub paid: Arc<AtomicUsize>,
    /// What spends, done for real and not as a dry run.
    pub done: Arc<AtomicUsize>,
    pub facts: broadcast::Sender<FactLine>,
}

/// Ends the server when dropped.
pub struct Served(JoinHandle<()>);

impl Drop for Served {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub fn serve(home: &Path) -> (Host, Served) {
    let run = home.join("run");
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&run)
        .unwrap();
    let listener = UnixListener::bind(run.join("control.sock")).unwrap();
    let host = Host {
        online: Arc::default(),
        paid: Arc::default(),
        done: Arc::default(),
        facts: broadcast::channel(64).0,
    };
    let server = tonic::transport::Server::builder().add_service(ControlServer::new(host.clone()));
    let task = tokio::spawn(async move {
        server
            .serve_with_incoming(UnixListenerStream::new(listener))
            .await
            .unwrap();
    });
    (host, Served(task))
}

impl Host {
    fn count(&self, dry_run: bool) {
        self.done.fetch_add(usize::from(!dry_run), Ordering::SeqCst);
    }

    fn standing(&self) -> StatusReply {
        let online = self.online.load(Ordering::SeqCst);
        StatusReply {
            basis: basis(),
            state: if online { "online" } else { "offline" }.into(),
            blockers: if online {
                vec![]
            } else {
                vec!["no relay is connected: check the network".into()]
            },
            network: "regtest".into(),
            price_msat: 10_000,
            earned_msat: 123_456,
            ..Default::default()
        }
    }

    fn followed(&self) -> ReceiverStream<Result<FactLine, Status>> {
        let (sender, receiver) = tokio::sync::mpsc::channel(64);
        let mut facts = self.facts.subscribe();
        tokio::spawn(async move {
            while let Ok(fact) = facts.recv().await {
                if sender.send(Ok(fact)).await.is_err() {
                    return;
                }
            }
        });
        ReceiverStream::new(receiver)
    }
}

fn watched(request: &WatchRequest) -> Result<ReceiverStream<Result<WatchUpdate, Status>>, Status> {
    match request.views.as_slice() {
        [chat, tokens] if (chat.as_str(), tokens.as_str()) == ("chat", "tokens") => {
            let (sender, receiver) = tokio::sync::mpsc::channel(8);
            for update in answering() {
                sender.try_send(Ok(update)).unwrap();
            }
            Ok(ReceiverStream::new(receiver))
        }
        _ => refused("invalid-argument", "nothing is watched here"),
    }
}
