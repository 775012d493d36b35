//! What the host costs, measured over a moment; and what a window says of its own frames. In memory only.
use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use autopilot_proto::control::v1 as pb;
use nix::sys::resource::{UsageWho, getrusage};
use tonic::Status;

use super::{Service, errors, views::basis};

/// Longest moment that is measured, milliseconds.
const OVER_MS_MAX: u64 = 60_000;

/// What is counted while the host runs.
#[derive(Debug)]
pub(crate) struct Meters {
    begun: Instant,
    watchers: AtomicU32,
    frames: Mutex<Option<(Instant, pb::Frames)>>,
}

impl Default for Meters {
    fn default() -> Self {
        Meters {
            begun: Instant::now(),
            watchers: AtomicU32::new(0),
            frames: Mutex::new(None),
        }
    }
}

impl Meters {
    /// One more watcher, for as long as this is held.
    pub(super) fn watcher(self: &std::sync::Arc<Self>) -> Watcher {
        self.watchers.fetch_add(1, Ordering::Relaxed);
        Watcher(self.clone())
    }
}

/// Somebody who watches views.
pub(super) struct Watcher(std::sync::Arc<Meters>);

impl Drop for Watcher {
    fn drop(&mut self) {
        self.0.watchers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Service {
    pub(super) async fn answer_perf(&self, request: pb::PerfRequest) -> Result<pb::PerfReply, Status> {
        if request.over_ms > OVER_MS_MAX {
            return Err(errors::invalid(
                "a minute is measured at most: over_ms up to 60,000",
            ));
        }
        let (before, begun) = (self.outside.ledger.head().borrow().sequence, Instant::now());
        let cpu_before_ms = cpu_ms();
        tokio::time::sleep(Duration::from_millis(request.over_ms)).await;
        let over_ms = ms(begun.elapsed());
        let used_ms = cpu_ms().saturating_sub(cpu_before_ms);
        let facts = self
            .outside
            .ledger
            .head()
            .borrow()
            .sequence
            .saturating_sub(before);
        let latency = self.outside.ledger.pace().latency();
        let mut model_bytes = 0;
        for engine in self.outside.engines() {
            model_bytes += engine.health().await.resident_bytes;
        }
        let frames = *self.meters.frames.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(pb::PerfReply {
            basis: Some(self.look(|engine| basis(engine, "local")).await?),
            over_ms,
            uptime_ms: ms(self.meters.begun.elapsed()),
            rss_bytes: kibibytes("VmRSS:"),
            peak_rss_bytes: kibibytes("VmHWM:"),
            threads: number("Threads:"),
            cpu_ms: cpu_ms(),
            cpu_permille: permille(used_ms, over_ms),
            facts,
            facts_per_minute: facts.saturating_mul(60_000).checked_div(over_ms).unwrap_or(0),
            commits: latency.map(|latency| pb::Commits {
                all: latency.all,
                p50_us: latency.p50_us,
                p95_us: latency.p95_us,
                max_us: latency.max_us,
            }),
            watchers: self.meters.watchers.load(Ordering::Relaxed),
            model_bytes,
            frames: frames.map(|(at, frames)| pb::Frames {
                age_ms: ms(at.elapsed()),
                ..frames
            }),
        })
    }

    pub(super) async fn answer_report_frames(&self, frames: pb::Frames) -> Result<pb::FramesReply, Status> {
        let mut kept = self.meters.frames.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = Some((Instant::now(), frames));
        Ok(pb::FramesReply {})
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn permille(used_ms: u64, over_ms: u64) -> u64 {
    used_ms.saturating_mul(1_000).checked_div(over_ms).unwrap_or(0)
}

/// Processor time of this process so far, its threads together.
fn cpu_ms() -> u64 {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
        return 0;
    };
    let ms = |time: nix::sys::time::TimeVal| time.tv_sec().saturating_mul(1_000) + time.tv_usec() / 1_000;
    u64::try_from(ms(usage.user_time()) + ms(usage.system_time())).unwrap_or(0)
}

fn kibibytes(key: &str) -> u64 {
    number(key).saturating_mul(1_024)
}

/// A figure of the kernel about this process; 0 where it does not say.
fn number(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_figures_and_watchers_are_counted() {
        assert!(kibibytes("VmRSS:") > 0 && number("Threads:") > 0);
        assert_eq!((permille(500, 1_000), permille(1, 0)), (500, 0));
        let meters = std::sync::Arc::new(Meters::default());
        let (one, two) = (meters.watcher(), meters.watcher());
        assert_eq!(meters.watchers.load(Ordering::Relaxed), 2);
        drop((one, two));
        assert_eq!(meters.watchers.load(Ordering::Relaxed), 0);
    }
}
