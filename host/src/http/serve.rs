//! Connections: bounded in number and in the time that a request may take to arrive.
use std::{sync::Arc, time::Duration};

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

/// Connections at a time; the next one waits.
const CONNECTIONS: usize = 64;
/// How long the head of a request may take.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
/// How long answers may take that are under way at the end.
const END_LIMIT: Duration = Duration::from_secs(1);
/// A port that can't be accepted from, say because no file descriptor is left, is asked again so late.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

pub(super) async fn serve(listener: TcpListener, router: Router, mut ended: watch::Receiver<bool>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            let room = room.clone().acquire_owned().await;
            (room, listener.accept().await)
        };
        let (room, accepted) = tokio::select! {
            accepted = accepted => accepted,
            _ = ended.wait_for(|ended| *ended) => break,
        };
        match accepted {
            Ok((stream, peer)) if peer.ip().is_loopback() => {
                let (router, ended) = (router.clone(), ended.clone());
                connections.spawn(async move {
                    connection(stream, router, ended).await;
                    drop(room);
                });
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "no connection can be taken over HTTP");
                sleep(ACCEPT_AGAIN).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    let _ = timeout(END_LIMIT * 2, connections.join_all()).await;
}

async fn connection(stream: TcpStream, router: Router, mut ended: watch::Receiver<bool>) {
    let mut http = Builder::new(TokioExecutor::new()).http1_only();
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT);
    let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // Whoever breaks off has nothing to be told.
        _ = connection.as_mut() => return,
        _ = ended.wait_for(|ended| *ended) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(END_LIMIT, connection).await;
}
