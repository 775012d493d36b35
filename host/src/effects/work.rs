//! Runs the model on a job.
use autopilot_core::{
    Input,
    embedding::EMBEDDING,
    input::{Outcome, Worked},
    ports::{
        market::{JobRequest, MarketItem},
        model::{
            self, GenerateRequest, Generation, Model, ModelDescription, ModelError, ModelErrorCode, Sampling,
            ServerFault,
        },
    },
};
use autopilot_events::{
    pb::{self, FailureClass},
    words::JobId,
};
use autopilot_projections::jobs::{Job, Work};

use super::{NotYet, embed::embed, happened, inputs};
use crate::{clock::now_ms, crash, outside::Outside, serving::Serving};

/// How long a job that is paid for may run, whatever its deadline was, in milliseconds.
const PAID_BOUND_MS: u64 = 10 * 60 * 1_000;

pub(super) async fn run(outside: &Outside, id: JobId, attempt: u32) -> Result<(), NotYet> {
    let job = outside
        .ledger
        .look(move |engine| engine.state().jobs.get(&id).cloned())
        .await?;
    let Some(job) = job.filter(|job| job.work == Work::Running && job.attempts == attempt) else {
        return Ok(());
    };
    let outcome = match read(outside, &job).await {
        Ok((request, texts)) => attempt_at(outside, id, &job, &request, texts).await,
        Err(detail) => Err(failed(
            FailureClass::Execution,
            "request-unreadable",
            detail,
            false,
        )),
    };
    happened("run");
    let (outcome, text) = match outcome {
        Ok(generation) => {
            let receipt = Box::new(receipt(&generation.receipt));
            (
                Outcome::Done {
                    receipt,
                    output: pb::BodyRef::default(),
                },
                Some(generation.text),
            )
        }
        Err(outcome) => (outcome, None),
    };
    let body = text.as_ref().map(|text| (format!("job/{id}"), text.as_bytes()));
    outside
        .ledger
        .submit(
            Input::Worked(Worked {
                job: id,
                attempt,
                outcome,
            }),
            body,
        )
        .await?;
    Ok(())
}

/// The request, and the text that each of its inputs is or stands for.
async fn read(outside: &Outside, job: &Job) -> Result<(JobRequest, Vec<String>), String> {
    match outside.stored(&job.request).await? {
        MarketItem::Request(request) => {
            let texts = inputs::texts(outside, &request, job.fetched.as_ref()).await?;
            Ok((*request, texts))
        }
        _ => Err("the stored event is no request".to_owned()),
    }
}

async fn attempt_at(
    outside: &Outside,
    id: JobId,
    job: &Job,
    request: &JobRequest,
    texts: Vec<String>,
) -> Result<Generation, Outcome> {
    let left_ms = match job.money {
        money if money.arrived() => PAID_BOUND_MS,
        _ => u64::try_from(job.deadline_ms.saturating_sub(now_ms()))
            .unwrap_or(0)
            .max(1),
    };
    let generation = if job.kind == EMBEDDING {
        embed(outside, id, texts, request, left_ms)
            .await
            .map_err(|error| refusal(&error))?
    } else {
        generate(
            outside,
            id,
            generate_request(id, job, request, texts.join("\n"), left_ms),
        )
        .await?
    };
    let room = request.result_room_bytes();
    let bytes = escaped_len(&generation.text);
    if bytes > room {
        let detail = format!("the output has {bytes} bytes, {room} fit into a result that relays take");
        return Err(failed(FailureClass::Execution, "result-too-large", detail, false));
    }
    Ok(generation)
}

async fn generate(outside: &Outside, id: JobId, request: GenerateRequest) -> Result<Generation, Outcome> {
    let Some(model) = &outside.model else {
        return Err(failed(
            FailureClass::Execution,
            "model-missing",
            "no model is configured".to_owned(),
            false,
        ));
    };
    let (tokens, name) = (outside.tokens.clone(), id.to_string());
    made_ready(outside, model)
        .await
        .map_err(|error| refusal(&error))?;
    model
        .generate(request, move |piece| {
            crash::point("effect.during", "run");
            // Nobody may be watching.
            let _ = tokens.send((name.clone(), piece.to_owned()));
        })
        .await
        .map_err(|error| refusal(&error))
}

/// The model, loaded with as many places as the policy wants.
pub(super) async fn made_ready(outside: &Outside, model: &Serving) -> Result<ModelDescription, ModelError> {
    let most = outside
        .ledger
        .look(|engine| engine.state().provider.policy().max_in_flight)
        .await;
    model.set_in_flight(most.unwrap_or(1));
    let described = model.describe().await?;
    crash::register(crash::Target::Worker, model.health().await.pid);
    Ok(described)
}

fn generate_request(
    id: JobId,
    job: &Job,
    request: &JobRequest,
    text: String,
    left_ms: u64,
) -> GenerateRequest {
    let params = &request.params;
    let standard = Sampling::default();
    GenerateRequest {
        job: id,
        input: model::Input::question(text),
        max_tokens: job.max_output_tokens.max(1),
        sampling: Sampling {
            temperature_milli: params
                .temperature
                .map_or(standard.temperature_milli, |t| milli(t, 5_000)),
            top_k: params.top_k.unwrap_or(standard.top_k),
            top_p_milli: params.top_p.map_or(standard.top_p_milli, |p| milli(p, 1_000)),
            // Without a seed of the buyer's the job itself gives one: the receipt names it.
            seed: params.seed.map_or_else(|| seed_of(&id), |seed| seed as u32),
        },
        stop: params
            .stop
            .iter()
            .filter(|s| (1..=128).contains(&s.len()))
            .take(8)
            .cloned()
            .collect(),
        deadline_ms: Some(left_ms),
    }
}

fn milli(value: f32, most: u32) -> u32 {
    ((value * 1_000.0).round().max(0.0) as u32).min(most)
}

fn seed_of(id: &JobId) -> u32 {
    id.0.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// Bytes of a text inside a JSON string.
fn escaped_len(text: &str) -> usize {
    serde_json::to_string(text).map_or(text.len(), |json| json.len())
}

pub(super) fn failed(class: FailureClass, code: &str, detail: String, again: bool) -> Outcome {
    Outcome::Failed {
        class,
        code: code.to_owned(),
        detail,
        again,
    }
}

/// What a model's failure means for the work. A worker that died is replaced, so another attempt makes sense.
pub(super) fn refusal(error: &ModelError) -> Outcome {
    let code = error.code();
    let class = match code {
        ModelErrorCode::DeadlineExceeded => FailureClass::Deadline,
        ModelErrorCode::Cancelled => FailureClass::Cancelled,
        _ => FailureClass::Execution,
    };
    let again = matches!(
        code,
        ModelErrorCode::WorkerCrashed
            | ModelErrorCode::WorkerHung
            | ModelErrorCode::WorkerUnavailable
            | ModelErrorCode::Busy
            | ModelErrorCode::Server(
                ServerFault::Unreachable
                    | ServerFault::Overloaded
                    | ServerFault::Silent
                    | ServerFault::Failed
            )
    );
    failed(class, code.as_str(), error.to_string(), again)
}

pub(super) fn receipt(receipt: &model::Receipt) -> pb::Receipt {
    pb::Receipt {
        engine: receipt.engine.clone(),
        claim: receipt.claim.as_str().to_owned(),
        counts_reported: receipt.counts_reported,
        model_digest: receipt
            .model_digest
            .map(|digest| digest.to_vec())
            .unwrap_or_default(),
        runtime: receipt.runtime_build.clone(),
        device: receipt.cpu_features.clone(),
        threads: receipt.threads,
        n_ctx: receipt.n_ctx,
        n_batch: receipt.n_batch,
        n_ubatch: receipt.n_ubatch,
        kv: receipt.kv_settings.clone(),
        sampler: receipt.sampler_chain.clone(),
        seed: u64::from(receipt.seed),
        prompt_digest: receipt
            .prompt_tokens_digest
            .map(|digest| digest.to_vec())
            .unwrap_or_default(),
        output_digest: receipt
            .output_tokens_digest
            .map(|digest| digest.to_vec())
            .unwrap_or_default(),
        prompt_text_digest: receipt.prompt_text_digest.to_vec(),
        output_text_digest: receipt.output_text_digest.to_vec(),
        prompt_tokens: receipt.prompt_tokens,
        output_tokens: receipt.output_tokens,
        prompt_ms: receipt.prompt_ms,
        generate_ms: receipt.generate_ms,
        finish: receipt.finish_reason.as_str().to_owned(),
        model: receipt.model_name.clone(),
    }
}
