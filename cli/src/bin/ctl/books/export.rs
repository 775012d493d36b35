//! `export`: the ledger for other programs. A file is there whole or not at all, and none is replaced unasked.
use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use autopilot_host::{audit::Audit, books};
use serde::Serialize;

use super::{price::valuing, span};
use crate::{
    args::{Export, Format},
    failure::{Failure, Kind, Outcome},
    output::{Out, say},
    progress::Progress,
};

#[derive(Serialize)]
struct Line {
    window: span::Shown,
    entries: u64,
    facts: u64,
    chain: String,
    /// Absent on stdout.
    file: Option<PathBuf>,
    written: bool,
}

pub async fn export(home: &Path, out: Out, asked: Export) -> Outcome {
    let (window, shown) = span::between(&asked.span)?;
    let valuing = valuing(&asked.worth);
    if let Some(path) = asked.output.as_deref().filter(|_| !asked.force) {
        refuse_existing(path)?;
    }
    let audit = Audit::open(home).await?;
    let mut progress = Progress::new();
    let mut tell = |at: autopilot_host::audit::Progress| progress.count("reading", at.facts, at.of);
    let format = match asked.format {
        Format::Csv => books::Format::Csv,
        Format::Jsonl => books::Format::Jsonl,
        Format::Koinly => books::Format::Koinly,
        Format::Hledger => books::Format::Hledger,
    };
    let summary = match (&asked.output, asked.dry_run) {
        (_, true) => books::export(&audit, format, window, &valuing, &mut io::sink(), &mut tell).await?,
        (None, false) => {
            let mut stdout = BufWriter::new(io::stdout());
            books::export(&audit, format, window, &valuing, &mut stdout, &mut tell).await?
        }
        (Some(path), false) => {
            let mut whole = Whole::beside(path)?;
            let summary = books::export(&audit, format, window, &valuing, &mut whole.file, &mut tell).await?;
            whole.keep(asked.force)?;
            summary
        }
    };
    drop(progress);
    if asked.output.is_none() && !asked.dry_run {
        return Ok(());
    }
    let line = Line {
        window: shown,
        entries: summary.entries,
        facts: summary.head.sequence,
        chain: summary.head.chain.to_string(),
        file: asked.output,
        written: !asked.dry_run,
    };
    out.show(&line, |line| {
        let what = match line.written {
            true => "written",
            false => "would be written; nothing was",
        };
        let to = line
            .file
            .as_ref()
            .map_or("stdout".to_owned(), |file| file.display().to_string());
        format!("{} entries up to fact {} {what}: {to}", line.entries, line.facts)
    })
}

fn exists(path: &Path) -> Failure {
    Failure::new(
        Kind::Refused,
        "file-exists",
        format!("{} is there already", path.display()),
    )
    .next("name another file, or add --force to replace it")
}

fn refuse_existing(path: &Path) -> Outcome {
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
struct Whole {
    file: BufWriter<File>,
    part: PathBuf,
    place: PathBuf,
}

impl Whole {
    fn beside(place: &Path) -> Outcome<Whole> {
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

    fn keep(&mut self, force: bool) -> Outcome {
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
