//! What the machine offers: cores, memory, the runtime's own description of its build.
use std::{collections::HashSet, ffi::CStr, fs};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// The runtime and its build, as receipts name it. The pinned crate vendors exactly one llama.cpp.
pub fn runtime_build() -> String {
    "llama-cpp-2 0.1.160".to_owned()
}

/// Device and CPU features that the runtime was built for, in the runtime's words.
#[allow(unsafe_code)]
pub fn cpu_features() -> String {
    // SAFETY: llama_print_system_info takes nothing and returns a pointer to a static, NUL-terminated string
    // that it fills anew on each call; it is called from the inference thread alone and copied at once.
    let text = unsafe { CStr::from_ptr(llama_cpp_sys_2::llama_print_system_info()) };
    let features: Vec<_> = text
        .to_string_lossy()
        .split('|')
        .map(|part| part.trim().trim_start_matches("CPU :").trim().to_owned())
        .filter(|part| part.ends_with("= 1"))
        .map(|part| part.trim_end_matches("= 1").trim().to_owned())
        .collect();
    format!("cpu {}", features.join(" "))
}

/// Physical cores that this process may use, less one for the rest of the machine; at least one.
pub fn default_threads() -> u32 {
    let usable = std::thread::available_parallelism().map_or(1, |count| count.get());
    let physical = physical_cores(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default()).unwrap_or(usable);
    u32::try_from(physical.min(usable).saturating_sub(1))
        .unwrap_or(1)
        .max(1)
}

fn physical_cores(cpuinfo: &str) -> Option<usize> {
    let mut cores = HashSet::new();
    let mut package = "";
    for line in cpuinfo.lines() {
        match line
            .split_once(':')
            .map(|(key, value)| (key.trim(), value.trim()))
        {
            Some(("physical id", value)) => package = value,
            Some(("core id", value)) => {
                cores.insert((package, value));
            }
            _ => {}
        }
    }
    (!cores.is_empty()).then_some(cores.len())
}

/// Memory that can be had without swapping, bytes; `None` where the kernel does not say.
pub fn available_bytes() -> Option<u64> {
    kibibytes("/proc/meminfo", "MemAvailable:")
}

/// Resident memory of this process, bytes; 0 where the kernel does not say.
pub fn resident_bytes() -> u64 {
    kibibytes("/proc/self/status", "VmRSS:").unwrap_or(0)
}

fn address_space_bytes() -> u64 {
    kibibytes("/proc/self/status", "VmSize:").unwrap_or(1 << 30)
}

fn kibibytes(file: &str, key: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    line.split_whitespace()
        .nth(1)?
        .parse::<u64>()
        .ok()?
        .checked_mul(1024)
}

/// Bounds the address space to what is in use now plus `growth_bytes`, and returns the bound. Beyond it an
/// allocation fails here instead of waking the machine's OOM killer. Only the soft limit moves, so that another
/// model can be loaded later.
pub fn bound_growth(growth_bytes: u64) -> Result<u64, nix::Error> {
    let (_, hard) = getrlimit(Resource::RLIMIT_AS)?;
    let bound = address_space_bytes().saturating_add(growth_bytes).min(hard);
    setrlimit(Resource::RLIMIT_AS, bound, hard)?;
    Ok(bound)
}

/// Lifts the bound, before another model is loaded.
pub fn lift_bound() -> Result<(), nix::Error> {
    let (_, hard) = getrlimit(Resource::RLIMIT_AS)?;
    setrlimit(Resource::RLIMIT_AS, hard, hard)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hyperthreads_are_not_cores() {
        let two_cores =
            "physical id : 0\ncore id : 0\n\nphysical id : 0\ncore id : 0\n\nphysical id : 0\ncore id : 1\n";
        assert_eq!(physical_cores(two_cores), Some(2));
        assert_eq!(physical_cores(""), None);
    }
}
