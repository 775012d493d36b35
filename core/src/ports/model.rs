//! The model port: text in, text and a receipt out. Whoever implements it keeps the model in a process of its
//! own, so that nothing a model does can take the ledger along.
mod error;

use std::future::Future;

use autopilot_events::words::{Digest, JobId};

pub use error::{ModelError, ModelErrorCode, ServerFault};

/// A model that answers requests, as many at a time as its engine takes.
pub trait Model: Send + Sync {
    /// Names the model and what it runs with, and makes it ready if it is not.
    fn describe(&self) -> impl Future<Output = Result<ModelDescription, ModelError>> + Send;

    /// Runs one request. `on_chunk` gets the output piece by piece as valid UTF-8; the pieces together are
    /// [`Generation::text`]. Requests beyond what the engine takes at once wait in line, and their deadline runs
    /// meanwhile. Dropping the future cancels the work: within one decode, or by closing the connection.
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
    /// Name in the file's metadata, or the file's stem; of a server the name that it serves the model by.
    pub name: String,
    /// blake3 of the model file; `None`: a server's word is all that is known.
    pub digest: Option<Digest>,
    /// SHA-256 of the model file; `None` as above.
    pub sha256: Option<[u8; 32]>,
    /// Size of the model file in bytes; 0: not known.
    pub file_bytes: u64,
    /// Number of weights; 0: not known.
    pub n_params: u64,
    /// Context length that the model was trained with, tokens; 0: not known.
    pub n_ctx_train: u32,
    /// Context length in use, tokens: prompt and output of one request together; 0: not known.
    pub n_ctx: u32,
    /// Requests that are computed at the same time, at least 1.
    pub in_flight_max: u32,
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

/// What a receipt claims about the same request, asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The same file, runtime build, CPU features and settings give the same bytes, after a restart too.
    SameBytes,
    /// Nothing.
    Nothing,
}

impl Claim {
    /// The word that facts and faces use.
    pub fn as_str(self) -> &'static str {
        match self {
            Claim::SameBytes => "same-bytes",
            Claim::Nothing => "none",
        }
    }
}

/// What was computed, with what, and how it ended. The digest of tokens is over their ids as 4 little-endian
/// bytes each. What a server does not tell is zero, empty or `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// What computed it: `llama.cpp` (our worker) or `openai-compatible` (a server).
    pub engine: String,
    /// What is claimed about a repetition.
    pub claim: Claim,
    /// The counts of tokens are a server's word.
    pub counts_reported: bool,
    /// blake3 of the model file.
    pub model_digest: Option<Digest>,
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
    /// Of the prompt as tokenised, template and contents; for a server: of the `messages` or `prompt` sent, as JSON.
    pub prompt_text_digest: Digest,
    /// Of the prompt's tokens.
    pub prompt_tokens_digest: Option<Digest>,
    /// Of the output text.
    pub output_text_digest: Digest,
    /// Of all tokens sampled, those of a stop string and the end token included.
    pub output_tokens_digest: Option<Digest>,
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
