//! Everything that helps somebody else to find a fault, in one file, without a secret.
mod facts;
mod scrub;

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use autopilot_host::{
    audit::{Audit, JournalQuery},
    config::Config,
};
use flate2::{Compression, write::GzEncoder};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    args::DebugBundle,
    doctor,
    failure::{Failure, Kind, Outcome},
    output::{Out, bytes, fields},
};
use scrub::Scrub;

/// The end of each log that goes along, bytes.
const LOG_BYTES_MAX: u64 = 128 << 10;
/// Logs that go along, newest first.
const LOGS_MAX: usize = 12;
/// Lines of the journal that go along.
const JOURNAL_LINES_MAX: u32 = 2_000;

const README: &str = "\
What helps to find a fault in Autopilot. It holds no bodies (prompts, results, relay events), no payment requests, no
preimages, keys, passphrases or words; long codes are cut to their beginning. Look through it before you pass it on.

versions.json   programs, system
doctor.json     what `autopilotctl doctor` said
config.json     the configuration without secrets; addresses without paths
digests.json    the ledger's end, and the digests of its folds
facts.jsonl     the last facts: numbers, types, times, sums and closed words, no texts
journal.jsonl   chatter of relays
logs/           the ends of the logs
";

struct Part {
    name: String,
    text: String,
}

#[derive(Serialize)]
struct Report {
    path: PathBuf,
    bytes: u64,
    parts: Vec<String>,
}

pub async fn bundle(home: &Path, out: Out, wish: DebugBundle) -> Outcome {
    let scrub = Scrub::of(home);
    let mut parts = vec![
        part("README", README.to_owned()),
        part("versions.json", pretty(&versions())),
        part("doctor.json", scrub.document(json!(doctor::checks(home).await))),
        part("config.json", configuration(home, &scrub)),
    ];
    parts.extend(ledger(home, &scrub, wish.facts).await);
    parts.extend(logs(home, &scrub));
    let path = match wish.output {
        Some(path) => path,
        None => PathBuf::from(format!(
            "autopilot-debug-{}.tar.gz",
            jiff::Zoned::now().strftime("%Y%m%d-%H%M%S")
        )),
    };
    write(&path, &parts).map_err(|error| {
        Failure::new(Kind::Other, "file", format!("{}: {error}", path.display()))
            .next("name a new file with --output")
    })?;
    let size = fs::metadata(&path).map(|metadata| metadata.len()).unwrap_or(0);
    let report = Report {
        path,
        bytes: size,
        parts: parts.into_iter().map(|part| part.name).collect(),
    };
    out.show(&report, |report| {
        fields(&[
            ("file", report.path.display().to_string()),
            ("size", bytes(report.bytes)),
            ("holds", report.parts.join(", ")),
        ])
    })?;
    out.hint(&format!(
        "tar -xzOf {} | less, before you pass it on",
        report.path.display()
    ));
    Ok(())
}

fn part(name: &str, text: String) -> Part {
    Part {
        name: name.to_owned(),
        text,
    }
}

fn pretty(value: &Value) -> String {
    // A value has string keys and no way to fail.
    serde_json::to_string_pretty(value).unwrap_or_default()
}

fn versions() -> Value {
    let system = nix::sys::utsname::uname().ok();
    let of = |name: Option<&std::ffi::OsStr>| name.map(|text| text.to_string_lossy().into_owned());
    json!({
        "autopilotctl": env!("CARGO_PKG_VERSION"),
        "system": system.as_ref().and_then(|system| of(Some(system.sysname()))),
        "release": system.as_ref().and_then(|system| of(Some(system.release()))),
        "machine": system.as_ref().and_then(|system| of(Some(system.machine()))),
        "cores": std::thread::available_parallelism().map(usize::from).ok(),
        "time_zone": jiff::tz::TimeZone::system().iana_name(),
    })
}

fn configuration(home: &Path, scrub: &Scrub) -> String {
    match Config::read(&home.join("config.toml")) {
        Ok(config) => scrub.document(json!(config)),
        Err(error) => scrub.document(json!({ "error": error.to_string() })),
    }
}

/// What the ledger tells, as far as it can be read.
async fn ledger(home: &Path, scrub: &Scrub, last: u64) -> Vec<Part> {
    let audit = match Audit::open(home).await {
        Ok(audit) => audit,
        Err(error) => {
            let why = json!({ "code": error.code(), "error": error.to_string() });
            return vec![part("digests.json", scrub.document(why))];
        }
    };
    let digests = match audit.replay(None, &mut |_| {}).await {
        Ok(replay) => json!({
            "facts": replay.head.sequence,
            "chain": replay.head.chain.to_string(),
            "agrees": replay.agrees(),
            "digests": replay.digests.iter().map(|(label, digest)| json!([label, digest.to_string()])).collect::<Vec<_>>(),
        }),
        Err(error) => json!({ "code": error.code(), "error": scrub.text(&error.to_string()) }),
    };
    let journal = match audit.journal(&JournalQuery::newest(JOURNAL_LINES_MAX)).await {
        Ok((lines, dropped)) => lines
            .iter()
            .rev()
            .map(|line| json!({ "at_ms": line.at_ms, "kind": line.kind, "subject": line.subject, "text": line.text }))
            .chain([json!({ "dropped": dropped })])
            .map(|line| scrub.line(line))
            .collect(),
        Err(error) => scrub.text(&error.to_string()),
    };
    let facts = match facts::last(&audit, last, scrub).await {
        Ok(facts) => facts,
        Err(error) => scrub.text(&error.to_string()),
    };
    // Digests are public by nature, and of no use when they are cut.
    vec![
        part("digests.json", pretty(&digests)),
        part("facts.jsonl", facts),
        part("journal.jsonl", journal),
    ]
}

/// The ends of the newest logs.
fn logs(home: &Path, scrub: &Scrub) -> Vec<Part> {
    let of = |folder: &str| fs::read_dir(home.join(folder)).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = of("logs").map(|entry| entry.path()).collect();
    let of_wallet = of("wallet").map(|entry| entry.path());
    files.extend(of_wallet.filter(|path| {
        path.extension()
            .is_some_and(|kind| kind == "log" || kind == "old")
    }));
    files.retain(|path| fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file()));
    files.sort_by_key(|path| std::cmp::Reverse(fs::metadata(path).and_then(|m| m.modified()).ok()));
    files.truncate(LOGS_MAX);
    let of_file = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let text = tail(path).unwrap_or_else(|error| error.to_string());
        part(&format!("logs/{name}"), scrub.text(&text))
    };
    files.iter().map(of_file).collect()
}

/// The whole lines at the end of a file.
fn tail(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let from = file.metadata()?.len().saturating_sub(LOG_BYTES_MAX);
    file.seek(SeekFrom::Start(from))?;
    let mut end = Vec::new();
    file.take(LOG_BYTES_MAX).read_to_end(&mut end)?;
    let text = String::from_utf8_lossy(&end);
    Ok(match from {
        0 => text.into_owned(),
        // A line that begins in the middle could begin in the middle of a secret.
        _ => text
            .split_once('\n')
            .map(|(_, rest)| rest.to_owned())
            .unwrap_or_default(),
    })
}

fn write(path: &Path, parts: &[Part]) -> io::Result<()> {
    let file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let mut archive = tar::Builder::new(GzEncoder::new(file, Compression::default()));
    let now_s = jiff::Timestamp::now().as_second();
    for part in parts {
        let mut header = tar::Header::new_gnu();
        header.set_size(part.text.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(u64::try_from(now_s).unwrap_or(0));
        archive.append_data(
            &mut header,
            format!("autopilot-debug/{}", part.name),
            part.text.as_bytes(),
        )?;
    }
    let mut file = archive.into_inner()?.finish()?;
    file.flush()?;
    file.sync_all()
}
