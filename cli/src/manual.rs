//! Completions and manual pages, made of the command line itself, so that they can't fall behind it.
use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::Command;

pub use clap_complete::Shell;

/// Writes a shell's completion script.
///
/// # Errors
/// When it can't be written.
pub fn completions(mut command: Command, shell: Shell, to: &mut dyn Write) -> io::Result<()> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    to.write_all(&script)
}

/// Writes the manual page of the program itself (roff, for `man -l`).
///
/// # Errors
/// When it can't be written.
pub fn page(command: Command, to: &mut dyn Write) -> io::Result<()> {
    clap_mangen::Man::new(command).render(to)
}

/// Writes a page for the program and for each of its commands into a folder, and says which.
///
/// # Errors
/// When the folder can't be made, or a page not be written.
pub fn pages(command: Command, folder: &Path) -> io::Result<Vec<PathBuf>> {
    fs::create_dir_all(folder)?;
    let name = command.get_name().to_owned();
    clap_mangen::generate_to(command, folder)?;
    let mut pages: Vec<PathBuf> = fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            file.starts_with(&name) && file.ends_with(".1")
        })
        .collect();
    pages.sort();
    Ok(pages)
}
