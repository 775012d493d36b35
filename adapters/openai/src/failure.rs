//! What a server's refusals mean. Its own sentences are never repeated: they may hold the prompt or the key.
use std::time::Duration;

use autopilot_core::ports::model::{ModelError, ServerFault};
use reqwest::{Response, StatusCode, header::RETRY_AFTER};
use serde_json::Value;

/// Most bytes of a refusal that are read.
const BODY_BYTES_MAX: usize = 64 << 10;
/// Longest word of a server that is repeated.
const WORD_BYTES_MAX: usize = 48;
/// Pause before a server without room is asked again, where it names none.
const PAUSE: Duration = Duration::from_secs(1);

/// Why a try failed, and whether another one may help.
#[derive(Debug)]
pub struct Failure {
    pub error: ModelError,
    /// Worth asking again after this long; `None`: the same would happen.
    pub again_after: Option<Duration>,
}

impl Failure {
    pub fn new(fault: ServerFault, detail: impl Into<String>) -> Failure {
        Failure {
            error: ModelError::Server {
                fault,
                detail: detail.into(),
            },
            again_after: None,
        }
    }

    fn again(mut self, after: Duration) -> Failure {
        self.again_after = Some(after);
        self
    }

    /// The connection did not come about, or broke.
    pub fn connection(error: &reqwest::Error, what: &str) -> Failure {
        let failure = Failure::new(ServerFault::Unreachable, format!("{what}: {}", causes(error)));
        match error.is_connect() {
            true => failure.again(Duration::from_millis(250)),
            false => failure,
        }
    }
}

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Failure {
        Failure {
            error,
            again_after: None,
        }
    }
}

/// The innermost cause, which names no address.
fn causes(error: &reqwest::Error) -> String {
    let first = std::error::Error::source(error);
    let innermost = std::iter::successors(first, |cause| cause.source()).last();
    match innermost {
        _ if error.is_timeout() => "no answer in time".to_owned(),
        Some(cause) => cause.to_string(),
        None => "the connection failed".to_owned(),
    }
}

/// What a reply other than success means.
pub async fn refused(response: Response, what: &str) -> Failure {
    let status = response.status();
    let pause = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .map_or(PAUSE, Duration::from_secs);
    let body = body(response).await;
    let error = body.get("error").unwrap_or(&body);
    let said = format!("{what}: status {}{}", status.as_u16(), kind(error));
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Failure::new(ServerFault::Unauthorised, said),
        StatusCode::NOT_FOUND => Failure::new(ServerFault::ModelMissing, said),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            Failure::new(ServerFault::Overloaded, said).again(pause)
        }
        status if status.is_redirection() => Failure::new(
            ServerFault::Malformed,
            format!("{said}: redirections are not followed"),
        ),
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
            unfit(error, said)
        }
        _ => Failure::new(ServerFault::Failed, said),
    }
}

/// An error inside a stream that began well.
pub fn told(error: &Value) -> Failure {
    let said = format!("in the middle of an answer{}", kind(error));
    match too_long(error) {
        Some(failure) => failure,
        None => Failure::new(ServerFault::Failed, said),
    }
}

fn unfit(error: &Value, said: String) -> Failure {
    too_long(error).unwrap_or_else(|| ModelError::RequestInvalid { reason: said }.into())
}

/// The words by which llama-server, vLLM, Ollama and OpenAI say that a prompt is too long.
fn too_long(error: &Value) -> Option<Failure> {
    let number = |name: &str| error.get(name).and_then(Value::as_u64);
    if let (Some(tokens), Some(n_ctx)) = (number("n_prompt_tokens"), number("n_ctx")) {
        let limit = n_ctx.saturating_sub(1);
        return Some(ModelError::PromptTooLong { tokens, limit }.into());
    }
    let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
    let coded = [text("type"), text("code")]
        .iter()
        .any(|word| ["exceed_context_size_error", "context_length_exceeded"].contains(word));
    let message = text("message").to_lowercase();
    let said = message.contains("context") && (message.contains("length") || message.contains("exceed"));
    (coded || said).then(|| Failure::new(ServerFault::ContextTooLong, "it said so"))
}

/// The error's type or code, when it is a plain word.
fn kind(error: &Value) -> String {
    let word = |name: &str| plain_word(error.get(name)?.as_str()?);
    word("type")
        .or_else(|| word("code"))
        .map_or(String::new(), |word| format!(" ({word})"))
}

/// A word as error types are, or nothing: neither a sentence nor a key looks like that.
fn plain_word(text: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphabetic() || c == '_';
    let fits = (1..=WORD_BYTES_MAX).contains(&text.len()) && text.chars().all(plain);
    fits.then(|| text.to_owned())
}

/// The body as JSON; null where it is none, or too long.
async fn body(response: Response) -> Value {
    let bytes = bounded(response, BODY_BYTES_MAX).await.unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// A whole body, at most `most` bytes of it.
pub async fn bounded(mut response: Response, most: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(piece)) if bytes.len() + piece.len() <= most => bytes.extend_from_slice(&piece),
            Ok(Some(_)) => {
                return Err(Failure::new(
                    ServerFault::OutputTooLarge,
                    format!("a reply of more than {most} bytes"),
                ));
            }
            Ok(None) => return Ok(bytes),
            Err(error) => {
                return Err(Failure::connection(
                    &error,
                    "the connection broke in the middle of a reply",
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_prompt_that_is_too_long_is_known_by_any_servers_words() {
        let llama = json!({"code":400,"message":"…","type":"exceed_context_size_error","n_prompt_tokens":4031,"n_ctx":1024});
        assert!(matches!(
            too_long(&llama).map(|f| f.error),
            Some(ModelError::PromptTooLong {
                tokens: 4031,
                limit: 1023
            })
        ));
        for error in [
            json!({"message":"This model's maximum context length is 4096 tokens","type":"BadRequestError"}),
            json!({"message":"…","type":"invalid_request_error","code":"context_length_exceeded"}),
        ] {
            let failure = too_long(&error).map(|f| f.error.code().as_str());
            assert_eq!(failure, Some("server-context-too-long"));
        }
        assert!(too_long(&json!({"message":"Expected 'messages' to be an array"})).is_none());
    }

    #[test]
    fn only_plain_words_of_a_server_are_repeated() {
        assert_eq!(
            kind(&json!({"type":"invalid_request_error"})),
            " (invalid_request_error)"
        );
        assert_eq!(
            kind(&json!({"type":"my prompt was this", "code": "sk-secret"})),
            ""
        );
        assert_eq!(kind(&json!({"type": 5})), "");
        assert_eq!(kind(&Value::Null), "");
    }
}
