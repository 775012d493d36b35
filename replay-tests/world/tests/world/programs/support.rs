//! The two programs as a script sees them: arguments, exit code, standard output, standard error.
use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use autopilot_world_tests::stage::{model, program};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, ChildStdout, Command},
    time::{Instant, timeout},
};

/// Bound of one command and of one start; generous, since machines are shared.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long an end may take.
const END: Duration = Duration::from_secs(60);

/// What a command did.
#[derive(Debug)]
pub struct Answer {
    pub code: i32,
    pub data: String,
    pub words: String,
}

impl Answer {
    /// The one JSON document on standard output.
    pub fn json(&self) -> Value {
        assert_eq!(self.data.lines().count(), 1, "one document on one line: {self:?}");
        serde_json::from_str(&self.data).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The code of the error, which stands on the last line of standard error.
    pub fn error(&self) -> String {
        let last = self.words.lines().last().unwrap_or_default();
        let error: Value = serde_json::from_str(last).unwrap_or_else(|e| panic!("{e}: {self:?}"));
        assert!(
            error["error"]["message"].as_str().is_some_and(|m| !m.is_empty()),
            "{self:?}"
        );
        error["error"]["code"].as_str().unwrap().to_owned()
    }
}

async fn run(mut command: Command) -> Answer {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(PATIENCE, command.output())
        .await
        .expect("an end in time")
        .unwrap();
    Answer {
        code: output.status.code().unwrap_or(-1),
        data: String::from_utf8(output.stdout).unwrap(),
        words: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs `autopilotctl --home HOME ARGUMENTS`.
pub async fn ctl(home: &Path, arguments: &[&str]) -> Answer {
    let mut command = Command::new(program("autopilotctl").unwrap());
    command.arg("--home").arg(home).args(arguments);
    run(command).await
}

/// The same with `--json`; it must succeed.
pub async fn json(home: &Path, arguments: &[&str]) -> Value {
    let answer = ctl(home, &[arguments, &["--json"]].concat()).await;
    assert_eq!(answer.code, 0, "{arguments:?}: {answer:?}");
    answer.json()
}

/// The same; it must fail with this exit code and this error code, and say nothing on standard output.
pub async fn refused(home: &Path, arguments: &[&str], code: i32, error: &str) -> Answer {
    let answer = ctl(home, &[arguments, &["--json"]].concat()).await;
    let seen = (answer.code, answer.error(), answer.data.as_str());
    assert_eq!(seen, (code, error.to_owned(), ""), "{arguments:?}: {answer:?}");
    answer
}

/// These fields are there.
pub fn has(value: &Value, fields: &[&str]) {
    for field in fields {
        assert!(value.get(field).is_some(), "{field} is missing in {value}");
    }
}

/// Buys an answer of up to 25 sat, with whatever else is named.
pub async fn buy(buyer: &Path, question: &str, more: &[&str]) -> Value {
    let buy = [
        "buy",
        question,
        "--budget",
        "25sat",
        "--max-tokens",
        "8",
        "--deadline",
        "240",
        "--yes",
    ];
    json(buyer, &[&buy, more].concat()).await
}

/// Runs `autopilot-headless ARGUMENTS` to its end.
pub async fn headless(arguments: &[&str]) -> Answer {
    let mut command = Command::new(program("autopilot-headless").unwrap());
    command.args(arguments).env_remove("AUTOPILOT_MODEL");
    run(command).await
}

/// A running `autopilot-headless sandbox`.
pub struct Sandbox {
    /// Its one line.
    pub said: Value,
    /// Where its words go.
    pub words: PathBuf,
    mark: String,
    home: PathBuf,
    process: Child,
    rest: BufReader<ChildStdout>,
}

impl Sandbox {
    pub async fn start(home: &Path, arguments: &[&str]) -> Sandbox {
        Sandbox::start_with(home, &[], &[], arguments).await
    }

    /// The same by another program, e.g. a tracer, and with further environment.
    pub async fn start_with(
        home: &Path,
        wrapper: &[&str],
        environment: &[(&str, &str)],
        arguments: &[&str],
    ) -> Sandbox {
        let headless = program("autopilot-headless").unwrap();
        let line: Vec<&str> = wrapper
            .iter()
            .copied()
            .chain([headless.to_str().unwrap()])
            .collect();
        let words = home.with_extension("words");
        let mark = format!("AUTOPILOT_TEST_MARK={}", home.display());
        let (name, value) = mark.split_once('=').unwrap();
        let mut process = Command::new(line[0])
            .args(&line[1..])
            .arg("sandbox")
            .arg("--home")
            .arg(home)
            .args(arguments)
            .env(name, value)
            .env("AUTOPILOT_MODEL", model().unwrap())
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(&words).unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut rest = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        timeout(PATIENCE, rest.read_line(&mut line))
            .await
            .expect("a start in time")
            .unwrap();
        let said = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line:?}"));
        Sandbox {
            said,
            words,
            mark,
            home: home.to_owned(),
            process,
            rest,
        }
    }

    /// Home folder of a role.
    pub fn home(&self, role: &str) -> PathBuf {
        PathBuf::from(self.said[role]["home"].as_str().unwrap())
    }

    pub fn pubkey(&self) -> String {
        self.said["provider"]["pubkey"].as_str().unwrap().to_owned()
    }

    /// Every process that carries our mark or works in our folder.
    pub fn alive(&self) -> Vec<String> {
        let has = |path: PathBuf, text: &str| {
            fs::read(path).is_ok_and(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes()))
        };
        let home = format!("{}/", self.home.display());
        let ours = fs::read_dir("/proc")
            .unwrap()
            .filter_map(Result::ok)
            .filter(|entry| {
                has(entry.path().join("environ"), &self.mark) || has(entry.path().join("cmdline"), &home)
            });
        ours.map(|entry| {
            fs::read_to_string(entry.path().join("cmdline"))
                .unwrap_or_default()
                .replace('\0', " ")
        })
        .filter(|line| !line.is_empty())
        .collect()
    }

    /// Our processes that run this program.
    pub fn pids(&self, program: &str) -> Vec<u32> {
        let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let of = |entry: fs::DirEntry| {
            let runs = fs::read_link(entry.path().join("exe")).ok()?;
            let environ = fs::read(entry.path().join("environ")).ok()?;
            let ours = environ
                .split(|byte| *byte == 0)
                .any(|variable| variable == self.mark.as_bytes());
            let named = runs.file_name()?.to_str()?.starts_with(program);
            (ours && named)
                .then(|| entry.file_name().to_str()?.parse().ok())
                .flatten()
        };
        entries.filter_map(of).collect()
    }

    /// Sends a signal and waits for the end; then nothing may be left.
    pub async fn end_by(self, signal: &str) -> ExitStatus {
        let pid = self.process.id().unwrap().to_string();
        let kill = format!("kill -{signal} {pid}");
        let sent = Command::new("sh").args(["-c", &kill]).status().await.unwrap();
        assert!(sent.success());
        self.ended().await
    }

    /// Waits for the end; then nothing may be left: no process, no port, no further output.
    pub async fn ended(mut self) -> ExitStatus {
        let status = timeout(END, self.process.wait())
            .await
            .expect("an end in time")
            .unwrap();
        let deadline = Instant::now() + END;
        // Those whose parent was killed end by themselves, and tell nobody: looked for, within a bound.
        let killed = !matches!(status.code(), Some(0 | 1));
        while killed && !self.alive().is_empty() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(self.alive(), Vec::<String>::new(), "left after {status}");
        for address in self.ports() {
            assert!(TcpStream::connect(&address).is_err(), "{address} is still open");
        }
        let mut more = String::new();
        self.rest.read_to_string(&mut more).await.unwrap();
        assert_eq!(more, "", "one line, no more");
        status
    }

    /// Relays, chain and peers.
    pub fn ports(&self) -> Vec<String> {
        let said = &self.said;
        let relays = said["relays"].as_array().unwrap().iter();
        let relays = relays.map(|url| url.as_str().unwrap().trim_start_matches("ws://").to_owned());
        let chain = format!(
            "{}:{}",
            said["chain_rpc"]["host"].as_str().unwrap(),
            said["chain_rpc"]["port"]
        );
        let peers = ["hub", "provider", "buyer"]
            .map(|role| said[role]["node_addresses"][0].as_str().unwrap().to_owned());
        relays.chain([chain]).chain(peers).collect()
    }
}
