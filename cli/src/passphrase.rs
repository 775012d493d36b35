//! The passphrase of an identity: from a private file or typed on a terminal, never an argument.
use std::{io, path::Path};

use autopilot_host::{
    home::Home,
    secrets::{Key, Protection, SecretString, protection},
};

/// What opens the identity of a home folder: the file that was named, else what is typed where it is protected and
/// somebody can be asked, else the folder's own.
///
/// # Errors
/// When nothing can be read from the terminal.
pub fn key(home: &Home, file: Option<&Path>, may_ask: bool) -> io::Result<Key> {
    Ok(match file {
        Some(path) => Key::File(path.to_owned()),
        None if may_ask && protection(home) == Protection::Passphrase => {
            Key::Typed(typed("Passphrase of the identity: ")?)
        }
        None => Key::Own,
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

/// A line typed without echo.
///
/// # Errors
/// When the terminal is gone.
pub fn typed(question: &str) -> io::Result<SecretString> {
    rpassword::prompt_password(question).map(SecretString::from)
}
