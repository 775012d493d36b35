//! What ends the program beside its window: a signal, and the end of standard input where somebody holds it by that.
use std::io::Read;

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

/// Done when the program is to end.
pub async fn asked(leash: bool) {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = closed(), if leash => {}
    }
}

/// Done when standard input closes. A thread of its own reads it: a read can't be cancelled, and nothing may wait for it.
async fn closed() {
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || {
        let mut rest = [0; 256];
        let mut stdin = std::io::stdin();
        while stdin.read(&mut rest).is_ok_and(|bytes| bytes > 0) {}
        let _ = tell.send(());
    });
    let _ = told.await;
}
