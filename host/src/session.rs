//! The session log: the facts of one run of a host as JSON Lines, for whoever follows a file. A derived copy beside the
//! ledger: bounded, harmless to lose, and made again from the facts.
use std::{
    fs, io,
    io::{BufWriter, Write},
    os::unix::fs::{OpenOptionsExt, symlink},
    path::{Path, PathBuf},
    time::Duration,
};

use autopilot_store_sqlite::Reader;
use tokio::{sync::oneshot, task::JoinHandle, time::timeout};

use crate::{
    audit::{FactDocument, fact_line},
    clock::now_ms,
    ledger::Ledger,
};

/// Files kept, the newest ones.
pub const FILES_KEPT: usize = 20;
/// A longer log goes on in another file, bytes.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// Name of the link to the newest file.
pub const LATEST: &str = "latest.jsonl";
const PAGE: u32 = 512;
/// How long the end of a run may take to be written.
const FINISH_LIMIT: Duration = Duration::from_secs(5);

/// A run whose log is kept, by the name of its files.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Run {
    /// The last fact before the run.
    pub after: u64,
    /// `<fact before, twelve digits>-<start in UTC>`.
    pub name: String,
}

/// Runs whose logs are kept, oldest first.
///
/// # Errors
/// The folder can't be read.
pub fn runs(folder: &Path) -> io::Result<Vec<Run>> {
    let mut runs: Vec<Run> = files(folder)?.into_iter().map(|(run, _)| run).collect();
    runs.sort();
    runs.dedup();
    Ok(runs)
}

/// Log files with their runs, in no order.
fn files(folder: &Path) -> io::Result<Vec<(Run, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        files.extend(run_of(&path).map(|run| (run, path.clone())));
    }
    Ok(files)
}

/// `000000000123-20261120T083000Z.jsonl`, or `…Z-2.jsonl` for its second part.
fn run_of(path: &Path) -> Option<Run> {
    let stem = path.file_name()?.to_str()?.strip_suffix(".jsonl")?;
    let mut parts = stem.split('-');
    let (after, start) = (parts.next()?, parts.next()?);
    let plausible = after.len() == 12 && start.len() == 16 && start.ends_with('Z');
    let number = parts.next().is_none_or(|part| part.parse::<u32>().is_ok());
    (plausible && number).then_some(Run {
        after: after.parse().ok()?,
        name: format!("{after}-{start}"),
    })
}

/// The log of the run that begins now.
pub struct Session {
    finish: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Session {
    /// Begins with the next fact. A log that can't be written is said in the host's own words, and stops nothing.
    pub fn begin(ledger: &Ledger, folder: &Path) -> Session {
        let (finish, finished) = oneshot::channel();
        let (ledger, folder) = (ledger.clone(), folder.to_owned());
        let task = tokio::spawn(async move {
            if let Err(error) = follow(ledger, &folder, finished).await {
                tracing::warn!(%error, "the session log ends here; the ledger has everything");
            }
        });
        Session { finish, task }
    }

    /// Writes what is there, and ends.
    pub async fn finish(self) {
        let _ = self.finish.send(());
        let _ = timeout(FINISH_LIMIT, self.task).await;
    }
}

async fn follow(ledger: Ledger, folder: &Path, mut finished: oneshot::Receiver<()>) -> io::Result<()> {
    let mut head = ledger.head();
    let mut after = head.borrow_and_update().sequence;
    let start = jiff::Timestamp::from_millisecond(now_ms()).unwrap_or_default();
    let mut log = Log::open(
        folder,
        format!("{after:012}-{}", start.strftime("%Y%m%dT%H%M%SZ")),
    )?;
    loop {
        let ends = tokio::select! {
            changed = head.changed() => changed.is_err(),
            _ = &mut finished => true,
        };
        let to = head.borrow_and_update().sequence;
        copy(ledger.reader(), &mut after, to, &mut log).await?;
        if ends {
            return Ok(());
        }
    }
}

async fn copy(reader: &Reader, after: &mut u64, to: u64, log: &mut Log) -> io::Result<()> {
    while *after < to {
        let facts = reader.facts(*after, PAGE).await.map_err(io::Error::other)?;
        let Some(last) = facts.last() else { break };
        *after = last.fact.sequence;
        for fact in &facts {
            log.line(&FactDocument::from(fact_line(fact)).to_json())?;
        }
    }
    log.out.flush()
}

/// The file that is being written.
struct Log {
    folder: PathBuf,
    name: String,
    part: u32,
    bytes: u64,
    out: BufWriter<fs::File>,
}

impl Log {
    fn open(folder: &Path, name: String) -> io::Result<Log> {
        let out = begin(folder, &format!("{name}.jsonl"))?;
        Ok(Log {
            folder: folder.to_owned(),
            name,
            part: 1,
            bytes: 0,
            out,
        })
    }

    fn line(&mut self, line: &str) -> io::Result<()> {
        if self.bytes >= FILE_BYTES_MAX {
            self.out.flush()?;
            self.part += 1;
            self.bytes = 0;
            self.out = begin(&self.folder, &format!("{}-{}.jsonl", self.name, self.part))?;
        }
        self.bytes += line.len() as u64 + 1;
        writeln!(self.out, "{line}")
    }
}

/// Makes a file, points the link to it, and drops the oldest ones.
fn begin(folder: &Path, name: &str) -> io::Result<BufWriter<fs::File>> {
    let file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(folder.join(name))?;
    let next = folder.join(format!("{LATEST}.part"));
    match fs::remove_file(&next) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => symlink(name, &next)?,
    }
    fs::rename(&next, folder.join(LATEST))?;
    let mut kept = files(folder)?;
    // The number in front makes names sort by age; parts of one run by their number.
    kept.sort_by_key(|(run, path)| (run.clone(), path.as_os_str().len(), path.clone()));
    let too_many = kept.len().saturating_sub(FILES_KEPT);
    kept.drain(..too_many)
        .try_for_each(|(_, path)| fs::remove_file(path))?;
    Ok(BufWriter::new(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_files_are_kept_and_linked() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("other.jsonl"), "not ours").unwrap();
        for after in 0..30_u64 {
            begin(folder.path(), &format!("{after:012}-20261120T083000Z.jsonl")).unwrap();
        }
        begin(folder.path(), "000000000029-20261120T083000Z-2.jsonl").unwrap();
        let runs = runs(folder.path()).unwrap();
        let kept: Vec<u64> = runs.iter().map(|run| run.after).collect();
        assert_eq!(
            kept,
            (11..30).collect::<Vec<u64>>(),
            "one of the twenty is a second part"
        );
        let latest = std::fs::read_link(folder.path().join(LATEST)).unwrap();
        assert_eq!(latest.to_str(), Some("000000000029-20261120T083000Z-2.jsonl"));
        assert!(folder.path().join("other.jsonl").exists());
    }
}
