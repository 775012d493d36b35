//! Between the port's words and the contract's.
use std::time::Duration;

use autopilot_core::ports::model::{
    Claim, FinishReason, GenerateRequest, Input, ModelDescription, ModelError, Receipt, Role,
};
use autopilot_events::words::Digest;
use autopilot_proto::inference::v1 as wire;
use prost::Message;
use tonic::Status;

use crate::config::{ModelFile, WorkerConfig};

/// The load request that a configuration and a model stand for.
pub fn load_request(config: &WorkerConfig, model: &ModelFile, n_seq: u32) -> wire::LoadRequest {
    wire::LoadRequest {
        path: model.path.display().to_string(),
        expected_sha256: model.sha256.map(|digest| digest.to_vec()).unwrap_or_default(),
        n_ctx: config.n_ctx,
        n_batch: config.n_batch,
        memory_limit_bytes: config.memory_limit_bytes,
        threads: config.threads,
        n_seq,
        embeddings: config.embeddings,
    }
}

/// The request as it goes over the socket, with what is left of its deadline.
pub fn generate_request(request: &GenerateRequest, left: Option<Duration>) -> wire::GenerateRequest {
    let input = match &request.input {
        Input::Text(text) => wire::generate_request::Input::Text(text.clone()),
        Input::Chat(messages) => {
            let messages = messages
                .iter()
                .map(|message| wire::ChatMessage {
                    role: role(message.role).to_owned(),
                    content: message.content.clone(),
                })
                .collect();
            wire::generate_request::Input::Chat(wire::Chat { messages })
        }
    };
    wire::GenerateRequest {
        job_id: request.job.to_vec(),
        input: Some(input),
        max_tokens: request.max_tokens,
        temperature_milli: request.sampling.temperature_milli,
        top_k: request.sampling.top_k,
        top_p_milli: request.sampling.top_p_milli,
        seed: request.sampling.seed,
        stop: request.stop.clone(),
        // 0 means none, so a deadline that is due now is 1.
        deadline_ms: left.map_or(0, |left| {
            u64::try_from(left.as_millis()).unwrap_or(u64::MAX).max(1)
        }),
    }
}

fn role(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    }
}

/// What the worker says about its model.
pub fn description(info: &wire::ModelInfo) -> ModelDescription {
    ModelDescription {
        name: info.name.clone(),
        digest: Some(Digest::of(&info.digest)),
        sha256: info.sha256.as_slice().try_into().ok(),
        in_flight_max: info.n_seq.max(1),
        file_bytes: info.file_bytes,
        n_params: info.n_params,
        n_ctx_train: info.n_ctx_train,
        n_ctx: info.n_ctx,
        has_template: info.has_template,
        runtime_build: info.runtime_build.clone(),
        cpu_features: info.cpu_features.clone(),
        memory_need_bytes: info.memory_need_bytes,
        memory_bound_bytes: info.memory_bound_bytes,
        dimensions: info.dimensions,
    }
}

/// The receipt; an unknown reason to end is an error of the worker.
pub fn receipt(receipt: wire::Receipt) -> Result<Receipt, ModelError> {
    let finish_reason = match receipt.finish_reason() {
        wire::FinishReason::Eos => FinishReason::Eos,
        wire::FinishReason::Length => FinishReason::Length,
        wire::FinishReason::Stop => FinishReason::Stop,
        wire::FinishReason::Cancelled => FinishReason::Cancelled,
        wire::FinishReason::Deadline => FinishReason::Deadline,
        wire::FinishReason::Embedded => FinishReason::Embedded,
        wire::FinishReason::Unspecified => {
            return Err(ModelError::Internal {
                reason: "a receipt without a reason to end".into(),
            });
        }
    };
    Ok(Receipt {
        engine: "llama.cpp".to_owned(),
        // Weights of some types (F16 was seen to) give other bits in company; alone they never did.
        claim: match receipt.company {
            0 | 1 => Claim::SameBytes,
            _ => Claim::Nothing,
        },
        counts_reported: false,
        model_digest: Some(Digest::of(&receipt.model_digest)),
        model_name: receipt.model_name,
        runtime_build: receipt.runtime_build,
        cpu_features: receipt.cpu_features,
        threads: receipt.threads,
        n_batch: receipt.n_batch,
        n_ubatch: receipt.n_ubatch,
        n_ctx: receipt.n_ctx,
        kv_settings: receipt.kv_settings,
        sampler_chain: receipt.sampler_chain,
        seed: receipt.seed,
        template: receipt.template,
        prompt_text_digest: Digest::of(&receipt.prompt_text_digest),
        prompt_tokens_digest: Some(Digest::of(&receipt.prompt_tokens_digest)),
        output_text_digest: Digest::of(&receipt.output_text_digest),
        output_tokens_digest: Some(Digest::of(&receipt.output_tokens_digest)),
        prompt_tokens: receipt.prompt_tokens,
        output_tokens: receipt.output_tokens,
        load_ms: receipt.load_ms,
        prompt_ms: receipt.prompt_ms,
        generate_ms: receipt.generate_ms,
        finish_reason,
    })
}

/// A failed call: what the worker said, or that the connection broke.
#[derive(Debug)]
pub enum CallError {
    /// The worker answered with a failure of its own.
    Told(ModelError),
    /// The connection broke: the worker's end tells the reason.
    Broken,
}

/// Reads the failure that a status carries.
pub fn call_error(status: &Status) -> CallError {
    let Some(failure) = wire::Failure::decode(status.details())
        .ok()
        .filter(|_| !status.details().is_empty())
    else {
        tracing::debug!(%status, "the connection to the inference worker broke");
        return CallError::Broken;
    };
    let message = failure.message.clone();
    CallError::Told(match failure.code() {
        wire::FailureCode::Unspecified => return CallError::Broken,
        wire::FailureCode::ModelMissing => ModelError::ModelMissing {
            path: message
                .strip_prefix("there is no model file at ")
                .unwrap_or(&message)
                .to_owned(),
        },
        wire::FailureCode::ModelUnreadable => ModelError::ModelUnreadable { reason: message },
        wire::FailureCode::ModelDigestMismatch => ModelError::ModelDigestMismatch { reason: message },
        wire::FailureCode::ModelTooLarge => ModelError::ModelTooLarge {
            need_bytes: failure.value,
            limit_bytes: failure.limit,
        },
        wire::FailureCode::PromptTooLong => ModelError::PromptTooLong {
            tokens: failure.value,
            limit: failure.limit,
        },
        wire::FailureCode::RequestInvalid => ModelError::RequestInvalid { reason: message },
        wire::FailureCode::Busy => ModelError::Busy,
        wire::FailureCode::Deadline => ModelError::DeadlineExceeded { partial: None },
        wire::FailureCode::OutOfMemory => ModelError::OutOfMemory,
        wire::FailureCode::ModelNotLoaded | wire::FailureCode::Internal => {
            ModelError::Internal { reason: message }
        }
    })
}
