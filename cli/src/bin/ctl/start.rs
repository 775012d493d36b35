//! The way to a host: to the one that runs, or where a command needs one and none runs, to one that is started for it.
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{Read, Seek, SeekFrom},
    os::unix::{fs::OpenOptionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use autopilot_host::home::Home;
use tokio::time::{Instant, sleep};

use crate::{
    connect::{Client, connect, is_absent},
    failure::{Failure, Kind, Outcome},
    output::say,
    progress::Progress,
};

const PROGRAM: &str = "autopilot-headless";
/// Longest that a host may take to answer: it waits for its wallet, and that for its source of blocks.
const START_BOUND: Duration = Duration::from_secs(180);
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Exit code of a host whose identity is locked.
const EXIT_LOCKED: i32 = 11;
/// Of the words of a host that ended, lines shown at most.
const LAST_LINES: usize = 5;

/// The way to the host of one home folder.
pub struct Way {
    home: PathBuf,
    may_start: bool,
}

impl Way {
    pub fn new(home: &Path, may_start: bool) -> Way {
        Way {
            home: home.to_owned(),
            may_start,
        }
    }

    /// A connection. A host is started only in a home folder that is set up, and only where none is there at all.
    pub async fn host(&self) -> Outcome<Client> {
        let failure = match connect(&self.home).await {
            Ok(client) => return Ok(client),
            Err(failure) => failure,
        };
        let wanted = self.may_start && Home::is_set_up(&self.home) && is_absent(&self.home).await;
        if wanted { self.start().await } else { Err(failure) }
    }

    async fn start(&self) -> Outcome<Client> {
        let home = Home::open(&self.home).map_err(|error| failed(error.to_string()))?;
        let deadline = Instant::now() + START_BOUND;
        let mut progress = Progress::new();
        let Some(_turn) = self.turn(&home, deadline, &mut progress).await? else {
            return connect(&self.home).await;
        };
        let path = home.logs_dir().join("host.log");
        say(&format!(
            "no host is running: starting one (its words go to {})",
            path.display()
        ));
        let mut log = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path);
        let log = log
            .as_mut()
            .map_err(|error| failed(format!("{}: {error}", path.display())))?;
        let before = log.metadata().map_or(0, |log| log.len());
        let mut child = spawn(&self.home, log)?;
        let began = Instant::now();
        while Instant::now() < deadline {
            if let Ok(client) = connect(&self.home).await {
                return Ok(client);
            }
            if let Ok(Some(status)) = child.try_wait() {
                return Err(ended(status.code(), &last_words(&path, before)));
            }
            progress.tell(|| format!("the host is starting: {} s", began.elapsed().as_secs()));
            sleep(LOOK_AGAIN).await;
        }
        let message = format!(
            "the host did not answer within {} s; it goes on starting",
            START_BOUND.as_secs()
        );
        let next = "autopilotctl wait wallet-connected, or autopilotctl stop";
        Err(Failure::new(Kind::Timeout, "timeout", message).next(next))
    }

    /// The turn to start one: of several commands at once one starts it, and the others wait. `None`: somebody did.
    async fn turn(&self, home: &Home, deadline: Instant, progress: &mut Progress) -> Outcome<Option<File>> {
        let path = home.run_dir().join("starting.lock");
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path);
        let file = file.map_err(|error| failed(format!("{}: {error}", path.display())))?;
        loop {
            match file.try_lock() {
                Ok(()) if is_absent(&self.home).await => return Ok(Some(file)),
                Ok(()) => return Ok(None),
                Err(TryLockError::Error(error)) => {
                    return Err(failed(format!("{}: {error}", path.display())));
                }
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    progress.tell(|| "another command is starting the host".to_owned());
                    sleep(LOOK_AGAIN).await;
                }
                Err(TryLockError::WouldBlock) => {
                    let message = "another command has been starting the host for too long";
                    return Err(Failure::new(Kind::Timeout, "timeout", message).next("autopilotctl doctor"));
                }
            }
        }
    }
}

/// Starts it by itself: in a process group of its own, so that Ctrl-C here is not for it, and with nothing to read.
fn spawn(home: &Path, log: &File) -> Outcome<Child> {
    let program = find().map_err(|folder| {
        failed(format!("{PROGRAM} is not in {}", folder.display()))
            .next("build it (./run does), or name its folder in AUTOPILOT_BIN_DIR")
    })?;
    let output = |log: &File| log.try_clone().map(Stdio::from);
    let (stdout, stderr) = match (output(log), output(log)) {
        (Ok(stdout), Ok(stderr)) => (stdout, stderr),
        (Err(error), _) | (_, Err(error)) => return Err(failed(error.to_string())),
    };
    let started = Command::new(&program)
        .args(["desktop", "--no-input", "--home"])
        .arg(home)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        .process_group(0)
        .spawn();
    started.map_err(|error| failed(format!("{}: {error}", program.display())))
}

/// The program: in `AUTOPILOT_BIN_DIR`, else beside this one.
fn find() -> Result<PathBuf, PathBuf> {
    let beside = || std::env::current_exe().ok()?.parent().map(Path::to_owned);
    let named = std::env::var_os("AUTOPILOT_BIN_DIR").map(PathBuf::from);
    let folder = named.or_else(beside).unwrap_or_default();
    let path = folder.join(PROGRAM);
    if path.is_file() { Ok(path) } else { Err(folder) }
}

fn failed(message: String) -> Failure {
    let message = format!("no host is running, and none can be started: {message}");
    Failure::new(Kind::Unreachable, "unreachable", message)
}

fn ended(code: Option<i32>, words: &str) -> Failure {
    let message = format!("the host ended at once: {words}");
    match code {
        Some(EXIT_LOCKED) => Failure::new(Kind::Locked, "passphrase-needed", message)
            .next("name the file with the passphrase in AUTOPILOT_PASSPHRASE_FILE"),
        _ => Failure::new(Kind::Unreachable, "unreachable", message)
            .next("start it yourself to see more: autopilot-headless desktop --home DIR"),
    }
}

/// What a host said last, of what it said since.
fn last_words(log: &Path, since: u64) -> String {
    let mut text = String::new();
    let read = fs::File::open(log).and_then(|mut log| {
        log.seek(SeekFrom::Start(since))?;
        log.read_to_string(&mut text)
    });
    let mut lines: Vec<&str> = text
        .lines()
        .rev()
        .filter(|line| !line.trim().is_empty())
        .take(LAST_LINES)
        .collect();
    lines.reverse();
    match read {
        Ok(_) if !lines.is_empty() => lines.join("\n"),
        _ => format!("see {}", log.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_are_those_of_this_start() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("host.log");
        fs::write(&log, "of another day\nerror: locked\n\n").unwrap();
        assert_eq!(last_words(&log, 15), "error: locked");
        assert!(last_words(&log, 31).starts_with("see "));
        assert_eq!(ended(Some(11), "x").exit_code(), 11);
        assert_eq!(ended(Some(1), "x").exit_code(), 3);
    }
}
