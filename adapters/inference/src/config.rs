//! What a worker is started with.
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// Name of the worker's program.
pub const WORKER_PROGRAM: &str = "autopilot-inference-worker";

/// The model file that a worker serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFile {
    /// A GGUF file.
    pub path: PathBuf,
    /// SHA-256 that the file must have; `None`: any, only reported.
    pub sha256: Option<[u8; 32]>,
}

/// How a worker is started, bounded and watched.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// The worker's program, see [`worker_program`].
    pub program: PathBuf,
    /// Folder for the socket; made with mode 0700 if missing. Short: a socket path has at most 107 bytes.
    pub runtime_dir: PathBuf,
    /// The model, at first: [`crate::WorkerProcess::serve`] serves another one.
    pub model: ModelFile,
    /// Context length in tokens; 0: the smaller of 2,048 and what the model was trained with.
    pub n_ctx: u32,
    /// Most tokens handed to one decode, so the longest that a cancel waits for; 0: 256.
    pub n_batch: u32,
    /// Compute threads; 0: physical cores less one, at least one.
    pub threads: u32,
    /// Most bytes that the model may need; 0: what the machine has available.
    pub memory_limit_bytes: u64,
    /// Load the model to embed texts instead of generating text.
    pub embeddings: bool,
    /// Requests that are computed at the same time, 1 to 64, each with a context of its own; fewer where memory does not
    /// suffice. [`crate::WorkerProcess::set_in_flight`] changes it.
    pub in_flight: u32,
    /// Requests that may wait behind those that run.
    pub queue_max: usize,
    /// Longest silence of a working worker before it is taken for hung.
    pub watchdog: Duration,
    /// Longest that a worker may take to listen.
    pub start_bound: Duration,
    /// Longest that digest and load of the model may take.
    pub load_bound: Duration,
    /// A fault for crash tests, given to the first worker process only (`AUTOPILOT_WORKER_FAULT`, see the worker).
    pub first_fault: Option<String>,
}

impl WorkerConfig {
    /// The defaults for a program, a folder for the socket and a model. The fault, if any, is taken from this
    /// process's own `AUTOPILOT_WORKER_FAULT`.
    pub fn new(program: PathBuf, runtime_dir: PathBuf, model: ModelFile) -> WorkerConfig {
        WorkerConfig {
            program,
            runtime_dir,
            model,
            n_ctx: 0,
            n_batch: 0,
            threads: 0,
            memory_limit_bytes: 0,
            embeddings: false,
            in_flight: 1,
            queue_max: 64,
            watchdog: Duration::from_secs(60),
            start_bound: Duration::from_secs(20),
            load_bound: Duration::from_secs(180),
            first_fault: std::env::var("AUTOPILOT_WORKER_FAULT").ok(),
        }
    }
}

/// The worker's program: in `AUTOPILOT_BIN_DIR` if that is set, else beside the running program (or, for a
/// test, beside its folder). The error names the places that were looked at.
pub fn worker_program() -> Result<PathBuf, String> {
    let mut places = Vec::new();
    if let Some(dir) = std::env::var_os("AUTOPILOT_BIN_DIR") {
        places.push(PathBuf::from(dir));
    } else if let Ok(program) = std::env::current_exe() {
        places.extend(program.ancestors().skip(1).take(2).map(Path::to_owned));
    }
    let candidates: Vec<_> = places.iter().map(|dir| dir.join(WORKER_PROGRAM)).collect();
    candidates
        .iter()
        .find(|path| path.is_file())
        .cloned()
        .ok_or_else(|| {
            let looked: Vec<_> = candidates.iter().map(|path| path.display().to_string()).collect();
            format!(
                "{WORKER_PROGRAM} is not at {}; build it with: cargo build -p {WORKER_PROGRAM}",
                looked.join(" nor ")
            )
        })
}
