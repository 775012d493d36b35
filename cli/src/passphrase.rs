//! The passphrase of an identity: from a private file or typed on a terminal, never an argument.
use std::{
    fs::File,
    io::{self, Write},
    path::Path,
};

use autopilot_host::{
    home::Home,
    secrets::{Key, Protection, SecretString, protection},
};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};

/// What opens the identity of a home folder: the file that was named, else what is typed where it is protected and
/// somebody can be asked, else the keyring's or the folder's own.
///
/// # Errors
/// When nothing can be read from the terminal.
pub fn key(home: &Home, file: Option<&Path>, may_ask: bool) -> io::Result<Key> {
    Ok(match file {
        Some(path) => Key::File(path.to_owned()),
        None if may_ask && protection(home) == Protection::Passphrase => {
            Key::Typed(typed("Passphrase of the identity: ")?)
        }
        None => Key::of(home),
    })
}

/// What is to protect an identity from now on: the file that was named, else typed twice. `None`: neither.
///
/// # Errors
/// When nothing can be read from the terminal, or the two differ.
pub fn new_key(file: Option<&Path>, may_ask: bool) -> io::Result<Option<Key>> {
    use autopilot_host::secrets::same;
    match file {
        Some(path) => Ok(Some(Key::File(path.to_owned()))),
        None if !may_ask => Ok(None),
        None => {
            let first = typed("New passphrase: ")?;
            match same(&first, &typed("The same again: ")?) {
                true => Ok(Some(Key::Typed(first))),
                false => Err(io::Error::new(io::ErrorKind::InvalidInput, "the two differ")),
            }
        }
    }
}

/// A line typed without echo. The terminal is silent before it asks: what is typed at once is not shown either.
///
/// # Errors
/// When the terminal is gone.
pub fn typed(question: &str) -> io::Result<SecretString> {
    let silent = Silent::begin()?;
    (&silent.terminal).write_all(question.as_bytes())?;
    rpassword::read_password().map(SecretString::from)
}

/// A terminal that echoes nothing until this goes.
struct Silent {
    terminal: File,
    before: Termios,
}

impl Silent {
    fn begin() -> io::Result<Silent> {
        let terminal = File::options().read(true).write(true).open("/dev/tty")?;
        let before = tcgetattr(&terminal)?;
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(&terminal, SetArg::TCSANOW, &silent)?;
        Ok(Silent { terminal, before })
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        // A terminal that is gone has nothing to restore.
        let _ = tcsetattr(&self.terminal, SetArg::TCSANOW, &self.before);
    }
}
