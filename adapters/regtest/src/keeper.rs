//! One thread per node that owns the process. The kernel kills the node when the thread that started it ends, so a
//! test that is itself killed leaves no bitcoind behind; and the thread, unlike a test's, lives exactly as long as the
//! node.

use std::{
    io,
    process::{Child, Command, ExitStatus},
    sync::mpsc,
    thread::{self, JoinHandle},
    time::Duration,
};

enum Order {
    Kill,
    HasEnded(mpsc::SyncSender<bool>),
    WaitEnd(Duration, mpsc::SyncSender<bool>),
}

/// A running process; dropping it kills and reaps it.
#[derive(Debug)]
pub(crate) struct Keeper {
    orders: mpsc::Sender<Order>,
    thread: Option<JoinHandle<()>>,
    pid: u32,
}

impl Keeper {
    /// Starts the command so that it ends with this keeper, however that ends.
    pub(crate) fn spawn(command: Command) -> io::Result<Self> {
        let (orders, inbox) = mpsc::channel();
        let (started, start) = mpsc::sync_channel(1);
        let thread = thread::Builder::new()
            .name("bitcoind-keeper".into())
            .spawn(move || match with_parent_death(&command).spawn() {
                Ok(child) => {
                    let _ = started.send(Ok(child.id()));
                    keep(child, &inbox);
                }
                Err(error) => {
                    let _ = started.send(Err(error));
                }
            })?;
        let pid = start
            .recv()
            .map_err(|_| io::Error::other("the keeper thread ended"))??;
        Ok(Self {
            orders,
            thread: Some(thread),
            pid,
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ask(Order::HasEnded)
    }

    /// Waits for the process to end by itself; false when it still ran at the limit.
    pub(crate) fn wait_end(&self, limit: Duration) -> bool {
        self.ask(|answer| Order::WaitEnd(limit, answer))
    }

    fn ask(&self, order: impl FnOnce(mpsc::SyncSender<bool>) -> Order) -> bool {
        let (answer, result) = mpsc::sync_channel(1);
        // A keeper that is gone has reaped its process.
        self.orders.send(order(answer)).is_err() || result.recv().unwrap_or(true)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::Kill);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// `setpriv` (util-linux, on every Debian and Ubuntu) asks the kernel for a SIGKILL when the starting thread ends.
fn with_parent_death(command: &Command) -> Command {
    let mut wrapped = Command::new("setpriv");
    wrapped
        .args(["--pdeathsig", "KILL", "--"])
        .arg(command.get_program())
        .args(command.get_args());
    wrapped
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    wrapped
}

fn keep(mut child: Child, inbox: &mpsc::Receiver<Order>) {
    loop {
        match inbox.recv() {
            Ok(Order::HasEnded(answer)) => {
                let _ = answer.send(ended(&mut child).is_some());
            }
            Ok(Order::WaitEnd(limit, answer)) => {
                let steps = limit.as_millis() / 20;
                let done = (0..steps).any(|_| {
                    let done = ended(&mut child).is_some();
                    if !done {
                        thread::sleep(Duration::from_millis(20));
                    }
                    done
                });
                let _ = answer.send(done);
            }
            Ok(Order::Kill) | Err(_) => break,
        }
    }
    let _ = child.kill();
    let _ = child.wait();
}

fn ended(child: &mut Child) -> Option<ExitStatus> {
    child.try_wait().ok().flatten()
}
