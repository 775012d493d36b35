//! Why a model gave no answer: a closed list, a sentence, and what a person can do.
use super::Generation;

/// Why there is no (whole) output. The sentence is for a person and never holds prompt, output or a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// No file at the configured path.
    #[error("there is no model file at {path}")]
    ModelMissing {
        /// Where it was looked for.
        path: String,
    },
    /// The file can't be read, or is no model that the runtime can load.
    #[error("the model file cannot be loaded: {reason}")]
    ModelUnreadable {
        /// What the file system or the runtime said.
        reason: String,
    },
    /// The file is not the one that was chosen.
    #[error("the model file's digest is not the expected one: {reason}")]
    ModelDigestMismatch {
        /// Found and expected digest.
        reason: String,
    },
    /// Weights, context and buffers need more memory than allowed.
    #[error("the model needs about {need_bytes} bytes of memory, {limit_bytes} are allowed")]
    ModelTooLarge {
        /// Estimated need.
        need_bytes: u64,
        /// Limit in force.
        limit_bytes: u64,
    },
    /// The prompt does not fit the context.
    #[error("the prompt has {tokens} tokens, at most {limit} fit")]
    PromptTooLong {
        /// Tokens in the prompt.
        tokens: u64,
        /// Most that would fit.
        limit: u64,
    },
    /// The request breaks a bound of the contract.
    #[error("the request is not valid: {reason}")]
    RequestInvalid {
        /// Which bound.
        reason: String,
    },
    /// Too many requests wait already.
    #[error("too many requests are waiting for the model")]
    Busy,
    /// It was asked to stop.
    #[error("the request was cancelled")]
    Cancelled {
        /// What was there by then, if work had begun.
        partial: Option<Box<Generation>>,
    },
    /// Its deadline passed.
    #[error("the deadline passed before the answer was complete")]
    DeadlineExceeded {
        /// What was there by then, if work had begun.
        partial: Option<Box<Generation>>,
    },
    /// The worker went beyond its memory bound.
    #[error("the inference worker ran out of its memory bound")]
    OutOfMemory,
    /// The worker's process ended while it held the request.
    #[error("the inference worker ended unexpectedly ({})", ended(*signal, *exit_code))]
    WorkerCrashed {
        /// Signal that ended it.
        signal: Option<i32>,
        /// Exit status, when no signal ended it.
        exit_code: Option<i32>,
    },
    /// The worker made no progress for the watchdog's bound and was killed.
    #[error("the inference worker made no progress for {silent_ms} ms and was replaced")]
    WorkerHung {
        /// The bound, ms.
        silent_ms: u64,
    },
    /// The worker's program is not there.
    #[error("the inference worker program is missing: {path}")]
    WorkerMissing {
        /// Where it was looked for.
        path: String,
    },
    /// No worker can be had now.
    #[error("the inference worker cannot be started: {reason}")]
    WorkerUnavailable {
        /// Why.
        reason: String,
    },
    /// A model server could not be used.
    #[error("{}: {detail}", fault.sentence())]
    Server {
        /// In which way.
        fault: ServerFault,
        /// Which server, and what is known beside it.
        detail: String,
    },
    /// Anything else that the worker reports.
    #[error("the inference worker failed: {reason}")]
    Internal {
        /// What it said.
        reason: String,
    },
}

/// In which way a model server could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServerFault {
    /// No connection, or one that broke before the answer was whole.
    Unreachable,
    /// It wants another key.
    Unauthorised,
    /// It does not serve the model, or no such interface.
    ModelMissing,
    /// It has no room now.
    Overloaded,
    /// The prompt does not fit its context.
    ContextTooLong,
    /// Its answer is not what the interface promises.
    Malformed,
    /// It sends more than was asked for.
    OutputTooLarge,
    /// It holds the connection and says nothing.
    Silent,
    /// It failed, by its own word.
    Failed,
}

impl ServerFault {
    fn sentence(self) -> &'static str {
        match self {
            ServerFault::Unreachable => "the model server can't be reached",
            ServerFault::Unauthorised => "the model server refuses the key",
            ServerFault::ModelMissing => "the model server does not serve this model",
            ServerFault::Overloaded => "the model server has no room",
            ServerFault::ContextTooLong => "the prompt does not fit the model server's context",
            ServerFault::Malformed => "the model server's answer makes no sense",
            ServerFault::OutputTooLarge => "the model server sends more than was asked for",
            ServerFault::Silent => "the model server says nothing",
            ServerFault::Failed => "the model server failed",
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            ServerFault::Unreachable => "server-unreachable",
            ServerFault::Unauthorised => "server-unauthorised",
            ServerFault::ModelMissing => "server-model-missing",
            ServerFault::Overloaded => "server-overloaded",
            ServerFault::ContextTooLong => "server-context-too-long",
            ServerFault::Malformed => "server-malformed",
            ServerFault::OutputTooLarge => "server-output-too-large",
            ServerFault::Silent => "server-silent",
            ServerFault::Failed => "server-failed",
        }
    }

    fn next_step(self) -> &'static str {
        match self {
            ServerFault::Unreachable => "start it, and check `url` under [model] in config.toml",
            ServerFault::Unauthorised => "put its key into the file that `key_file` names",
            ServerFault::ModelMissing => "choose `model` from `autopilotctl model show`, or load it there",
            ServerFault::Overloaded => "lower `max_in_flight`, or give the server more room",
            ServerFault::ContextTooLong => {
                "lower the policy's largest input, or give the server a longer context"
            }
            ServerFault::Malformed | ServerFault::OutputTooLarge => {
                "check that `url` names an OpenAI-compatible interface"
            }
            ServerFault::Silent | ServerFault::Failed => "look at the server's own log, and start it again",
        }
    }
}

fn ended(signal: Option<i32>, exit_code: Option<i32>) -> String {
    match (signal, exit_code) {
        (Some(signal), _) => format!("signal {signal}"),
        (None, Some(code)) => format!("exit status {code}"),
        (None, None) => "cause unknown".to_owned(),
    }
}

/// The closed list of reasons, as facts and faces carry them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is the ModelError of its name")]
pub enum ModelErrorCode {
    ModelMissing,
    ModelUnreadable,
    ModelDigestMismatch,
    ModelTooLarge,
    PromptTooLong,
    RequestInvalid,
    Busy,
    Cancelled,
    DeadlineExceeded,
    OutOfMemory,
    WorkerCrashed,
    WorkerHung,
    WorkerMissing,
    WorkerUnavailable,
    Server(ServerFault),
    Internal,
}

impl ModelErrorCode {
    /// The word that facts and faces use.
    pub fn as_str(self) -> &'static str {
        match self {
            ModelErrorCode::ModelMissing => "model-missing",
            ModelErrorCode::ModelUnreadable => "model-unreadable",
            ModelErrorCode::ModelDigestMismatch => "model-digest-mismatch",
            ModelErrorCode::ModelTooLarge => "model-too-large",
            ModelErrorCode::PromptTooLong => "prompt-too-long",
            ModelErrorCode::RequestInvalid => "request-invalid",
            ModelErrorCode::Busy => "busy",
            ModelErrorCode::Cancelled => "cancelled",
            ModelErrorCode::DeadlineExceeded => "deadline-exceeded",
            ModelErrorCode::OutOfMemory => "out-of-memory",
            ModelErrorCode::WorkerCrashed => "worker-crashed",
            ModelErrorCode::WorkerHung => "worker-hung",
            ModelErrorCode::WorkerMissing => "worker-missing",
            ModelErrorCode::WorkerUnavailable => "worker-unavailable",
            ModelErrorCode::Server(fault) => fault.as_str(),
            ModelErrorCode::Internal => "internal",
        }
    }
}

impl ModelError {
    /// The reason as one of a closed list.
    pub fn code(&self) -> ModelErrorCode {
        match self {
            ModelError::ModelMissing { .. } => ModelErrorCode::ModelMissing,
            ModelError::ModelUnreadable { .. } => ModelErrorCode::ModelUnreadable,
            ModelError::ModelDigestMismatch { .. } => ModelErrorCode::ModelDigestMismatch,
            ModelError::ModelTooLarge { .. } => ModelErrorCode::ModelTooLarge,
            ModelError::PromptTooLong { .. } => ModelErrorCode::PromptTooLong,
            ModelError::RequestInvalid { .. } => ModelErrorCode::RequestInvalid,
            ModelError::Busy => ModelErrorCode::Busy,
            ModelError::Cancelled { .. } => ModelErrorCode::Cancelled,
            ModelError::DeadlineExceeded { .. } => ModelErrorCode::DeadlineExceeded,
            ModelError::OutOfMemory => ModelErrorCode::OutOfMemory,
            ModelError::WorkerCrashed { .. } => ModelErrorCode::WorkerCrashed,
            ModelError::WorkerHung { .. } => ModelErrorCode::WorkerHung,
            ModelError::WorkerMissing { .. } => ModelErrorCode::WorkerMissing,
            ModelError::WorkerUnavailable { .. } => ModelErrorCode::WorkerUnavailable,
            ModelError::Server { fault, .. } => ModelErrorCode::Server(*fault),
            ModelError::Internal { .. } => ModelErrorCode::Internal,
        }
    }

    /// What a person can do about it.
    pub fn next_step(&self) -> &'static str {
        match self {
            ModelError::ModelMissing { .. } => {
                "`autopilotctl model pull`, or correct `path` under [model] in config.toml"
            }
            ModelError::ModelUnreadable { .. } | ModelError::ModelDigestMismatch { .. } => {
                "the file is damaged or another one: remove it, then `autopilotctl model pull`"
            }
            ModelError::ModelTooLarge { .. } | ModelError::OutOfMemory => {
                "free memory, lower the policy's `max_in_flight`, or choose a smaller model"
            }
            ModelError::PromptTooLong { .. } => "lower the policy's largest input",
            ModelError::WorkerMissing { .. } => {
                "build it, or name its folder in AUTOPILOT_BIN_DIR: `autopilotctl doctor`"
            }
            ModelError::Server { fault, .. } => fault.next_step(),
            ModelError::WorkerCrashed { .. }
            | ModelError::WorkerHung { .. }
            | ModelError::WorkerUnavailable { .. } => {
                "it is started again by itself; if that goes on: `autopilotctl doctor`"
            }
            ModelError::RequestInvalid { .. }
            | ModelError::Busy
            | ModelError::Cancelled { .. }
            | ModelError::DeadlineExceeded { .. }
            | ModelError::Internal { .. } => "`autopilotctl doctor`",
        }
    }
}
