//! A request as the interface wants it.
use autopilot_core::ports::model::{GenerateRequest, Input, Role, Sampling};
use autopilot_events::words::Digest;
use serde_json::{Value, json};

/// The call, its body, and the digest of the prompt in it.
pub struct Ask {
    pub path: &'static str,
    pub body: Value,
    pub prompt_digest: Digest,
    /// The samplers that were asked for; which ones the server applies is its own affair.
    pub sampler: String,
}

impl Ask {
    pub fn of(request: &GenerateRequest, model: &str) -> Ask {
        let (path, key, prompt) = match &request.input {
            Input::Chat(messages) => {
                let turns = messages
                    .iter()
                    .map(|turn| json!({"role": role(turn.role), "content": turn.content}));
                ("chat/completions", "messages", Value::Array(turns.collect()))
            }
            Input::Text(text) => ("completions", "prompt", Value::String(text.clone())),
        };
        let prompt_digest = Digest::of_content(prompt.to_string().as_bytes());
        let sampling = &request.sampling;
        let mut body = json!({
            "model": model,
            "stream": true,
            "stream_options": {"include_usage": true},
            "max_tokens": request.max_tokens,
            "temperature": thousandths(sampling.temperature_milli),
            "seed": sampling.seed,
        });
        body[key] = prompt;
        if (1..1_000).contains(&sampling.top_p_milli) {
            body["top_p"] = thousandths(sampling.top_p_milli).into();
        }
        // No part of OpenAI's own interface, but of llama-server's and vLLM's.
        if sampling.top_k > 0 && sampling.temperature_milli > 0 {
            body["top_k"] = sampling.top_k.into();
        }
        if !request.stop.is_empty() {
            body["stop"] = request.stop.clone().into();
        }
        Ask {
            path,
            body,
            prompt_digest,
            sampler: asked(sampling),
        }
    }
}

fn asked(sampling: &Sampling) -> String {
    let Sampling {
        temperature_milli,
        top_k,
        top_p_milli,
        seed,
    } = sampling;
    format!(
        "asked: temperature({temperature_milli}/1000) top_k({top_k}) top_p({top_p_milli}/1000) seed({seed})"
    )
}

fn thousandths(value: u32) -> f64 {
    f64::from(value) / 1_000.0
}

fn role(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    }
}
