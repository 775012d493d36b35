//! Where the host is: its manifest, read anew for every call, since a host that was started again has another token.
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// What is needed of `<home>/run/control.json`.
#[derive(Deserialize)]
pub struct Manifest {
    /// `127.0.0.1:port`.
    pub address: String,
    /// Of the host.
    pub pid: u32,
    /// Shown to nobody.
    pub token: String,
}

impl Manifest {
    /// The manifest of a host that runs; `None`: there is none, or its process is gone.
    pub fn read(home: &Path) -> Option<Manifest> {
        let bytes = std::fs::read(home.join("run").join("control.json")).ok()?;
        let manifest: Manifest = serde_json::from_slice(&bytes).ok()?;
        let alive = Path::new("/proc").join(manifest.pid.to_string()).exists();
        alive.then_some(manifest)
    }
}

/// The home folder that is meant: the one that is named, or the one in the XDG data folder.
pub fn home(given: Option<&Path>) -> Option<PathBuf> {
    if let Some(path) = given.filter(|path| !path.as_os_str().is_empty()) {
        // Without a current folder a relative path stays as it is; reading it then says what is wrong.
        return Some(std::path::absolute(path).unwrap_or_else(|_| path.to_owned()));
    }
    // The XDG rules: a relative path counts as not set.
    let absolute = |name: &str| {
        let path = std::env::var_os(name).map(PathBuf::from);
        path.filter(|path| path.is_absolute())
    };
    let data = absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")));
    data.map(|data| data.join("autopilot"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_of_a_process_that_is_gone_is_none() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Manifest::read(folder.path()).is_none());
        std::fs::create_dir(folder.path().join("run")).unwrap();
        let write = |pid: u32| {
            let text = format!(r#"{{"address":"127.0.0.1:1","pid":{pid},"token":"t","version":"0"}}"#);
            std::fs::write(folder.path().join("run/control.json"), text).unwrap();
        };
        write(std::process::id());
        assert_eq!(Manifest::read(folder.path()).unwrap().address, "127.0.0.1:1");
        // Linux numbers processes below 2^22.
        write(1 << 30);
        assert!(Manifest::read(folder.path()).is_none());
    }
}
