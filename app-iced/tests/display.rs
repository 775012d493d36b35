//! Where no window can be shown, the real program says so in a sentence, with what helps, and leaves nothing behind.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]
use std::{process::Command, thread};

/// Starts the window where the environment names these displays: its exit code and its words.
fn started(displays: &[(&str, &str)]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let mut window = Command::new(env!("CARGO_BIN_EXE_autopilot"));
    window.arg("--home").arg(&home);
    for name in ["DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET"] {
        window.env_remove(name);
    }
    let ended = window.envs(displays.iter().copied()).output().unwrap();
    assert!(!home.exists(), "nothing was begun");
    assert!(ended.stdout.is_empty());
    (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
}

fn told(displays: &[(&str, &str)], why: &str) {
    let (code, words) = started(displays);
    assert_eq!(
        code,
        Some(i32::from(autopilot_app::display::EXIT_CODE)),
        "{words}"
    );
    assert_eq!(words.lines().count(), 1, "{words}");
    assert!(words.starts_with(&format!("error: {why}")), "{words}");
    for way in ["autopilot-headless desktop", "./run --headless"] {
        assert!(words.contains(way), "{words}");
    }
}

#[test]
fn no_display_is_named() {
    told(&[], "there is no display: DISPLAY is not set");
    told(&[("DISPLAY", ""), ("WAYLAND_DISPLAY", "")], "there is no display");
}

#[test]
fn a_display_that_nobody_serves() {
    told(
        &[("DISPLAY", ":59037")],
        "the display DISPLAY=\":59037\" can't be reached: ",
    );
    told(
        &[("DISPLAY", "no display")],
        "DISPLAY=\"no display\" does not name a display",
    );
}

/// An X server of another machine that takes the connection and says nothing.
#[test]
fn a_display_that_never_answers() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let Some(number) = server.local_addr().unwrap().port().checked_sub(6_000) else {
        return;
    };
    let display = format!("127.0.0.1:{number}");
    told(
        &[("DISPLAY", &display)],
        &format!("the display DISPLAY={display:?} does not answer"),
    );
}

/// An X server of another machine that hangs up on us, as one does that does not know us.
#[test]
fn a_display_that_hangs_up() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    // Displays are counted from port 6000 on.
    let Some(number) = port.checked_sub(6_000) else {
        return;
    };
    let hangs_up = thread::spawn(move || drop(server.accept()));
    let display = format!("127.0.0.1:{number}");
    told(
        &[("DISPLAY", &display)],
        &format!("the display DISPLAY={display:?} can't be reached: "),
    );
    hangs_up.join().unwrap();
}

/// The window is drawn by X11, whatever Wayland would answer.
#[test]
fn wayland_alone() {
    told(
        &[("WAYLAND_DISPLAY", "wayland-nobody")],
        "there is no X11 beside this Wayland session",
    );
    told(
        &[("WAYLAND_DISPLAY", "wayland-nobody"), ("DISPLAY", ":59037")],
        "the display DISPLAY=\":59037\" can't be reached: ",
    );
}
