//! Texts become vectors, one text after the other: each is computed at once and alone, so its vector depends on
//! nothing else in the request.
use std::time::{Duration, Instant};

use autopilot_proto::inference::v1::{EmbedReply, EmbedRequest, FinishReason, ModelInfo, Receipt};
use llama_cpp_2::{context::LlamaContext, llama_batch::LlamaBatch, model::LlamaModel, token::LlamaToken};

use crate::{
    engine::Model,
    failure::Failure,
    generate::{count, decode, digest, of_engine},
    load::elapsed_ms,
};

/// Most texts of one request.
const TEXTS_MAX: usize = 32;
/// What the vectors are, as the receipt names it.
const SAMPLER: &str = "pooled normalized=l2";

/// A request that was accepted.
pub struct Job {
    pub request: EmbedRequest,
    pub arrived: Instant,
}

/// Checks what can be checked without a model.
pub fn check(request: &EmbedRequest) -> Result<(), Failure> {
    match request {
        r if r.job_id.is_empty() || r.job_id.len() > 64 => Err(wrong_use("a job id has 1 to 64 bytes")),
        r if r.texts.is_empty() || r.texts.len() > TEXTS_MAX => {
            Err(wrong_use("1 to 32 texts are embedded at once"))
        }
        r if r.texts.iter().any(String::is_empty) => Err(wrong_use("a text to embed has at least one byte")),
        _ => Ok(()),
    }
}

/// The request does not suit the model or the contract.
pub fn wrong_use(reason: &str) -> Failure {
    Failure::RequestInvalid(reason.to_owned())
}

/// Length of this model's vectors, found by embedding a word: a model without pooling has none, and is no
/// embedding model.
pub fn dimensions(model: &LlamaModel, context: &mut LlamaContext<'_>) -> Result<u32, Failure> {
    let tokens = tokenise(model, "a");
    match vector(context, &tokens) {
        Ok(values) => Ok(count(values.len())),
        Err(failure @ Failure::OutOfMemory(_)) => Err(failure),
        Err(_) => Err(Failure::ModelUnreadable(
            "this is no embedding model: it says not how its tokens are pooled into one vector".to_owned(),
        )),
    }
}

/// Runs the job to its end. `unwanted` says that nobody waits for it any more.
pub fn run(
    model: &mut Model<'_, '_>,
    job: &Job,
    load_ms: u64,
    unwanted: impl Fn() -> bool,
) -> Result<EmbedReply, Failure> {
    if model.info.dimensions == 0 {
        return Err(wrong_use("this model is loaded to generate text"));
    }
    let begun = Instant::now();
    let limit = model.context.n_ctx().min(model.context.n_ubatch()) as usize;
    let texts = &job.request.texts;
    let all: Vec<Vec<LlamaToken>> = texts.iter().map(|text| tokenise(model.model, text)).collect();
    if let Some(longest) = all.iter().map(Vec::len).max().filter(|tokens| *tokens > limit) {
        return Err(Failure::PromptTooLong {
            tokens: longest as u64,
            limit: limit as u64,
        });
    }
    let deadline = Duration::from_millis(job.request.deadline_ms);
    let mut vectors = Vec::with_capacity(all.len());
    for tokens in &all {
        if unwanted() || (!deadline.is_zero() && job.arrived.elapsed() >= deadline) {
            return Err(Failure::Deadline);
        }
        let values = vector(model.context, tokens)?;
        vectors.push(values.iter().flat_map(|value| value.to_le_bytes()).collect());
    }
    let receipt = receipt(model.info, job, &all, &vectors, load_ms, elapsed_ms(begun));
    Ok(EmbedReply {
        vectors,
        receipt: Some(receipt),
    })
}

/// With the model's own marks of beginning and end; marks that are typed into the text are plain characters.
fn tokenise(model: &LlamaModel, text: &str) -> Vec<LlamaToken> {
    model.vocab().tokenize(text.as_bytes(), true, false)
}

/// The vector of one text, of length 1.
fn vector(context: &mut LlamaContext<'_>, tokens: &[LlamaToken]) -> Result<Vec<f32>, Failure> {
    let internal = |error: String| Failure::Internal(error);
    context.clear_kv_cache();
    let mut batch = LlamaBatch::new(tokens.len().max(1), 1);
    batch
        .add_sequence(tokens, 0, true)
        .map_err(|error| internal(error.to_string()))?;
    decode(context, &mut batch)?;
    let values = context
        .embeddings_seq_ith(0)
        .map_err(|error| internal(error.to_string()))?;
    let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
    if !length.is_normal() {
        return Err(internal("the vector has no length".to_owned()));
    }
    Ok(values.iter().map(|value| value / length).collect())
}

fn receipt(
    info: &ModelInfo,
    job: &Job,
    tokens: &[Vec<LlamaToken>],
    vectors: &[Vec<u8>],
    load_ms: u64,
    embed_ms: u64,
) -> Receipt {
    let all: Vec<LlamaToken> = tokens.iter().flatten().copied().collect();
    let text_digest = |parts: &mut dyn Iterator<Item = &[u8]>| {
        let mut hasher = blake3::Hasher::new();
        parts.for_each(|part| {
            hasher.update(part);
        });
        hasher.finalize().as_bytes().to_vec()
    };
    let output_digest = text_digest(&mut vectors.iter().map(Vec::as_slice));
    Receipt {
        job_id: job.request.job_id.clone(),
        sampler_chain: SAMPLER.to_owned(),
        template: "none".to_owned(),
        prompt_text_digest: text_digest(&mut job.request.texts.iter().map(String::as_bytes)),
        prompt_tokens_digest: digest(&all),
        output_text_digest: output_digest.clone(),
        output_tokens_digest: output_digest,
        prompt_tokens: count(all.len()),
        load_ms,
        prompt_ms: embed_ms,
        finish_reason: FinishReason::Embedded.into(),
        ..of_engine(info)
    }
}
