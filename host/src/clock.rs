//! The real clock. It is read here and handed in; nothing below this floor reads one.
use std::{
    sync::Mutex,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use nix::time::{ClockId, clock_gettime};

/// A jump of this much is told: requests that are dated further off are refused, so nothing is earned meanwhile.
const JUMP_MS: i64 = 600_000;
/// A jump is told for so long; then the clock counts as set right.
const TOLD_FOR_MS: i64 = 900_000;

/// Milliseconds since the Unix epoch.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The day of a moment (UTC), e.g. `2026-11-20`.
pub fn date(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms)
        .unwrap_or_default()
        .strftime("%Y-%m-%d")
        .to_string()
}

/// Seconds since the Unix epoch.
pub fn now_s() -> u64 {
    u64::try_from(now_ms() / 1_000).unwrap_or(0)
}

/// Milliseconds since the machine was started, sleep included: what nobody sets.
fn since_boot_ms() -> i64 {
    let since = clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from);
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The difference between clock and boot that counts as right, and since when another one is seen.
struct Baseline {
    begun_ms: i64,
    off_since_ms: Option<i64>,
}

/// What is wrong with the clock: it stands before the ledger's last fact, or it jumped ahead while this program ran.
/// `recorded_at_ms` is the time of the last fact.
pub fn problem(recorded_at_ms: i64) -> Option<String> {
    static BASELINE: Mutex<Option<Baseline>> = Mutex::new(None);
    let (now, boot) = (now_ms(), since_boot_ms());
    let Ok(mut kept) = BASELINE.lock() else {
        return None;
    };
    let baseline = kept.get_or_insert(Baseline {
        begun_ms: now - boot,
        off_since_ms: None,
    });
    let jumped = baseline.jumped_ms(now, boot);
    judge(recorded_at_ms - now, jumped)
}

impl Baseline {
    /// How far the clock jumped. What stays so for a while is taken for a clock that was set right.
    fn jumped_ms(&mut self, now_ms: i64, boot_ms: i64) -> i64 {
        let jumped = now_ms - boot_ms - self.begun_ms;
        if jumped.abs() <= JUMP_MS {
            self.off_since_ms = None;
            return jumped;
        }
        let since = *self.off_since_ms.get_or_insert(boot_ms);
        if boot_ms - since > TOLD_FOR_MS {
            (self.begun_ms, self.off_since_ms) = (now_ms - boot_ms, None);
            return 0;
        }
        jumped
    }
}

fn judge(behind_ms: i64, jumped_ms: i64) -> Option<String> {
    let minutes = |ms: i64| ms.abs() / 60_000;
    match (behind_ms, jumped_ms) {
        (behind, _) if behind > JUMP_MS => Some(format!(
            "the clock stands {} min before the last fact: if it is wrong, set it (timedatectl set-ntp true); if it was wrong before and is right now, requests seem to have run out until it has caught up",
            minutes(behind)
        )),
        (_, jumped) if jumped > JUMP_MS => Some(format!(
            "the clock jumped ahead by {} min while this program ran: if it was set right, this passes within minutes; if not, set it (timedatectl set-ntp true), for requests seem to have run out",
            minutes(jumped)
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Baseline, judge};

    #[test]
    fn a_jump_is_told_for_a_while() {
        let mut baseline = Baseline {
            begun_ms: 1_000,
            off_since_ms: None,
        };
        assert_eq!(baseline.jumped_ms(6_000, 5_000), 0);
        assert_eq!(baseline.jumped_ms(3_606_000, 5_000), 3_600_000);
        assert_eq!(baseline.jumped_ms(4_505_000, 904_000), 3_600_000);
        assert_eq!(baseline.jumped_ms(4_507_000, 906_000), 0);
        assert_eq!(baseline.jumped_ms(4_508_000, 907_000), 0);
        assert_eq!(baseline.jumped_ms(908_000, 907_000), -3_600_000);
    }

    #[test]
    fn a_jump_of_an_hour_either_way_is_told_and_less_is_not() {
        assert_eq!(judge(0, 0), None);
        assert_eq!(judge(599_000, -599_000), None);
        assert!(
            judge(3_600_000, -3_600_000)
                .unwrap()
                .contains("60 min before the last fact")
        );
        assert!(judge(-3_600_000, 3_600_000).unwrap().contains("ahead by 60 min"));
        // A clock that was set right after it was ahead, with no fact of that time, is no problem.
        assert_eq!(judge(-5_000, -3_600_000), None);
    }
}
