//! What a server serves: `GET /models`.
use autopilot_core::ports::model::{ModelDescription, ModelError, ServerFault};
use reqwest::{Client, header::AUTHORIZATION};
use serde::Deserialize;
use tokio::time::timeout;

use crate::{
    config::ServerConfig,
    failure::{Failure, bounded, refused},
};

const LIST_BYTES_MAX: usize = 1 << 20;
/// Longest name of a model, and most names in a sentence.
pub const NAME_BYTES_MAX: usize = 128;
const NAMED_MAX: usize = 8;

#[derive(Deserialize)]
struct List {
    data: Vec<Served>,
}

#[derive(Deserialize)]
struct Served {
    id: String,
    /// vLLM: the context's length, tokens.
    max_model_len: Option<u32>,
    /// llama-server: what it knows of its file.
    meta: Option<Meta>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Meta {
    n_ctx: Option<u32>,
    n_ctx_train: Option<u32>,
    n_params: Option<u64>,
    size: Option<u64>,
}

/// Asks the server for its models, and describes the one that is to be used.
pub async fn describe(http: &Client, config: &ServerConfig) -> Result<ModelDescription, Failure> {
    let served = list(http, config).await?;
    chosen(config, &served).map_err(Failure::from)
}

/// Names of all models, and the one that is to be used.
pub async fn offered(
    http: &Client,
    config: &ServerConfig,
) -> Result<(Vec<String>, Result<ModelDescription, ModelError>), Failure> {
    let served = list(http, config).await?;
    let names = served.iter().map(|model| name(&model.id)).collect();
    Ok((names, chosen(config, &served)))
}

async fn list(http: &Client, config: &ServerConfig) -> Result<Vec<Served>, Failure> {
    let what = format!("the list of models at {}", config.url);
    let ask = async {
        let mut request = http.get(config.call("models"));
        if let Some(key) = config.authorisation()? {
            request = request.header(AUTHORIZATION, key);
        }
        let response = request
            .send()
            .await
            .map_err(|error| Failure::connection(&error, &what))?;
        match response.status().is_success() {
            true => bounded(response, LIST_BYTES_MAX).await,
            false => Err(refused(response, &what).await),
        }
    };
    let bytes = timeout(config.probe_bound, ask).await.unwrap_or_else(|_| {
        let detail = format!("{what}: no answer within {} ms", config.probe_bound.as_millis());
        Err(Failure::new(ServerFault::Silent, detail))
    })?;
    let list: List = serde_json::from_slice(&bytes)
        .map_err(|_| Failure::new(ServerFault::Malformed, format!("{what} is none")))?;
    Ok(list.data)
}

/// Reads a list of models without a server: what would be used of it.
#[doc(hidden)]
pub fn read_list(config: &ServerConfig, bytes: &[u8]) -> Option<ModelDescription> {
    let list: List = serde_json::from_slice(bytes).ok()?;
    chosen(config, &list.data).ok()
}

fn chosen(config: &ServerConfig, served: &[Served]) -> Result<ModelDescription, ModelError> {
    let names = |served: &[Served]| {
        let known: Vec<_> = served
            .iter()
            .take(NAMED_MAX)
            .map(|model| name(&model.id))
            .collect();
        format!(
            "{} serves {}",
            config.url,
            if known.is_empty() {
                "none".into()
            } else {
                known.join(", ")
            }
        )
    };
    let missing = |detail| ModelError::Server {
        fault: ServerFault::ModelMissing,
        detail,
    };
    let model = match (&config.model, served) {
        (Some(wanted), all) => all.iter().find(|model| model.id == *wanted),
        (None, [only]) => Some(only),
        (None, _) => return Err(missing(format!("none is chosen, and {}", names(served)))),
    };
    let model = model.ok_or_else(|| missing(names(served)))?;
    let meta = model.meta.as_ref();
    let told = model
        .max_model_len
        .or(meta.and_then(|meta| meta.n_ctx))
        .unwrap_or(0);
    Ok(ModelDescription {
        name: name(&model.id),
        digest: None,
        sha256: None,
        file_bytes: meta.and_then(|meta| meta.size).unwrap_or(0),
        n_params: meta.and_then(|meta| meta.n_params).unwrap_or(0),
        n_ctx_train: meta.and_then(|meta| meta.n_ctx_train).unwrap_or(0),
        n_ctx: if config.n_ctx > 0 { config.n_ctx } else { told },
        in_flight_max: config.in_flight_max,
        has_template: true,
        runtime_build: format!("openai-compatible server at {}", config.url),
        cpu_features: String::new(),
        memory_need_bytes: 0,
        memory_bound_bytes: 0,
        dimensions: 0,
    })
}

/// A name as it may be shown and recorded: one line, bounded.
pub fn name(text: &str) -> String {
    let clean: String = text.chars().filter(|c| !c.is_control()).collect();
    let end = (0..=NAME_BYTES_MAX.min(clean.len()))
        .rev()
        .find(|at| clean.is_char_boundary(*at));
    clean[..end.unwrap_or(0)].to_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]
mod tests {
    use super::*;

    fn check(wanted: Option<&str>, list: &str, expect: Result<(&str, u32), &str>) {
        let mut config = ServerConfig::new("http://127.0.0.1:1").unwrap();
        config.model = wanted.map(str::to_owned);
        let list: List = serde_json::from_str(list).unwrap();
        match (chosen(&config, &list.data), expect) {
            (Ok(model), Ok((name, n_ctx))) => assert_eq!((model.name.as_str(), model.n_ctx), (name, n_ctx)),
            (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_only_model_is_chosen_and_of_several_the_named_one() {
        let llama = r#"{"data":[{"id":"a","meta":{"n_ctx":1024,"n_params":5}}],"object":"list"}"#;
        let vllm = r#"{"data":[{"id":"a","max_model_len":4096},{"id":"b"}]}"#;
        check(None, llama, Ok(("a", 1024)));
        check(
            None,
            vllm,
            Err("none is chosen, and http://127.0.0.1:1/v1 serves a, b"),
        );
        check(Some("a"), vllm, Ok(("a", 4096)));
        check(Some("c"), vllm, Err("serves a, b"));
        check(None, r#"{"data":[]}"#, Err("serves none"));
        assert_eq!(name(&"ü\n".repeat(100)).len(), NAME_BYTES_MAX);
    }
}
