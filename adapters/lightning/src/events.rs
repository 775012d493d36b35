//! The wallet's events as a channel that never gives up: it connects again, and repeats what is not acknowledged.
use std::time::Duration;

use autopilot_core::ports::wallet::WalletEvent;
use autopilot_proto::wallet::v1 as rpc;
use tokio::sync::mpsc;

use crate::{WalletClient, convert};

/// Between tries to reach a wallet process that is gone: its successor listens on the same socket.
const RETRY: Duration = Duration::from_millis(250);

pub(crate) fn follow(client: WalletClient) -> mpsc::Receiver<WalletEvent> {
    let (sender, receiver) = mpsc::channel(8);
    tokio::spawn(async move {
        while !sender.is_closed() {
            if let Ok(stream) = client.rpc().events(rpc::EventsRequest {}).await {
                forward(stream.into_inner(), &sender).await;
            }
            tokio::select! {
                () = tokio::time::sleep(RETRY) => {}
                () = sender.closed() => return,
            }
        }
    });
    receiver
}

/// Until the stream or the receiver ends.
async fn forward(mut stream: tonic::Streaming<rpc::Event>, sender: &mpsc::Sender<WalletEvent>) {
    loop {
        let message = tokio::select! {
            message = stream.message() => message,
            () = sender.closed() => return,
        };
        match message {
            Ok(Some(event)) => match convert::event(event) {
                Ok(event) => {
                    if sender.send(event).await.is_err() {
                        return;
                    }
                }
                Err(error) => tracing::error!(%error, "the wallet sent an event that cannot be read"),
            },
            Ok(None) | Err(_) => return,
        }
    }
}
