//! What a generation is asked for, and the pieces that its work is made of.
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use autopilot_proto::inference::v1::{GenerateEvent, GenerateRequest, ModelInfo, Receipt};
use llama_cpp_2::{
    DecodeError, context::LlamaContext, llama_batch::LlamaBatch, sampling::LlamaSampler, token::LlamaToken,
};
use tokio::sync::mpsc;
use tonic::Status;

use crate::failure::Failure;

const STOPS_MAX: usize = 8;
const STOP_BYTES_MAX: usize = 128;
const TEMPERATURE_MILLI_MAX: u32 = 5_000;

/// Where a generation's events go.
pub type Events = mpsc::Sender<Result<GenerateEvent, Status>>;

/// A generation that was accepted.
pub struct Job {
    pub request: GenerateRequest,
    pub arrived: Instant,
    pub cancel: Arc<AtomicBool>,
    pub events: Events,
}

impl Job {
    /// It was asked to stop, or nobody reads its events any more.
    pub fn cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed) || self.events.is_closed()
    }
}

/// Checks what can be checked without a model.
pub fn check(request: &GenerateRequest) -> Result<(), Failure> {
    let invalid = |reason: &str| Err(Failure::RequestInvalid(reason.to_owned()));
    match request {
        _ if request.job_id.is_empty() || request.job_id.len() > 64 => invalid("a job id has 1 to 64 bytes"),
        _ if request.max_tokens == 0 => invalid("max_tokens is at least 1"),
        _ if request.temperature_milli > TEMPERATURE_MILLI_MAX => invalid("the temperature is at most 5"),
        _ if request.top_p_milli > 1_000 => invalid("top_p is at most 1"),
        _ if request.stop.len() > STOPS_MAX => invalid("at most 8 stop strings"),
        _ if request
            .stop
            .iter()
            .any(|stop| stop.is_empty() || stop.len() > STOP_BYTES_MAX) =>
        {
            invalid("a stop string has 1 to 128 bytes")
        }
        _ => Ok(()),
    }
}

/// How tokens are chosen, and how a receipt names it.
pub struct Samplers {
    pub chain: LlamaSampler,
    pub words: String,
}

impl Samplers {
    pub fn of(request: &GenerateRequest) -> Samplers {
        if request.temperature_milli == 0 {
            return Samplers {
                chain: LlamaSampler::chain([LlamaSampler::greedy()], true),
                words: "greedy".into(),
            };
        }
        let (mut chain, mut words) = (Vec::new(), Vec::new());
        if let Some(k) = i32::try_from(request.top_k).ok().filter(|k| *k > 0) {
            chain.push(LlamaSampler::top_k(k));
            words.push(format!("top_k({k})"));
        }
        if (1..1_000).contains(&request.top_p_milli) {
            let p = thousandths(request.top_p_milli);
            chain.push(LlamaSampler::top_p(p, 1));
            words.push(format!("top_p({p:.3})"));
        }
        let temperature = thousandths(request.temperature_milli);
        chain.push(LlamaSampler::temp(temperature));
        words.push(format!("temperature({temperature:.3})"));
        chain.push(LlamaSampler::dist(request.seed));
        words.push(format!("dist({})", request.seed));
        Samplers {
            chain: LlamaSampler::chain(chain, true),
            words: words.join(" "),
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "at most 5,000: exact in an f32")]
fn thousandths(value: u32) -> f32 {
    value as f32 / 1_000.0
}

/// As the contract counts.
pub fn count(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// What the engine says of itself in every receipt; what is said of one job is default.
pub fn of_engine(info: &ModelInfo) -> Receipt {
    Receipt {
        model_digest: info.digest.clone(),
        model_name: info.name.clone(),
        runtime_build: info.runtime_build.clone(),
        cpu_features: info.cpu_features.clone(),
        threads: info.threads,
        n_batch: info.n_batch,
        n_ubatch: info.n_ubatch,
        n_ctx: info.n_ctx,
        kv_settings: info.kv_settings.clone(),
        ..Receipt::default()
    }
}

/// blake3 over the ids of tokens.
pub fn digest(tokens: &[LlamaToken]) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new();
    for token in tokens {
        hasher.update(&token.0.to_le_bytes());
    }
    hasher.finalize().as_bytes().to_vec()
}

/// Adds a token of one sequence. One sequence a token: with more the runtime's bookkeeping overflows.
pub fn add(
    batch: &mut LlamaBatch<'_>,
    token: LlamaToken,
    position: usize,
    sequence: usize,
    logits: bool,
) -> Result<(), Failure> {
    let internal = |error: std::num::TryFromIntError| Failure::Internal(error.to_string());
    let position = i32::try_from(position).map_err(internal)?;
    let sequence = i32::try_from(sequence).map_err(internal)?;
    batch
        .add(token, position, &[sequence], logits)
        .map_err(|error| Failure::Internal(error.to_string()))
}

/// Decodes a batch, telling a failed allocation apart.
pub fn decode(context: &mut LlamaContext<'_>, batch: &mut LlamaBatch<'_>) -> Result<(), Failure> {
    context.decode(batch).map_err(|error| match error {
        // The runtime's own code for a failed allocation.
        DecodeError::Unknown(-2) => Failure::OutOfMemory("decoding"),
        other => Failure::Internal(format!("decoding failed: {other}")),
    })
}
