//! What a host has on this machine, with sizes.
use std::{
    fs,
    path::{Path, PathBuf},
};

use autopilot_host::config::{Config, Model};
use serde::Serialize;

/// What a home folder holds of ours: name and meaning. Whatever else lies there is somebody else's and stays.
const OURS: [(&str, &str); 10] = [
    (
        "identity.age",
        "the identity: without a backup of its words it is gone for good",
    ),
    ("passphrase", "the key to the identity"),
    ("keyring", "the name of that key in the desktop's keyring"),
    ("config.toml", "the configuration"),
    ("ledger", "every fact, and the texts beside them"),
    ("wallet", "the wallet: channels and keys"),
    ("models", "models"),
    ("logs", "logs"),
    ("run", "sockets, and how the host is reached"),
    ("cache", "copies that can be made again"),
];
const PROGRAMS: [&str; 5] = [
    "autopilotctl",
    "autopilot-headless",
    "autopilot-mcp",
    "autopilot-walletd",
    "autopilot-inference-worker",
];
/// Folders below one another that are looked into.
const DEPTH_MAX: u32 = 32;

/// Something that lies on the disk.
#[derive(Debug, Serialize)]
pub struct Holding {
    pub path: PathBuf,
    pub bytes: u64,
    pub what: &'static str,
    /// Whether it is taken away.
    pub goes: bool,
}

/// Whether this is a home folder of a host.
pub fn is_home(path: &Path) -> bool {
    ["identity.age", "config.toml", "ledger"]
        .iter()
        .any(|name| path.join(name).exists())
}

/// Everything of a home folder, and what belongs to it elsewhere.
pub fn of(home: &Path, cache: bool, programs: bool) -> Vec<Holding> {
    let mut found = Vec::new();
    let mut add = |path: PathBuf, what, goes| {
        if fs::symlink_metadata(&path).is_ok() {
            let bytes = size(&path, DEPTH_MAX);
            found.push(Holding {
                path,
                bytes,
                what,
                goes,
            });
        }
    };
    for (name, what) in OURS {
        add(home.join(name), what, true);
    }
    for entry in fs::read_dir(home).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if OURS.iter().all(|(ours, _)| *ours != name) {
            add(entry.path(), "somebody else's", false);
        }
    }
    let configured = Config::read(&home.join("config.toml"))
        .ok()
        .and_then(|config| config.model);
    if let Some(Model::File { path, .. }) = configured
        && !path.starts_with(home)
    {
        add(path, "the model in use, outside of the home folder", false);
    }
    if let Some(folder) = cache_folder() {
        add(
            folder,
            "the cache of downloads and builds (--cache takes it away)",
            cache,
        );
    }
    let here = std::env::current_exe().ok();
    for folder in here.iter().filter_map(|program| program.parent()) {
        for program in PROGRAMS {
            add(
                folder.join(program),
                "a program (--programs takes it away)",
                programs,
            );
        }
    }
    found
}

fn cache_folder() -> Option<PathBuf> {
    let named = std::env::var_os("AUTOPILOT_CACHE").map(PathBuf::from);
    named.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/autopilot")))
}

/// Bytes of a file or of everything below a folder. Links are counted, not followed.
fn size(path: &Path, depth: u32) -> u64 {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return 0;
    };
    if !metadata.is_dir() || depth == 0 {
        return metadata.len();
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| size(&entry.path(), depth - 1)).sum()
}
