//! Runs the embedding model on a job: one vector per input, written as the result's content.
use autopilot_core::ports::{
    embed::{EmbedRequest, Embedder},
    market::JobRequest,
    model::{Generation, ModelError},
};
use autopilot_events::words::JobId;
use autopilot_nostr::nip90::embedding::Embeddings;

use crate::outside::Outside;

/// Embeds the texts of a request; the generation's text is the content of its result.
pub(super) async fn embed(
    outside: &Outside,
    job: JobId,
    texts: Vec<String>,
    request: &JobRequest,
    left_ms: u64,
) -> Result<Generation, ModelError> {
    let Some(embedder) = &outside.embedder else {
        return Err(ModelError::WorkerUnavailable {
            reason: "no embedding model is configured".to_owned(),
        });
    };
    if let Some((_, asked)) = request.params.other.iter().find(|(name, _)| name == "dimensions") {
        let dimensions = embedder.describe_embedder().await?.dimensions;
        if asked.trim() != dimensions.to_string() {
            return Err(ModelError::RequestInvalid {
                reason: format!("this model's vectors have {dimensions} dimensions"),
            });
        }
    }
    let request = EmbedRequest {
        job,
        texts,
        deadline_ms: Some(left_ms),
    };
    let embedded = embedder.embed(request).await?;
    let content = Embeddings {
        model: embedded.receipt.model_name.clone(),
        model_digest: embedded
            .receipt
            .model_digest
            .map(|digest| digest.to_string())
            .unwrap_or_default(),
        vectors: embedded.vectors,
    };
    Ok(Generation {
        text: content.to_content(),
        receipt: embedded.receipt,
    })
}
