//! How long commits took: the newest, in memory only.
use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Commits that figures are made of, at most.
const KEPT: usize = 1_024;

/// Times of the newest commits.
#[derive(Debug, Default)]
pub struct Pace(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    all: u64,
    newest_us: VecDeque<u64>,
}

/// Figures of the newest commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    /// Commits since the start.
    pub all: u64,
    /// Half took no longer, microseconds.
    pub p50_us: u64,
    /// 95 of 100 took no longer, microseconds.
    pub p95_us: u64,
    /// The longest, microseconds.
    pub max_us: u64,
}

impl Pace {
    pub(super) fn took(&self, time: Duration) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.all += 1;
        if seen.newest_us.len() == KEPT {
            seen.newest_us.pop_front();
        }
        seen.newest_us
            .push_back(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// Figures; none before the first commit.
    pub fn latency(&self) -> Option<Latency> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sorted: Vec<u64> = seen.newest_us.iter().copied().collect();
        sorted.sort_unstable();
        let at = |share: usize| {
            sorted
                .get((sorted.len() * share).div_ceil(100).saturating_sub(1))
                .copied()
        };
        Some(Latency {
            all: seen.all,
            p50_us: at(50)?,
            p95_us: at(95)?,
            max_us: at(100)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_of_the_newest_commits() {
        let pace = Pace::default();
        assert_eq!(pace.latency(), None);
        (1..=2_000).for_each(|us| pace.took(Duration::from_micros(us)));
        let latency = pace.latency().unwrap();
        assert_eq!((latency.all, latency.max_us), (2_000, 2_000));
        assert_eq!((latency.p50_us, latency.p95_us), (976 + 512, 976 + 973));
    }
}
