//! The model port: text in, text and a receipt out. Whoever implements it keeps the model in a process of its
//! own, so that nothing a model does can take the ledger along.
use std::future::Future;

use autopilot_events::words::{Digest, JobId};

/// A local model that answers one request at a time.
pub trait Model: Send + Sync {
    /// Names the model and what it runs with, and makes it ready if it is not.
    fn describe(&self) -> impl Future<Output = Result<ModelDescription, ModelError>> + Send;

    /// Runs one request. `on_chunk` gets the output piece by piece as valid UTF-8; the pieces together are
    /// [`Generation::text`]. Requests beyond the first wait in line, and their deadline runs meanwhile.
    /// Dropping the future cancels the work within one decode.
    fn generate(
        &self,
        request: GenerateRequest,
        on_chunk: impl FnMut(&str) + Send,
    ) -> impl Future<Output = Result<Generation, ModelError>> + Send;

    /// Asks a running or waiting request to stop; its `generate` ends with [`ModelError::Cancelled`]. False when
    /// no such request is known.
    fn cancel(&self, job: JobId) -> impl Future<Output = bool> + Send;
}

/// Who speaks in a [`Message`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Instructions of the provider.
    System,
    /// The customer.
    User,
    /// An earlier answer of the model.
    Assistant,
}

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said: always plain text, never template or special tokens.
    pub content: String,
}

/// What the model is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A conversation, rendered with the model's own chat template. 1 to 64 messages.
    Chat(Vec<Message>),
    /// Text to continue as it stands, without a template.
    Text(String),
}

impl Input {
    /// A single question of a customer.
    pub fn question(text: impl Into<String>) -> Input {
        Input::Chat(vec![Message {
            role: Role::User,
            content: text.into(),
        }])
    }
}

/// One request to a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenerateRequest {
    /// Names the request for [`Model::cancel`] and in the receipt.
    pub job: JobId,
    /// What is asked.
    pub input: Input,
    /// Most tokens to produce, at least 1. Output also ends when the context is full.
    pub max_tokens: u32,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// At most 8 strings of 1 to 128 bytes; output ends before the first that appears.
    pub stop: Vec<String>,
    /// Milliseconds that the request may take from now, waiting included; `None`: no deadline.
    pub deadline_ms: Option<u64>,
}

/// How tokens are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// Temperature in thousandths, 0 (greedy) to 5,000.
    pub temperature_milli: u32,
    /// Candidates kept by rank; 0: all.
    pub top_k: u32,
    /// Candidates kept by probability mass in thousandths; 0 or 1,000: all.
    pub top_p_milli: u32,
    /// The same seed with the same everything else gives the same bytes.
    pub seed: u32,
}

impl Default for Sampling {
    fn default() -> Self {
        Sampling {
            temperature_milli: 700,
            top_k: 40,
            top_p_milli: 950,
            seed: 0,
        }
    }
}

/// The model that answers, and what it runs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelDescription {
    /// Name in the file's metadata, or the file's stem.
    pub name: String,
    /// blake3 of the model file.
    pub digest: Digest,
    /// SHA-256 of the model file.
    pub sha256: [u8; 32],
    /// Size of the model file in bytes.
    pub file_bytes: u64,
    /// Number of weights.
    pub n_params: u64,
    /// Context length that the model was trained with, tokens.
    pub n_ctx_train: u32,
    /// Context length in use, tokens: prompt and output together.
    pub n_ctx: u32,
    /// Whether the file brings a chat template that the runtime knows (else ChatML is used).
    pub has_template: bool,
    /// The runtime and its build.
    pub runtime_build: String,
    /// Device and CPU features in use.
    pub cpu_features: String,
    /// Memory that weights, KV cache and buffers are expected to need, bytes.
    pub memory_need_bytes: u64,
    /// Bound on the worker's address space, bytes.
    pub memory_bound_bytes: u64,
    /// Length of its vectors where it was loaded to embed, else 0.
    pub dimensions: u32,
}

/// An output with its receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// The whole output.
    pub text: String,
    /// How it came about.
    pub receipt: Receipt,
}

/// Why an output ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// The model ended its answer.
    Eos,
    /// `max_tokens` or the context is used up.
    Length,
    /// A stop string appeared.
    Stop,
    /// It was asked to stop.
    Cancelled,
    /// Its deadline passed.
    Deadline,
    /// Every text has its vector.
    Embedded,
}

impl FinishReason {
    /// The word that facts and faces use.
    pub fn as_str(self) -> &'static str {
        match self {
            FinishReason::Eos => "eos",
            FinishReason::Length => "length",
            FinishReason::Stop => "stop",
            FinishReason::Cancelled => "cancelled",
            FinishReason::Deadline => "deadline",
            FinishReason::Embedded => "embedded",
        }
    }
}

/// What was computed, with what, and how it ended. The digest of tokens is over their ids as 4 little-endian
/// bytes each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// blake3 of the model file.
    pub model_digest: Digest,
    /// The model's name.
    pub model_name: String,
    /// The runtime and its build.
    pub runtime_build: String,
    /// Device and CPU features in use.
    pub cpu_features: String,
    /// Compute threads.
    pub threads: u32,
    /// Most tokens handed to one decode.
    pub n_batch: u32,
    /// Most tokens computed at once.
    pub n_ubatch: u32,
    /// Context length, tokens.
    pub n_ctx: u32,
    /// Types and layout of the KV cache.
    pub kv_settings: String,
    /// The samplers in order, with their parameters.
    pub sampler_chain: String,
    /// Seed of the last sampler.
    pub seed: u32,
    /// `model`, `chatml` or `none`.
    pub template: String,
    /// Of the prompt as tokenised: template and contents.
    pub prompt_text_digest: Digest,
    /// Of the prompt's tokens.
    pub prompt_tokens_digest: Digest,
    /// Of the output text.
    pub output_text_digest: Digest,
    /// Of all tokens sampled, those of a stop string and the end token included.
    pub output_tokens_digest: Digest,
    /// Tokens in the prompt.
    pub prompt_tokens: u32,
    /// Tokens sampled.
    pub output_tokens: u32,
    /// Time to load the model, ms; 0 when it was loaded already.
    pub load_ms: u64,
    /// Time for the prompt, ms.
    pub prompt_ms: u64,
    /// Time for the output, ms.
    pub generate_ms: u64,
    /// Why the output ended.
    pub finish_reason: FinishReason,
}

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
    /// Anything else that the worker reports.
    #[error("the inference worker failed: {reason}")]
    Internal {
        /// What it said.
        reason: String,
    },
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
            ModelError::Internal { .. } => ModelErrorCode::Internal,
        }
    }
}
