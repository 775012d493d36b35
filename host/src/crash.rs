//! Named crash points, for tests: `AUTOPILOT_CRASH=host@commit.after/job.accepted` kills a process with SIGKILL the
//! first time this run passes that point. Without the variable every point is one comparison with nothing.
//!
//! Points are `commit.before/<fact>`, `commit.after/<fact>`, `effect.before/<effect>`, `effect.after/<effect>`, and
//! `effect.during/run` and `effect.during/answer` at the first piece of a model's output.
//! Targets are `host`, `wallet` and `worker`; and `disk`, which kills nobody: it fills the file system that holds the
//! file named in `AUTOPILOT_CRASH_BALLAST`.
use std::{
    io::Write,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicI32, Ordering},
    },
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// This process.
    Host,
    /// The wallet process.
    Wallet,
    /// The inference worker.
    Worker,
    /// Nobody: the disk is filled.
    Disk,
}

struct Plan {
    target: Target,
    point: String,
    fired: AtomicBool,
}

static WALLET_PID: AtomicI32 = AtomicI32::new(0);
static WORKER_PID: AtomicI32 = AtomicI32::new(0);

fn plan() -> Option<&'static Plan> {
    static PLAN: OnceLock<Option<Plan>> = OnceLock::new();
    let parse = || {
        let text = std::env::var("AUTOPILOT_CRASH").ok()?;
        let (target, point) = text.split_once('@')?;
        let target = match target {
            "host" => Target::Host,
            "wallet" => Target::Wallet,
            "worker" => Target::Worker,
            "disk" => Target::Disk,
            _ => return None,
        };
        Some(Plan {
            target,
            point: point.to_owned(),
            fired: AtomicBool::new(false),
        })
    };
    PLAN.get_or_init(parse).as_ref()
}

/// Tells who the wallet and worker processes are.
pub fn register(target: Target, pid: Option<u32>) {
    let pid = pid.and_then(|pid| i32::try_from(pid).ok()).unwrap_or(0);
    match target {
        Target::Host | Target::Disk => {}
        Target::Wallet => WALLET_PID.store(pid, Ordering::SeqCst),
        Target::Worker => WORKER_PID.store(pid, Ordering::SeqCst),
    }
}

/// A point of the loop: `when` is e.g. `commit.before`, `what` the fact or effect.
pub fn point(when: &str, what: &str) {
    let Some(plan) = plan() else { return };
    let here = plan
        .point
        .strip_prefix(when)
        .and_then(|rest| rest.strip_prefix('/'))
        == Some(what);
    if !here || plan.fired.swap(true, Ordering::SeqCst) {
        return;
    }
    // On a full disk nobody is told.
    let _ = writeln!(std::io::stderr(), "crash point {when}/{what}: {:?}", plan.target);
    let pid = match plan.target {
        Target::Disk => return fill(),
        Target::Host => nix::unistd::getpid(),
        Target::Wallet => Pid::from_raw(WALLET_PID.load(Ordering::SeqCst)),
        Target::Worker => Pid::from_raw(WORKER_PID.load(Ordering::SeqCst)),
    };
    if pid.as_raw() > 0 {
        // A process that is gone already is what was asked for.
        let _ = kill(pid, Signal::SIGKILL);
    }
}

/// Takes every block that is left; the error at the end is the point.
fn fill() {
    let ballast = std::env::var_os("AUTOPILOT_CRASH_BALLAST").unwrap_or_default();
    if let Ok(mut file) = std::fs::File::create(ballast) {
        while file.write(&[1; 4_096]).is_ok_and(|count| count > 0) {}
    }
}
