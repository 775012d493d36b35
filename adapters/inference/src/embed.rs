//! Embedding over the same supervised worker: in line with other requests, given up when it takes too long.
use std::time::Duration;

use autopilot_core::ports::{
    embed::{EmbedRequest, Embedded, Embedder},
    model::{Model, ModelDescription, ModelError},
};
use autopilot_proto::inference::v1 as wire;
use tokio::time::{Instant, timeout_at};

use crate::{
    child::as_ms,
    supervisor::{Ticket, WorkerProcess},
    wire::{CallError, call_error, receipt},
};

/// How long after its deadline a request's worker may take to say so, before it is replaced.
const DEADLINE_GRACE: Duration = Duration::from_secs(5);

impl Embedder for WorkerProcess {
    async fn describe_embedder(&self) -> Result<ModelDescription, ModelError> {
        self.describe().await
    }

    async fn embed(&self, request: EmbedRequest) -> Result<Embedded, ModelError> {
        let deadline = request
            .deadline_ms
            .map(|ms| Instant::now() + Duration::from_millis(ms));
        let ticket = Ticket::take(&self.shared, request.job)?;
        tokio::select! {
            biased;
            () = ticket.cancel.notified() => Err(ModelError::Cancelled { partial: None }),
            embedded = self.embed_within(&request, deadline) => embedded,
        }
    }
}

impl WorkerProcess {
    async fn embed_within(
        &self,
        request: &EmbedRequest,
        deadline: Option<Instant>,
    ) -> Result<Embedded, ModelError> {
        let late = || ModelError::DeadlineExceeded { partial: None };
        // A text at a time: silence is judged over all of them. The worker refuses no text at all, and needs time for that.
        let watchdog = self
            .shared
            .config
            .watchdog
            .saturating_mul(u32::try_from(request.texts.len().max(1)).unwrap_or(1));
        let mut retried = false;
        loop {
            let ready = timeout_at(
                deadline.unwrap_or_else(|| Instant::now() + watchdog),
                self.ready(),
            );
            let (mut slot, model) = ready.await.map_err(|_| late())??;
            let Some(worker) = &mut slot.worker else {
                return Err(crate::child::unavailable("it ended while it was started".into()));
            };
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            let call = worker.client.embed(wire::EmbedRequest {
                job_id: request.job.to_vec(),
                texts: request.texts.clone(),
                deadline_ms: left.map_or(0, |left| as_ms(left).max(1)),
            });
            let bound = left.map_or(watchdog, |left| left + DEADLINE_GRACE);
            let status = match tokio::time::timeout(bound, call).await {
                Ok(Ok(reply)) => {
                    self.shared.worker_succeeded();
                    return embedded(reply.into_inner(), model.dimensions, request.texts.len());
                }
                Ok(Err(status)) => status,
                Err(_) => {
                    worker.kill().await;
                    self.shared.worker_failed(&mut slot).await;
                    drop(slot);
                    self.replace();
                    return Err(match deadline {
                        Some(_) => late(),
                        None => ModelError::WorkerHung {
                            silent_ms: as_ms(bound),
                        },
                    });
                }
            };
            let reason = match call_error(&status) {
                CallError::Told(error) => return Err(error),
                CallError::Broken => self.shared.worker_failed(&mut slot).await,
            };
            drop(slot);
            // A worker that died while idle is noticed only now. Embedding again is harmless.
            if retried {
                self.replace();
                return Err(reason);
            }
            retried = true;
        }
    }
}

fn embedded(reply: wire::EmbedReply, dimensions: u32, texts: usize) -> Result<Embedded, ModelError> {
    let internal = |reason: &str| ModelError::Internal {
        reason: reason.to_owned(),
    };
    let whole = |bytes: &Vec<u8>| bytes.len() == dimensions as usize * 4;
    if reply.vectors.len() != texts || !reply.vectors.iter().all(whole) {
        return Err(internal("vectors are missing or cut short"));
    }
    let floats = |bytes: &Vec<u8>| {
        bytes
            .as_chunks::<4>()
            .0
            .iter()
            .map(|b| f32::from_le_bytes(*b))
            .collect()
    };
    Ok(Embedded {
        vectors: reply.vectors.iter().map(floats).collect(),
        receipt: receipt(
            reply
                .receipt
                .ok_or_else(|| internal("vectors without a receipt"))?,
        )?,
    })
}
