//! The statement of a home that really earned, checked by both verifiers.
use std::path::Path;

use serde_json::Value;
use tokio::process::Command;

use crate::programs::support::{ctl, json};

/// What the statement of everything says, one value a line.
pub async fn checked(home: &Path) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("all.statement");
    let file = path.to_str().unwrap();
    json(home, &["statement", "create", "-o", file]).await;
    let nowhere = folder.path().join("nobody");
    let ours = ctl(&nowhere, &["statement", "verify", file, "--json"]).await;
    assert_eq!(ours.code, 0, "{ours:?}");
    let ours = documents(&ours.data);
    assert_eq!(
        ours,
        documents(&python(file).await),
        "the two verifiers print the same"
    );
    ours
}

/// One JSON document a line.
fn documents(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What the Python verifier prints.
async fn python(file: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let packages = Command::new(root.join("scripts/python-crypto.sh"))
        .output()
        .await
        .unwrap();
    let output = Command::new("python3")
        .arg("-B")
        .arg(root.join("replay-tests/verify_statement.py"))
        .arg(file)
        .env("PYTHONPATH", String::from_utf8(packages.stdout).unwrap().trim())
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}
