//! The manifest: where a running host is reached over HTTP, readable by its owner alone.
use std::{
    fs,
    path::{Path, PathBuf},
};

use nix::{errno::Errno, sys::signal::kill, unistd::Pid};
use serde::{Deserialize, Serialize};

use crate::home::{HomeError, write_private};

/// `<home>/run/control.json`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// `127.0.0.1:port`.
    pub address: String,
    /// Of the host.
    pub pid: u32,
    /// For `Authorization: Bearer …`; of this run.
    pub token: String,
    /// Of the program.
    pub version: String,
    /// The home folder.
    pub home: PathBuf,
    /// When the host began to serve.
    pub started_at_ms: i64,
}

impl std::fmt::Debug for Manifest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Manifest({}, process {})", self.address, self.pid)
    }
}

impl Manifest {
    /// The manifest of the host that runs; `None`: there is none, or its process is gone.
    pub fn read(file: &Path) -> Option<Manifest> {
        let manifest: Manifest = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
        manifest.is_alive().then_some(manifest)
    }

    fn is_alive(&self) -> bool {
        let Ok(pid) = i32::try_from(self.pid) else {
            return false;
        };
        // A process of another user is one too.
        pid > 0 && matches!(kill(Pid::from_raw(pid), None), Ok(()) | Err(Errno::EPERM))
    }

    pub(super) fn write(&self, file: &Path) -> Result<(), HomeError> {
        // Plain owned data with string keys: serialising it into memory cannot fail.
        write_private(file, &serde_json::to_vec(self).unwrap_or_default())
    }

    /// Takes the file away, unless another host wrote its own there since.
    pub(super) fn remove(&self, file: &Path) {
        let there = fs::read(file).ok();
        let there = there.and_then(|bytes| serde_json::from_slice::<Manifest>(&bytes).ok());
        if there.as_ref() == Some(self) {
            let _ = fs::remove_file(file);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn of_process(pid: u32) -> Manifest {
        Manifest {
            address: "127.0.0.1:1".to_owned(),
            pid,
            token: "ab".repeat(32),
            version: "0".to_owned(),
            home: "/h".into(),
            started_at_ms: 1,
        }
    }

    #[test]
    fn a_manifest_is_private_and_counts_while_its_process_lives() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("control.json");
        let ours = of_process(std::process::id());
        ours.write(&file).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Manifest::read(&file), Some(ours.clone()));
        assert!(
            !format!("{ours:?}").contains("abab"),
            "a token is shown to nobody"
        );

        // No process has this number: Linux ends at 2^22.
        of_process(i32::MAX as u32).write(&file).unwrap();
        assert_eq!(Manifest::read(&file), None);
        ours.remove(&file);
        assert!(file.exists(), "another host's");
        ours.write(&file).unwrap();
        ours.remove(&file);
        assert!(!file.exists());
    }
}
