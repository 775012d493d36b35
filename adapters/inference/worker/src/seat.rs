//! One generation in its seat: which tokens it wants computed next, what became of them, and every way to end it.
use std::time::{Duration, Instant};

use autopilot_proto::inference::v1::{FinishReason, GenerateEvent, Progress, Receipt, generate_event::Event};
use llama_cpp_2::{sampling::LlamaSampler, token::LlamaToken};

use crate::{
    engine::Model,
    failure::Failure,
    generate::{Job, Samplers, count, digest, of_engine},
    load::elapsed_ms,
    output::Output,
    prompt::{self, Prompt},
};

/// A generation that has a sequence of its own.
pub struct Seat {
    pub job: Box<Job>,
    prompt: Prompt,
    /// Tokens of the prompt that are computed.
    prompt_done: usize,
    sampler: LlamaSampler,
    sampler_words: String,
    output: Output,
    tokens: Vec<LlamaToken>,
    /// Text that the reader had no room for yet.
    unsent: String,
    load_ms: u64,
    /// When the work on the prompt, and then on the output, began.
    begun: Instant,
    prompt_ms: u64,
    /// Most sequences in one batch with it, itself included.
    company: u32,
}

impl Seat {
    /// Tokenises the prompt; nothing is computed yet. Gives the job back with what is wrong with it.
    pub fn take(model: &Model<'_, '_>, job: Box<Job>, load_ms: u64) -> Result<Seat, (Box<Job>, Failure)> {
        let limit = model.info.n_ctx as usize;
        let prompt = match prompt::tokenise(model.model, model.template, job.request.input.as_ref()) {
            Ok(prompt) if !prompt.tokens.is_empty() && prompt.tokens.len() < limit => prompt,
            Ok(prompt) => {
                let failure = Failure::PromptTooLong {
                    tokens: prompt.tokens.len() as u64,
                    limit: limit as u64 - 1,
                };
                return Err((job, failure));
            }
            Err(failure) => return Err((job, failure)),
        };
        let Samplers { chain, words } = Samplers::of(&job.request);
        Ok(Seat {
            output: Output::new(job.request.stop.clone()),
            job,
            prompt,
            prompt_done: 0,
            sampler: chain,
            sampler_words: words,
            tokens: Vec::new(),
            unsent: String::new(),
            load_ms,
            begun: Instant::now(),
            prompt_ms: 0,
            company: 1,
        })
    }

    /// The next part of the prompt and the position of its first token; `None` once all of it is computed.
    pub fn next_chunk(&self, n_batch: usize) -> Option<(usize, &[LlamaToken])> {
        let rest = &self.prompt.tokens[self.prompt_done..];
        (!rest.is_empty()).then(|| (self.prompt_done, &rest[..rest.len().min(n_batch)]))
    }

    /// A part of the prompt is computed. True when it was the last: the first token can be sampled.
    pub fn chunk_done(&mut self, tokens: usize) -> bool {
        self.prompt_done += tokens;
        self.send_progress();
        let all = self.prompt_done == self.prompt.tokens.len();
        if all {
            self.prompt_ms = elapsed_ms(self.begun);
            self.begun = Instant::now();
        }
        all
    }

    /// The token that has to be computed next, with its position; `None` while the prompt is not done.
    pub fn next_token(&self) -> Option<(usize, LlamaToken)> {
        let token = *self.tokens.last()?;
        Some((self.prompt.tokens.len() + self.tokens.len() - 1, token))
    }

    /// Samples from the logits at `index` of the last batch. The reason, when that was the end.
    pub fn sample(&mut self, model: &Model<'_, '_>, index: i32) -> Option<FinishReason> {
        let token = self.sampler.sample(model.context, index);
        self.tokens.push(token);
        let vocab = model.model.vocab();
        if vocab.is_eog(token) {
            return Some(FinishReason::Eos);
        }
        let (text, stopped) = self.output.push(&vocab.token_to_piece(token, false, None));
        self.unsent.push_str(&text);
        self.send_progress();
        if stopped {
            return Some(FinishReason::Stop);
        }
        let full = self.prompt.tokens.len() + self.tokens.len() >= model.info.n_ctx as usize;
        let enough = self.tokens.len() >= self.job.request.max_tokens as usize;
        (full || enough).then_some(FinishReason::Length)
    }

    /// Its next token is computed in a batch of that many sequences.
    pub fn joins(&mut self, sequences: usize) {
        self.company = self.company.max(count(sequences));
    }

    /// Tokens sampled so far.
    pub fn sampled(&self) -> u32 {
        count(self.tokens.len())
    }

    /// Why it has to end without being complete, if it has to.
    pub fn asked_to_end(&self) -> Option<FinishReason> {
        let deadline = Duration::from_millis(self.job.request.deadline_ms);
        if self.job.cancelled() {
            Some(FinishReason::Cancelled)
        } else if !deadline.is_zero() && self.job.arrived.elapsed() >= deadline {
            Some(FinishReason::Deadline)
        } else {
            None
        }
    }

    /// Sends waiting text, or else a sign of progress. A reader that has no room gets the text later, together.
    fn send_progress(&mut self) {
        let event = if self.unsent.is_empty() {
            Event::Progress(Progress {
                prompt_tokens_done: count(self.prompt_done),
                prompt_tokens_total: count(self.prompt.tokens.len()),
                output_tokens: self.sampled(),
            })
        } else {
            Event::Text(self.unsent.clone())
        };
        let event = GenerateEvent { event: Some(event) };
        if self.job.events.try_send(Ok(event)).is_ok() {
            self.unsent.clear();
        }
    }

    /// The job, and the events that remain to be sent: rest of the text, receipt.
    pub fn finish(mut self, model: &Model<'_, '_>, reason: FinishReason) -> (Box<Job>, Vec<Event>) {
        let rest = self.output.finish();
        self.unsent.push_str(&rest);
        let receipt = self.receipt(model, reason);
        let text = (!self.unsent.is_empty()).then_some(Event::Text(self.unsent));
        let events = text.into_iter().chain([Event::Done(receipt)]).collect();
        (self.job, events)
    }

    fn receipt(&self, model: &Model<'_, '_>, reason: FinishReason) -> Receipt {
        let info = model.info;
        let generating = self.prompt_done == self.prompt.tokens.len();
        let since = elapsed_ms(self.begun);
        let (prompt_ms, generate_ms) = if generating {
            (self.prompt_ms, since)
        } else {
            (since, 0)
        };
        Receipt {
            job_id: self.job.request.job_id.clone(),
            n_seq: info.n_seq,
            company: self.company,
            sampler_chain: self.sampler_words.clone(),
            seed: self.job.request.seed,
            template: self.prompt.template.to_owned(),
            prompt_text_digest: blake3::hash(self.prompt.text.as_bytes()).as_bytes().to_vec(),
            prompt_tokens_digest: digest(&self.prompt.tokens),
            output_text_digest: blake3::hash(self.output.text().as_bytes()).as_bytes().to_vec(),
            output_tokens_digest: digest(&self.tokens),
            prompt_tokens: count(self.prompt.tokens.len()),
            output_tokens: self.sampled(),
            load_ms: self.load_ms,
            prompt_ms,
            generate_ms,
            finish_reason: reason.into(),
            ..of_engine(info)
        }
    }
}
