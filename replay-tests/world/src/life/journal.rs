//! One line of JSON per round, on disk before the next begins: whoever is stopped goes on after the last whole line.
use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::Path,
};

use anyhow::{Context, Result};
use serde::{Serialize, de::DeserializeOwned};

/// An open journal.
pub struct Journal {
    file: File,
}

impl Journal {
    /// Opens the file, and reads the rounds that it holds. A last line that was cut is dropped: its round is made again.
    ///
    /// # Errors
    /// The file, or a whole line that is no round.
    pub fn open<R: DeserializeOwned>(path: &Path) -> Result<(Journal, Vec<R>)> {
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            text => text.with_context(|| path.display().to_string())?,
        };
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        let rounds = whole
            .lines()
            .map(|line| serde_json::from_str(line).with_context(|| format!("{}: {line}", path.display())))
            .collect::<Result<Vec<R>>>()?;
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        file.set_len(whole.len() as u64)?;
        Ok((Journal { file }, rounds))
    }

    /// Adds a round.
    ///
    /// # Errors
    /// The disk.
    pub fn add<R: Serialize>(&mut self, round: &R) -> Result<()> {
        let mut line = serde_json::to_vec(round)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        Ok(self.file.sync_data()?)
    }
}
