//! Files that are there whole or not at all, and replace none unasked.
use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use crate::{
    failure::{Failure, Kind, Outcome},
    output::say,
};

fn exists(path: &Path) -> Failure {
    Failure::new(
        Kind::Refused,
        "file-exists",
        format!("{} is there already", path.display()),
    )
    .next("name another file, or add --force to replace it")
}

/// Refuses to go on where a file is there that nobody asked to replace.
pub fn refuse_existing(path: &Path) -> Outcome {
    match fs::symlink_metadata(path) {
        Ok(_) => Err(exists(path)),
        Err(_) => Ok(()),
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        Kind::Other,
        "output",
        format!("{} can't be written: {error}", path.display()),
    )
}

/// A file under a temporary name beside its place, private to its owner; gone unless it is kept.
pub struct Whole {
    /// What it is written to.
    pub file: BufWriter<File>,
    part: PathBuf,
    place: PathBuf,
}

impl Whole {
    /// Begins a file for a place.
    pub fn beside(place: &Path) -> Outcome<Whole> {
        let mut name = place.as_os_str().to_owned();
        name.push(format!(".{}.part", std::process::id()));
        let part = PathBuf::from(name);
        let file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&part);
        Ok(Whole {
            file: BufWriter::new(file.map_err(|error| unwritable(place, &error))?),
            part,
            place: place.to_owned(),
        })
    }

    /// Puts it in its place; `force` replaces what is there.
    pub fn keep(&mut self, force: bool) -> Outcome {
        let synced = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        synced.map_err(|error| unwritable(&self.place, &error))?;
        let moved = match force {
            true => fs::rename(&self.part, &self.place),
            // Unlike a rename this fails where a file appeared meanwhile.
            false => fs::hard_link(&self.part, &self.place),
        };
        moved.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => exists(&self.place),
            _ => unwritable(&self.place, &error),
        })
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        // A rename has taken it already; otherwise nothing half-written stays.
        if let Err(error) = fs::remove_file(&self.part)
            && error.kind() != io::ErrorKind::NotFound
        {
            say(&format!("{} can't be removed: {error}", self.part.display()));
        }
    }
}
