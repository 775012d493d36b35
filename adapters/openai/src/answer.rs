//! One try of one request: sent, followed to its end within bounds, and given a receipt.
use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use autopilot_core::ports::model::{Claim, FinishReason, GenerateRequest, Generation, Receipt, ServerFault};
use autopilot_events::words::Digest;
use reqwest::{
    Client, Response,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, SERVER},
};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::timeout;

use crate::{
    ask::Ask,
    config::ServerConfig,
    failure::{Failure, refused, told},
    models::name,
    sse::Lines,
};

/// Most bytes of one answer on the wire: an event of some hundred bytes for each byte of output.
const WIRE_BYTES_MAX: usize = 32 << 20;
const WORD_BYTES_MAX: usize = 64;

/// One event of a stream; whatever else stands in it is of no use here.
#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Usage>,
    model: Option<String>,
    system_fingerprint: Option<String>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    delta: Option<Delta>,
    /// Of `/completions`.
    text: Option<String>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<String>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct Usage {
    prompt_tokens: u32,
    completion_tokens: u32,
}

/// What has come so far.
#[derive(Default)]
struct Answer {
    text: String,
    finish: Option<FinishReason>,
    usage: Option<Usage>,
    model: String,
    fingerprint: String,
    server: String,
    first_text_at: Option<Instant>,
}

/// Asks once. `on_chunk` gets the text; when it was called, another try must not be made.
pub async fn ask_once(
    http: &Client,
    config: &ServerConfig,
    model: &str,
    request: &GenerateRequest,
    on_chunk: &mut (dyn FnMut(&str) + Send),
) -> Result<Generation, Failure> {
    let begun = Instant::now();
    let ask = Ask::of(request, model);
    let what = format!("{} at {}", ask.path, config.url);
    let mut call = http
        .post(config.call(ask.path))
        .header(CONTENT_TYPE, "application/json")
        .body(ask.body.to_string());
    if let Some(key) = config.authorisation()? {
        call = call.header(AUTHORIZATION, key);
    }
    let response = within(config.silence_bound, &what, call.send())
        .await?
        .map_err(|error| Failure::connection(&error, &what))?;
    if !response.status().is_success() {
        return Err(refused(response, &what).await);
    }
    let mut answer = Answer {
        server: word(&header(&response, &SERVER)),
        ..Answer::default()
    };
    let kind = header(&response, &CONTENT_TYPE);
    if !kind.starts_with("text/event-stream") {
        return Err(Failure::new(
            ServerFault::Malformed,
            format!("{what}: no stream of events"),
        ));
    }
    answer.follow(response, config, &what, on_chunk).await?;
    answer.finished(request, config, ask, begun, &what)
}

impl Answer {
    /// Reads until the end of the stream, or until it says that it is done.
    async fn follow(
        &mut self,
        mut response: Response,
        config: &ServerConfig,
        what: &str,
        on_chunk: &mut (dyn FnMut(&str) + Send),
    ) -> Result<(), Failure> {
        let (mut lines, mut wire_bytes) = (Lines::default(), 0_usize);
        loop {
            let piece = within(config.silence_bound, what, response.chunk()).await?;
            let piece = match piece {
                Ok(Some(piece)) => piece,
                Ok(None) => return Ok(()),
                Err(error) => {
                    let what = format!("{what}: the connection broke in the middle of an answer");
                    return Err(Failure::connection(&error, &what));
                }
            };
            wire_bytes = wire_bytes.saturating_add(piece.len());
            if wire_bytes > WIRE_BYTES_MAX {
                return Err(too_much(what, "bytes on the wire"));
            }
            if self.piece(&mut lines, &piece, config, what, on_chunk)?.is_break() {
                return Ok(());
            }
        }
    }

    /// Takes what arrived; breaks where the stream says that it is done.
    fn piece(
        &mut self,
        lines: &mut Lines,
        piece: &[u8],
        config: &ServerConfig,
        what: &str,
        on_chunk: &mut (dyn FnMut(&str) + Send),
    ) -> Result<ControlFlow<()>, Failure> {
        let events = lines
            .take(piece)
            .map_err(|_| too_much(what, "bytes in one line"))?;
        for event in events {
            if event == "[DONE]" {
                return Ok(ControlFlow::Break(()));
            }
            let chunk: Chunk =
                serde_json::from_str(&event).map_err(|_| malformed(what, "an event is no JSON"))?;
            let text = self.take(chunk, what)?;
            if self.text.len() > config.output_bytes_max {
                return Err(too_much(what, "bytes of output"));
            }
            if !text.is_empty() {
                on_chunk(&text);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Takes an event, and returns the text in it.
    fn take(&mut self, chunk: Chunk, what: &str) -> Result<String, Failure> {
        if let Some(error) = chunk.error.filter(|error| !error.is_null()) {
            return Err(told(&error));
        }
        self.usage = chunk.usage.or(self.usage);
        if self.model.is_empty() {
            self.model = name(&chunk.model.unwrap_or_default());
        }
        if self.fingerprint.is_empty() {
            self.fingerprint = word(&chunk.system_fingerprint.unwrap_or_default());
        }
        let Some(choice) = chunk.choices.into_iter().next() else {
            return Ok(String::new());
        };
        if let Some(reason) = choice.finish_reason.filter(|reason| !reason.is_empty()) {
            self.finish = Some(match reason.as_str() {
                // A server does not tell an end of turn from a stop string.
                "stop" => FinishReason::Eos,
                "length" => FinishReason::Length,
                _ => return Err(malformed(what, "it ended for a reason that no text ends for")),
            });
        }
        let text = choice
            .delta
            .and_then(|delta| delta.content)
            .or(choice.text)
            .unwrap_or_default();
        if !text.is_empty() {
            self.first_text_at.get_or_insert_with(Instant::now);
            self.text.push_str(&text);
        }
        Ok(text)
    }

    fn finished(
        self,
        request: &GenerateRequest,
        config: &ServerConfig,
        ask: Ask,
        begun: Instant,
        what: &str,
    ) -> Result<Generation, Failure> {
        let Some(finish_reason) = self.finish else {
            let detail = format!("{what}: the stream ended before the answer did");
            return Err(Failure::new(ServerFault::Unreachable, detail));
        };
        let first = self.first_text_at.unwrap_or_else(Instant::now);
        let usage = self.usage.unwrap_or_default();
        let receipt = Receipt {
            engine: "openai-compatible".to_owned(),
            claim: Claim::Nothing,
            counts_reported: true,
            model_digest: None,
            model_name: self.model,
            runtime_build: format!("server {:?}, fingerprint {:?}", self.server, self.fingerprint),
            cpu_features: String::new(),
            threads: 0,
            n_batch: 0,
            n_ubatch: 0,
            n_ctx: config.n_ctx,
            kv_settings: String::new(),
            sampler_chain: ask.sampler,
            seed: request.sampling.seed,
            template: "server".to_owned(),
            prompt_text_digest: ask.prompt_digest,
            prompt_tokens_digest: None,
            output_text_digest: Digest::of_content(self.text.as_bytes()),
            output_tokens_digest: None,
            prompt_tokens: usage.prompt_tokens,
            output_tokens: usage.completion_tokens,
            load_ms: 0,
            prompt_ms: ms(first.saturating_duration_since(begun)),
            generate_ms: ms(first.elapsed()),
            finish_reason,
        };
        Ok(Generation {
            text: self.text,
            receipt,
        })
    }
}

/// Reads a stream that arrived in these pieces, without a server: the text that was handed on, and whether it ended well.
#[doc(hidden)]
pub fn read_stream(config: &ServerConfig, pieces: &[&[u8]]) -> (String, bool) {
    let (mut answer, mut lines, mut text) = (Answer::default(), Lines::default(), String::new());
    let mut on_chunk = |piece: &str| text.push_str(piece);
    let read = |piece: &&[u8]| answer.piece(&mut lines, piece, config, "a test", &mut on_chunk);
    let end = pieces
        .iter()
        .map(read)
        .find(|flow| !matches!(flow, Ok(flow) if flow.is_continue()));
    (text, !matches!(end, Some(Err(_))))
}

async fn within<T>(bound: Duration, what: &str, work: impl Future<Output = T>) -> Result<T, Failure> {
    timeout(bound, work).await.map_err(|_| {
        let detail = format!("{what}: nothing for {} ms", bound.as_millis());
        Failure::new(ServerFault::Silent, detail)
    })
}

fn malformed(what: &str, why: &str) -> Failure {
    Failure::new(ServerFault::Malformed, format!("{what}: {why}"))
}

fn too_much(what: &str, of: &str) -> Failure {
    Failure::new(ServerFault::OutputTooLarge, format!("{what}: too many {of}"))
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn header(response: &Response, header: &HeaderName) -> String {
    let value = response
        .headers()
        .get(header)
        .and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}

/// A version as programs give them: bounded, and of plain characters alone.
fn word(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_ascii_alphanumeric() || "._-/+ ".contains(*c))
        .take(WORD_BYTES_MAX)
        .collect()
}
