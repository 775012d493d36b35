//! A bound on how often something is asked: a bucket that fills at a pace.
use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

/// Room for a burst, refilled evenly.
pub(super) struct Bucket {
    burst: f64,
    per_s: f64,
    level: Mutex<(f64, Instant)>,
}

impl Bucket {
    /// A full one.
    pub(super) fn new(burst: u32, per_s: u32, now: Instant) -> Bucket {
        Bucket {
            burst: burst.into(),
            per_s: per_s.into(),
            level: Mutex::new((burst.into(), now)),
        }
    }

    /// Takes one, if there is one.
    pub(super) fn take(&self, now: Instant) -> bool {
        let mut level = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, since) = *level;
        let filled = now.saturating_duration_since(since).as_secs_f64() * self.per_s;
        let left = (left + filled).min(self.burst);
        let takes = left >= 1.0;
        *level = (if takes { left - 1.0 } else { left }, now);
        takes
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_pace() {
        let start = Instant::now();
        let bucket = Bucket::new(3, 2, start);
        let taken = |at: Duration| (0..5).filter(|_| bucket.take(start + at)).count();
        assert_eq!(taken(Duration::ZERO), 3);
        assert_eq!(taken(Duration::from_millis(400)), 0);
        assert_eq!(taken(Duration::from_millis(1_000)), 2);
        assert_eq!(
            taken(Duration::from_secs(3_600)),
            3,
            "no more than a burst is saved up"
        );
    }
}
