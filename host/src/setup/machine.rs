//! What the machine offers to a model. Where the kernel does not say something it is absent, and nothing is guessed.
use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

/// What the model runtime is built for.
const NEEDED: [&str; 3] = ["avx2", "fma", "f16c"];

/// The hardware as models see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// The processor's own name; empty where it is not known.
    pub cpu: String,
    /// Processors that this program may use.
    pub threads: u32,
    /// Physical cores; as many as threads where the kernel does not say.
    pub cores: u32,
    /// All memory, bytes.
    pub memory_bytes: Option<u64>,
    /// What of it can be had now without swapping, bytes.
    pub available_bytes: Option<u64>,
    /// Room on the disk of the home folder, bytes.
    pub disk_bytes: Option<u64>,
    /// CPU features that matter for a model's speed, of those that are there.
    pub features: Vec<String>,
    /// Features that the model runtime needs and that are missing: then no model file can be served here.
    pub missing: Vec<String>,
}

/// Looks at this machine; the disk is the one that `home` is or will be on.
pub fn machine(home: &Path) -> Machine {
    let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = u32::try_from(threads).unwrap_or(u32::MAX);
    Machine {
        threads,
        disk_bytes: free_bytes(home),
        ..of(&text("/proc/cpuinfo"), &text("/proc/meminfo"), threads)
    }
}

/// The machine as the kernel's own files describe it.
fn of(cpuinfo: &str, meminfo: &str, threads: u32) -> Machine {
    let line = |key: &str| {
        let value = cpuinfo.lines().find_map(|line| line.strip_prefix(key))?;
        value.trim_start().strip_prefix(':').map(str::trim)
    };
    let flags: HashSet<&str> = line("flags").unwrap_or_default().split_whitespace().collect();
    let known = [
        "sse4_2",
        "avx",
        "avx2",
        "fma",
        "f16c",
        "avx512f",
        "avx512_vnni",
        "avx_vnni",
        "amx_tile",
    ];
    let owned = |names: &[&str], there: bool| {
        let names = names.iter().filter(|name| flags.contains(**name) == there);
        names.map(|name| (*name).to_owned()).collect::<Vec<_>>()
    };
    Machine {
        cpu: line("model name").unwrap_or_default().to_owned(),
        threads,
        cores: physical(cpuinfo)
            .map_or(threads, |cores| cores.min(threads))
            .max(1),
        memory_bytes: kibibytes(meminfo, "MemTotal:"),
        available_bytes: kibibytes(meminfo, "MemAvailable:"),
        disk_bytes: None,
        features: owned(&known, true),
        // A kernel that lists no flags at all says nothing about them.
        missing: if flags.is_empty() {
            Vec::new()
        } else {
            owned(&NEEDED, false)
        },
    }
}

fn physical(cpuinfo: &str) -> Option<u32> {
    let mut cores = HashSet::new();
    let mut package = "";
    for line in cpuinfo.lines() {
        match line
            .split_once(':')
            .map(|(key, value)| (key.trim(), value.trim()))
        {
            Some(("physical id", value)) => package = value,
            Some(("core id", value)) => drop(cores.insert((package, value))),
            _ => {}
        }
    }
    u32::try_from(cores.len()).ok().filter(|count| *count > 0)
}

fn kibibytes(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with(key))?;
    line.split_whitespace()
        .nth(1)?
        .parse::<u64>()
        .ok()?
        .checked_mul(1_024)
}

/// Room for more, on the disk of a folder that need not be there yet.
fn free_bytes(folder: &Path) -> Option<u64> {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| PathBuf::from(folder));
    let there = folder.ancestors().find(|folder| folder.exists())?;
    let space = nix::sys::statvfs::statvfs(there).ok()?;
    Some(space.blocks_available().saturating_mul(space.fragment_size()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_understood_and_nothing_is_guessed() {
        let cpuinfo = "processor\t: 0\nmodel name\t: A CPU\nphysical id\t: 0\ncore id\t: 0\nflags\t\t: avx avx2 fma\n\n\
                       processor\t: 1\nmodel name\t: A CPU\nphysical id\t: 0\ncore id\t: 0\nflags\t\t: avx avx2 fma\n";
        let machine = of(cpuinfo, "MemTotal:  1024 kB\nMemAvailable: 512 kB\n", 2);
        assert_eq!(
            (machine.cpu.as_str(), machine.cores, machine.threads),
            ("A CPU", 1, 2)
        );
        assert_eq!(
            (machine.memory_bytes, machine.available_bytes),
            (Some(1 << 20), Some(1 << 19))
        );
        assert_eq!(machine.features, ["avx", "avx2", "fma"]);
        assert_eq!(machine.missing, ["f16c"]);
        let unknown = of("", "", 4);
        assert_eq!((unknown.cores, unknown.memory_bytes), (4, None));
        assert!(unknown.missing.is_empty());
    }

    #[test]
    fn this_machine_has_a_disk_and_a_core() {
        let machine = machine(Path::new("/nowhere/that/is/there"));
        assert!(machine.cores > 0 && machine.disk_bytes.is_some_and(|bytes| bytes > 0));
    }
}
