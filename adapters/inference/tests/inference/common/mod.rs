//! The real worker with the real fixture model, in a folder of its own.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, missing_docs)]
use std::{path::PathBuf, time::Duration};

use autopilot_core::ports::model::{GenerateRequest, Input, Sampling};
use autopilot_events::words::JobId;
use autopilot_inference::{ModelFile, WorkerConfig, WorkerProcess, worker_program};
use tempfile::TempDir;

/// The fixture: `AUTOPILOT_MODEL`, or where the set-up script puts it.
pub fn fixture() -> PathBuf {
    let path = std::env::var_os("AUTOPILOT_MODEL")
        .map(PathBuf::from)
        .unwrap_or_else(|| {
            let home = PathBuf::from(std::env::var_os("HOME").expect("HOME is set"));
            home.join(".cache/autopilot/models/smollm2-135m-instruct-q4_1.gguf")
        });
    assert!(
        path.is_file(),
        "the fixture model is missing at {}; ./test gets it",
        path.display()
    );
    path
}

/// The embedding model: `AUTOPILOT_EMBEDDING_MODEL`, or where the set-up script puts it.
pub fn embedding_fixture() -> PathBuf {
    let path = std::env::var_os("AUTOPILOT_EMBEDDING_MODEL")
        .map(PathBuf::from)
        .unwrap_or_else(|| {
            let home = PathBuf::from(std::env::var_os("HOME").expect("HOME is set"));
            home.join(".cache/autopilot/models/all-minilm-l6-v2-f16-832d69edd8c5.gguf")
        });
    assert!(
        path.is_file(),
        "the embedding model is missing at {}; ./test makes it",
        path.display()
    );
    path
}

/// A supervisor in a folder of its own.
pub struct World {
    pub dir: TempDir,
    pub worker: WorkerProcess,
}

impl World {
    pub fn new(adapt: impl FnOnce(&mut WorkerConfig)) -> World {
        let dir = TempDir::new().expect("a temporary folder");
        let program = worker_program().expect("the worker is built");
        let model = ModelFile {
            path: fixture(),
            sha256: None,
        };
        let mut config = WorkerConfig::new(program, dir.path().join("run"), model);
        config.n_ctx = 512;
        config.n_batch = 64;
        config.first_fault = None;
        config.watchdog = Duration::from_secs(60);
        adapt(&mut config);
        World {
            dir,
            worker: WorkerProcess::new(config),
        }
    }

    pub fn faulty(fault: &str) -> World {
        World::new(|config| config.first_fault = Some(fault.into()))
    }
}

pub fn job(number: u8) -> JobId {
    JobId([number; 32])
}

/// A question, answered greedily.
pub fn ask(number: u8, question: &str, max_tokens: u32) -> GenerateRequest {
    GenerateRequest {
        job: job(number),
        input: Input::question(question),
        max_tokens,
        sampling: Sampling {
            temperature_milli: 0,
            ..Sampling::default()
        },
        stop: Vec::new(),
        deadline_ms: None,
    }
}

/// A question whose answer is long: text to continue does not end by itself soon.
pub fn long(number: u8) -> GenerateRequest {
    let mut request = ask(number, "", 400);
    request.input = Input::Text("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18".into());
    request
}
