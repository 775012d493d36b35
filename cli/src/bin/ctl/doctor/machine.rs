//! What the machine gives: folder, space, lock, clock.
use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::SystemTime};

use autopilot_cli::home::control_socket;
use autopilot_host::home::{self, MAX_SOCKET_PATH_BYTES, Writer};

use super::Check;
use crate::output::{at, bytes, duration};

const SPACE_WARN_BYTES: u64 = 1 << 30;
const SPACE_FAIL_BYTES: u64 = 64 << 20;
/// A job dated further off than this is refused, so a clock that is further off earns nothing.
const CLOCK_SKEW_MS: i64 = 600_000;
/// Before this program existed (2026-01-01).
const CLOCK_MIN_MS: i64 = 1_767_225_600_000;

pub fn folder(home: &Path) -> Check {
    let shown = home.display();
    let metadata = match fs::metadata(home) {
        Ok(metadata) if metadata.is_dir() => metadata,
        Ok(_) => {
            return Check::fail(
                "home",
                format!("{shown} is no folder"),
                "name another one with --home",
            );
        }
        Err(error) => {
            let next = "a host makes it at its first start: autopilot-headless provider --home DIR";
            return Check::fail("home", format!("{shown}: {error}"), next);
        }
    };
    match metadata.permissions().mode() & 0o777 {
        mode if mode & 0o077 != 0 => {
            let detail = format!("{shown} can be read by others (mode {mode:o})");
            Check::fail("home", detail, format!("chmod 700 {shown}"))
        }
        mode => Check::ok("home", format!("{shown} (mode {mode:o})")),
    }
}

pub fn socket_path(home: &Path) -> Check {
    let length = control_socket(home).as_os_str().len();
    match length > MAX_SOCKET_PATH_BYTES {
        true => Check::fail(
            "socket path",
            format!("{length} bytes, the kernel takes at most {MAX_SOCKET_PATH_BYTES}"),
            "use a home folder with a shorter path",
        ),
        false => Check::ok(
            "socket path",
            format!("{length} of {MAX_SOCKET_PATH_BYTES} bytes"),
        ),
    }
}

pub fn disk(home: &Path) -> Check {
    let existing = home.ancestors().find(|folder| folder.exists()).unwrap_or(home);
    match nix::sys::statvfs::statvfs(existing) {
        Ok(space) => {
            let free = space.blocks_available().saturating_mul(space.fragment_size());
            let detail = format!("{} free", bytes(free));
            match free {
                0..SPACE_FAIL_BYTES => {
                    Check::fail("disk", detail, "free some space: a full disk stops the ledger")
                }
                SPACE_FAIL_BYTES..SPACE_WARN_BYTES => Check::warn("disk", detail, "free some space soon"),
                _ => Check::ok("disk", detail),
            }
        }
        Err(error) => Check::warn(
            "disk",
            format!("{}: {error}", existing.display()),
            "look at it with df",
        ),
    }
}

/// Who holds the ledger's lock, told without touching the lock.
pub fn writer(path: &Path) -> Check {
    match home::writer(path) {
        Ok(Writer::Never) => Check::ok("writer", "nobody ever wrote here"),
        Ok(Writer::Free) => Check::ok("writer", "nobody holds the ledger"),
        Ok(Writer::Held { pid }) => {
            let pid = pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
            Check::ok("writer", format!("the ledger is held by a running host{pid}"))
        }
        Err(error) => Check::warn("writer", format!("/proc/locks: {error}"), ""),
    }
}

pub fn clock(recorded_at_ms: Option<i64>) -> Check {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let Some(now_ms) = now.ok().and_then(|now| i64::try_from(now.as_millis()).ok()) else {
        return Check::fail(
            "clock",
            "it stands before 1970",
            "set the clock (timedatectl set-ntp true)",
        );
    };
    if now_ms < CLOCK_MIN_MS {
        return Check::fail("clock", at(now_ms), "set the clock (timedatectl set-ntp true)");
    }
    match recorded_at_ms.map(|recorded| recorded.saturating_sub(now_ms)) {
        Some(ahead) if ahead > CLOCK_SKEW_MS => Check::fail(
            "clock",
            format!("the last fact is {} ahead of it", duration(ahead.unsigned_abs())),
            "set the clock (timedatectl set-ntp true): jobs dated otherwise are refused",
        ),
        _ => Check::ok("clock", at(now_ms)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_behind_the_ledger_is_a_failure() {
        assert_eq!(clock(Some(i64::MAX)).state, super::super::State::Fail);
        assert_eq!(clock(Some(0)).state, super::super::State::Ok);
    }
}
