//! One generation: prompt in chunks, then token by token, with every way to end it looked at between decodes.
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use autopilot_proto::inference::v1::{
    FinishReason, GenerateEvent, GenerateRequest, ModelInfo, Progress, Receipt, generate_event::Event,
};
use llama_cpp_2::{
    DecodeError, context::LlamaContext, llama_batch::LlamaBatch, sampling::LlamaSampler, token::LlamaToken,
};
use tokio::sync::mpsc;
use tonic::Status;

use crate::{
    engine::Model,
    failure::Failure,
    fault::Fault,
    load::elapsed_ms,
    output::Output,
    prompt::{self, Prompt},
};

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

/// Runs the job to its end and returns the events that remain to be sent: rest of the text, receipt.
pub fn run(model: &mut Model<'_, '_>, job: &Job, load_ms: u64, fault: Fault) -> Result<Vec<Event>, Failure> {
    let prompt = prompt::tokenise(model.model, model.template, job.request.input.as_ref())?;
    let n_ctx = model.context.n_ctx() as usize;
    if prompt.tokens.is_empty() || prompt.tokens.len() >= n_ctx {
        return Err(Failure::PromptTooLong {
            tokens: prompt.tokens.len() as u64,
            limit: n_ctx as u64 - 1,
        });
    }
    let mut run = Run {
        job,
        total: prompt.tokens.len(),
        output: Output::new(job.request.stop.clone()),
        tokens: Vec::new(),
        unsent: String::new(),
        prompt_ms: 0,
        generate_ms: 0,
    };
    let mut samplers = Samplers::of(&job.request);
    let reason = run.work(model, &prompt, &mut samplers.chain, fault)?;
    let rest = run.output.finish();
    run.unsent.push_str(&rest);
    let receipt = run.receipt(model.info, &prompt, samplers.words, load_ms, reason);
    let text = (!run.unsent.is_empty()).then_some(Event::Text(run.unsent));
    Ok(text.into_iter().chain([Event::Done(receipt)]).collect())
}

struct Samplers {
    chain: LlamaSampler,
    words: String,
}

impl Samplers {
    fn of(request: &GenerateRequest) -> Samplers {
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

struct Run<'a> {
    job: &'a Job,
    /// Tokens in the prompt.
    total: usize,
    output: Output,
    tokens: Vec<LlamaToken>,
    /// Text that the reader had no room for yet.
    unsent: String,
    prompt_ms: u64,
    generate_ms: u64,
}

impl Run<'_> {
    fn work(
        &mut self,
        model: &mut Model<'_, '_>,
        prompt: &Prompt,
        sampler: &mut LlamaSampler,
        fault: Fault,
    ) -> Result<FinishReason, Failure> {
        let begun = Instant::now();
        model.context.clear_kv_cache();
        let n_batch = model.context.n_batch() as usize;
        let mut batch = LlamaBatch::new(n_batch, 1);
        let mut position = 0;
        for chunk in prompt.tokens.chunks(n_batch) {
            if let Some(reason) = self.asked_to_end() {
                self.prompt_ms = elapsed_ms(begun);
                return Ok(reason);
            }
            batch.clear();
            for token in chunk {
                position += 1;
                add(&mut batch, *token, position - 1, position == self.total)?;
            }
            decode(model.context, &mut batch)?;
            self.send_progress(position);
        }
        self.prompt_ms = elapsed_ms(begun);
        let begun = Instant::now();
        let reason = self.continue_prompt(model, sampler, &mut batch, fault);
        self.generate_ms = elapsed_ms(begun);
        reason
    }

    fn continue_prompt(
        &mut self,
        model: &mut Model<'_, '_>,
        sampler: &mut LlamaSampler,
        batch: &mut LlamaBatch<'_>,
        fault: Fault,
    ) -> Result<FinishReason, Failure> {
        let vocab = model.model.vocab();
        let n_ctx = model.context.n_ctx() as usize;
        loop {
            if let Some(reason) = self.asked_to_end() {
                return Ok(reason);
            }
            let token = sampler.sample(model.context, batch.n_tokens() - 1);
            self.tokens.push(token);
            fault.strike(u32::try_from(self.tokens.len()).unwrap_or(u32::MAX));
            if vocab.is_eog(token) {
                return Ok(FinishReason::Eos);
            }
            let (text, stopped) = self.output.push(&vocab.token_to_piece(token, false, None));
            self.unsent.push_str(&text);
            self.send_progress(self.total);
            if stopped {
                return Ok(FinishReason::Stop);
            }
            let position = self.total + self.tokens.len() - 1;
            if self.tokens.len() >= self.job.request.max_tokens as usize || position + 1 >= n_ctx {
                return Ok(FinishReason::Length);
            }
            batch.clear();
            add(batch, token, position, true)?;
            decode(model.context, batch)?;
        }
    }

    fn asked_to_end(&self) -> Option<FinishReason> {
        let deadline = Duration::from_millis(self.job.request.deadline_ms);
        if self.job.cancel.load(Ordering::Relaxed) || self.job.events.is_closed() {
            Some(FinishReason::Cancelled)
        } else if !deadline.is_zero() && self.job.arrived.elapsed() >= deadline {
            Some(FinishReason::Deadline)
        } else {
            None
        }
    }

    /// Sends waiting text, or else a sign of progress. A reader that has no room gets the text later, together.
    fn send_progress(&mut self, prompt_done: usize) {
        let event = if self.unsent.is_empty() {
            Event::Progress(Progress {
                prompt_tokens_done: count(prompt_done),
                prompt_tokens_total: count(self.total),
                output_tokens: count(self.tokens.len()),
            })
        } else {
            Event::Text(self.unsent.clone())
        };
        if self
            .job
            .events
            .try_send(Ok(GenerateEvent { event: Some(event) }))
            .is_ok()
        {
            self.unsent.clear();
        }
    }

    fn receipt(
        &self,
        info: &ModelInfo,
        prompt: &Prompt,
        sampler_chain: String,
        load_ms: u64,
        reason: FinishReason,
    ) -> Receipt {
        Receipt {
            job_id: self.job.request.job_id.clone(),
            model_digest: info.digest.clone(),
            model_name: info.name.clone(),
            runtime_build: info.runtime_build.clone(),
            cpu_features: info.cpu_features.clone(),
            threads: info.threads,
            n_batch: info.n_batch,
            n_ubatch: info.n_ubatch,
            n_ctx: info.n_ctx,
            kv_settings: info.kv_settings.clone(),
            sampler_chain,
            seed: self.job.request.seed,
            template: prompt.template.to_owned(),
            prompt_text_digest: blake3::hash(prompt.text.as_bytes()).as_bytes().to_vec(),
            prompt_tokens_digest: digest(&prompt.tokens),
            output_text_digest: blake3::hash(self.output.text().as_bytes()).as_bytes().to_vec(),
            output_tokens_digest: digest(&self.tokens),
            prompt_tokens: count(self.total),
            output_tokens: count(self.tokens.len()),
            load_ms,
            prompt_ms: self.prompt_ms,
            generate_ms: self.generate_ms,
            finish_reason: reason.into(),
        }
    }
}

/// As the contract counts.
pub fn count(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// blake3 over the ids of tokens.
pub fn digest(tokens: &[LlamaToken]) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new();
    for token in tokens {
        hasher.update(&token.0.to_le_bytes());
    }
    hasher.finalize().as_bytes().to_vec()
}

fn add(batch: &mut LlamaBatch<'_>, token: LlamaToken, position: usize, logits: bool) -> Result<(), Failure> {
    let position = i32::try_from(position).map_err(|error| Failure::Internal(error.to_string()))?;
    batch
        .add(token, position, &[0], logits)
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
