//! The embedding port: texts in, one vector each and a receipt out. It lives in a process of its own, like every model.
use std::future::Future;

use autopilot_events::words::JobId;

use super::model::{ModelDescription, ModelError, Receipt};

/// A local embedding model.
pub trait Embedder: Send + Sync {
    /// Names the model, and makes it ready if it is not. Its `dimensions` are more than 0.
    fn describe_embedder(&self) -> impl Future<Output = Result<ModelDescription, ModelError>> + Send;

    /// Embeds every text or none; the vectors have length 1 (L2). A text that the model can't take whole is
    /// [`ModelError::PromptTooLong`]: nothing is cut. Dropping the future cancels between two texts.
    fn embed(&self, request: EmbedRequest) -> impl Future<Output = Result<Embedded, ModelError>> + Send;
}

/// Texts to embed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbedRequest {
    /// Names the request in the receipt.
    pub job: JobId,
    /// 1 to 32 texts, none empty.
    pub texts: Vec<String>,
    /// Milliseconds that the request may take from now, waiting included; `None`: no deadline.
    pub deadline_ms: Option<u64>,
}

/// Vectors with their receipt.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedded {
    /// One per text, in order.
    pub vectors: Vec<Vec<f32>>,
    /// How they came about.
    pub receipt: Receipt,
}
