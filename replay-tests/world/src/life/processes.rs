//! What the system knows of our processes: who is whose child, their memory, and the bytes of their folders.
use std::{fs, path::Path};

use anyhow::{Context, Result};
use autopilot_host::sandbox::Child;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// Name of the wallet's program.
pub const WALLET: &str = "autopilot-walletd";
/// Name of the worker's program.
pub const WORKER: &str = "autopilot-inference-worker";

/// Resident memory, in KiB; nothing where the process is gone.
pub fn rss_kib(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The child of a host that runs this program.
pub fn child_of(host: &Child, program: &str) -> Option<u32> {
    let host = host.pid()?;
    let processes = fs::read_dir("/proc").ok()?.filter_map(Result::ok);
    let mut ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.find(|pid| parent(*pid) == Some(host) && runs(*pid, program))
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold spaces and parentheses; what follows its last one is state and parent.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn runs(pid: u32, program: &str) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let first = line.split(|byte| *byte == 0).next().unwrap_or_default();
    first.ends_with(program.as_bytes())
}

/// Sends a signal.
///
/// # Errors
/// There is no such process.
pub fn signal(pid: u32, signal: Signal) -> Result<()> {
    let pid = Pid::from_raw(i32::try_from(pid)?);
    kill(pid, signal).with_context(|| format!("{signal} to {pid}"))
}

/// Bytes of the files below a folder, as the disk counts them. Files that go meanwhile count nothing.
pub fn bytes_below(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    entries
        .filter_map(Result::ok)
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => bytes_below(&entry.path()),
            Ok(meta) => meta.blocks() * 512,
            Err(_) => 0,
        })
        .sum()
}

/// Digest of the programs in a folder, so that figures name what made them.
///
/// # Errors
/// A program is missing.
pub fn digest(program: &Path) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    let folder = program.parent().context("a program lies in a folder")?;
    for name in ["autopilot-headless", WALLET, WORKER] {
        let path = folder.join(name);
        hasher.update_reader(fs::File::open(&path).with_context(|| path.display().to_string())?)?;
    }
    Ok(hasher.finalize().to_hex()[..16].to_owned())
}
