//! The display that a window is shown on, looked at before there is a window: the window system's own way to say that
//! it can't be reached is a panic.
use std::{
    ffi::{OsStr, OsString},
    sync::mpsc,
    thread,
    time::Duration,
};

use x11rb::{
    errors::{ConnectError, DisplayParsingError},
    rust_connection::RustConnection,
};

/// The program's exit code where no window can be shown; `docs/CLI.md` has the others.
pub const EXIT_CODE: u8 = 3;

/// What helps wherever no window can be shown.
pub const NEXT: &str = "start this from a desktop; without a window, `autopilot-headless desktop` is the same host, and in the source's folder `./run --headless` shows it";

/// How long a display may take to answer: one over a slow network takes a second.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why no window can be shown.
#[derive(Debug, thiserror::Error)]
pub enum DisplayError {
    /// None is named.
    #[error("there is no display: DISPLAY is not set")]
    Unnamed,
    /// Only Wayland is named, which the window is not drawn by.
    #[error(
        "there is no X11 beside this Wayland session (DISPLAY is not set), and the window is drawn by X11: XWayland gives it"
    )]
    WaylandAlone,
    /// What is named is no display.
    #[error("DISPLAY={name:?} does not name a display, as :0 does")]
    Unreadable {
        /// As it is named.
        name: OsString,
    },
    /// It takes the connection and says nothing.
    #[error("the display DISPLAY={name:?} does not answer: it was given {} s", PATIENCE.as_secs())]
    Silent {
        /// As it is named.
        name: OsString,
    },
    /// Nobody answers there, or does not let us in.
    #[error("the display DISPLAY={name:?} can't be reached: {cause}")]
    Unreachable {
        /// As it is named.
        name: OsString,
        /// What happened on the way.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A display that was reached. A server without other guests begins anew when its last one leaves, so this one stays as long
/// as the window.
#[derive(Debug)]
pub struct Reached(#[allow(dead_code, reason = "it is held, not used")] RustConnection);

/// Reaches the display that the environment names, as the window will.
///
/// # Errors
/// [`DisplayError`]: no window can be shown.
pub fn reach() -> Result<Reached, DisplayError> {
    let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    match (named("DISPLAY"), named("WAYLAND_DISPLAY")) {
        (Some(name), _) => reach_named(&name),
        (None, Some(_)) => Err(DisplayError::WaylandAlone),
        (None, None) => Err(DisplayError::Unnamed),
    }
}

fn reach_named(name: &OsStr) -> Result<Reached, DisplayError> {
    let unreadable = || DisplayError::Unreadable {
        name: name.to_owned(),
    };
    let text = name.to_str().ok_or_else(unreadable)?.to_owned();
    let (told, answer) = mpsc::channel();
    // Whoever never answers holds this thread until the program ends, which is at once.
    thread::spawn(move || drop(told.send(RustConnection::connect(Some(&text)))));
    let Ok(answer) = answer.recv_timeout(PATIENCE) else {
        return Err(DisplayError::Silent {
            name: name.to_owned(),
        });
    };
    match answer {
        Ok((connection, _)) => Ok(Reached(connection)),
        Err(ConnectError::DisplayParsingError(DisplayParsingError::MalformedValue(_))) => Err(unreadable()),
        Err(cause) => Err(DisplayError::Unreachable {
            name: name.to_owned(),
            cause: Box::new(cause),
        }),
    }
}
