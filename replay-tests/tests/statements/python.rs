//! The second verifier, asked about many files at once.
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

/// What a verifier says.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The totals.
    Holds(Value),
    /// Line, fact and code.
    Fails(u64, Option<u64>, String),
}

/// Reads paths, one a line, and verifies each; what a verifier prints for one file ends with its verdict.
const MANY: &str = "import sys, verify_statement as v\n\
    for path in sys.stdin:\n    with open(path.strip(), 'rb') as file: v.verify(file, sys.argv[1:])\n";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The folder with the packages that the verifier needs, as `scripts/python-crypto.sh` fetches them.
fn packages() -> String {
    let output = Command::new(root().join("scripts/python-crypto.sh"))
        .output()
        .expect("bash runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Panics with the first files about which the two do not say the same.
pub fn agrees(files: &[(String, Vec<u8>, Verdict)], witnesses: &[String]) {
    let folder = tempfile::tempdir().unwrap();
    let mut paths = String::new();
    for (number, (_, bytes, _)) in files.iter().enumerate() {
        let path = folder.path().join(number.to_string());
        fs::write(&path, bytes).unwrap();
        paths += &format!("{}\n", path.display());
    }
    let mut python = Command::new("python3")
        .args(["-B", "-c", MANY])
        .args(witnesses)
        .env(
            "PYTHONPATH",
            format!("{}:{}", root().join("replay-tests").display(), packages()),
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    python.stdin.take().unwrap().write_all(paths.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "the Python verifier ended with {}",
        output.status
    );
    let said = String::from_utf8(output.stdout).unwrap();
    let verdicts: Vec<Verdict> = said
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter_map(|line: Value| verdict(&line))
        .collect();
    assert_eq!(verdicts.len(), files.len(), "{said}");
    let differ: Vec<_> = files
        .iter()
        .zip(&verdicts)
        .filter(|((_, _, ours), theirs)| ours != *theirs)
        .map(|((name, _, ours), theirs)| format!("{name}: {ours:?}, in Python {theirs:?}"))
        .collect();
    assert!(differ.is_empty(), "{differ:#?}");
}

fn verdict(line: &Value) -> Option<Verdict> {
    match line["ok"].as_bool()? {
        true => Some(Verdict::Holds(line["totals"].clone())),
        false => Some(Verdict::Fails(
            line["line"].as_u64()?,
            line["fact"].as_u64(),
            line["code"].as_str()?.to_owned(),
        )),
    }
}
