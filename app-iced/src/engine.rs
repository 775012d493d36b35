//! The host, run beside the window: on threads of its own, so that a slow frame never holds up a payment.
use std::{
    io::Write,
    path::PathBuf,
    sync::{Arc, Mutex},
    thread::JoinHandle,
};

use autopilot_host::{
    desk::Desk,
    run::{self, Options, Stage},
    secrets::Key,
};
use iced::{Task, futures::StreamExt};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::UnboundedReceiverStream;

/// What the host tells of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It answers; the wallet may still be starting, and `status` says what it waits for.
    Ready,
    /// It ended in good order.
    Ended,
    /// It did not start, or had to stop: in words.
    Failed(String),
}

/// A running host. Cheap to clone; dropping the last one asks it to stop.
#[derive(Clone, Debug)]
pub struct Engine(Arc<Mutex<Running>>);

#[derive(Debug)]
struct Running {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Engine {
    /// Starts the host of a home folder. With `announced`, it says on standard output what it is once everything runs.
    pub fn start(home: PathBuf, key: Key, announced: bool) -> (Engine, Task<Event>) {
        let (tell, told) = mpsc::unbounded_channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let outcome = serve(home, key, announced, tell.clone(), stopped);
            let event = match outcome {
                Ok(()) => Event::Ended,
                Err(error) => Event::Failed(error.to_string()),
            };
            // The window may be gone already.
            let _ = tell.send(event);
        });
        let running = Running {
            stop: Some(stop),
            thread: Some(thread),
        };
        let events = Task::stream(UnboundedReceiverStream::new(told).boxed());
        (Engine(Arc::new(Mutex::new(running))), events)
    }

    /// Asks it to stop: offline first, the ledger last. [`Event::Ended`] says when it has.
    pub fn stop(&self) {
        if let Ok(mut running) = self.0.lock() {
            running.stop.take();
        }
    }

    /// Waits for its end, for a window that is closed already.
    pub fn join(&self) {
        self.stop();
        let thread = self.0.lock().ok().and_then(|mut running| running.thread.take());
        if let Some(thread) = thread {
            // A panic was told by the thread itself.
            let _ = thread.join();
        }
    }
}

fn serve(
    home: PathBuf,
    key: Key,
    announced: bool,
    tell: mpsc::UnboundedSender<Event>,
    stopped: oneshot::Receiver<()>,
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let desk = Desk::default();
    desk.set_window(true);
    let options = Options {
        desk,
        ..Options::new(home, key)
    };
    let mut stage = options.stage.subscribe();
    runtime.spawn(async move {
        let answers = |stage: &Stage| matches!(stage, Stage::Starting | Stage::Serving(_));
        if stage.wait_for(answers).await.is_ok() {
            let _ = tell.send(Event::Ready);
        }
    });
    // Told by the sender's end too: a window that is gone wants no host.
    let stop = async { drop(stopped.await) };
    let ready = |ready: run::Ready| {
        if announced && let Ok(line) = serde_json::to_string(&ready) {
            // Whoever asked for it may be gone already.
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    };
    let done = runtime.block_on(run::run(options, ready, stop));
    runtime.shutdown_background();
    Ok(done?)
}
