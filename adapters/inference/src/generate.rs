//! Generating: as many requests at a time as the worker has sequences for.
use std::sync::atomic::Ordering;

use autopilot_core::ports::model::{FinishReason, GenerateRequest, Generation, ModelError};
use tokio::{sync::Notify, time::Instant};

use crate::{
    call::{Broken, Call, due},
    child::unavailable,
    supervisor::{Shared, WorkerProcess},
    wire::CallError,
};

impl WorkerProcess {
    /// One request to its end: a seat, a ready worker, and the answer; once more, when the worker died while idle.
    pub(crate) async fn run(
        &self,
        request: &GenerateRequest,
        deadline: Option<Instant>,
        cancel: &Notify,
        on_chunk: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Generation, ModelError> {
        let cancelled = || Err(ModelError::Cancelled { partial: None });
        let late = || Err(ModelError::DeadlineExceeded { partial: None });
        let _seat = tokio::select! {
            biased;
            () = cancel.notified() => return cancelled(),
            () = due(deadline) => return late(),
            seat = self.shared.seats.acquire() => seat,
        };
        let mut retried = false;
        loop {
            let (slot, _) = tokio::select! {
                biased;
                () = cancel.notified() => return cancelled(),
                () = due(deadline) => return late(),
                ready = self.ready() => ready?,
            };
            let Some(worker) = &slot.worker else {
                return Err(unavailable("it ended while it was started".into()));
            };
            let (mut client, epoch) = (worker.client.clone(), slot.epoch);
            let working = Working::begin(&self.shared);
            drop(slot);
            let mut call = Call {
                request,
                deadline,
                cancel,
                watchdog: self.shared.config.watchdog,
            };
            let (hung, begun) = match call.open(&mut client).await {
                Ok(stream) => match call.follow(&mut client, stream, on_chunk).await {
                    Ok(generation) => {
                        self.shared.worker_succeeded();
                        return finished(generation);
                    }
                    Err(Broken::Told(error)) => {
                        self.shared.worker_succeeded();
                        return Err(error);
                    }
                    Err(Broken::Connection) => (None, true),
                    Err(Broken::Silent(error)) => (Some(error), true),
                },
                Err(CallError::Broken) => (None, false),
                Err(CallError::Told(error)) => return Err(error),
            };
            drop(working);
            let reason = self.shared.lost(epoch, hung).await;
            // A worker that died while idle is noticed only now; the request has not begun.
            if !begun && !retried {
                retried = true;
                continue;
            }
            self.replace();
            return Err(reason);
        }
    }
}

/// A request that the worker holds. While there is one, the model is not loaded anew.
struct Working<'a>(&'a Shared);

impl Working<'_> {
    /// Only while the slot is held.
    fn begin(shared: &Shared) -> Working<'_> {
        shared.working.fetch_add(1, Ordering::SeqCst);
        Working(shared)
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.0.working.fetch_sub(1, Ordering::SeqCst);
    }
}

/// An output that was cut short is an error that carries it.
fn finished(generation: Generation) -> Result<Generation, ModelError> {
    match generation.receipt.finish_reason {
        FinishReason::Cancelled => Err(ModelError::Cancelled {
            partial: Some(Box::new(generation)),
        }),
        FinishReason::Deadline => Err(ModelError::DeadlineExceeded {
            partial: Some(Box::new(generation)),
        }),
        FinishReason::Eos | FinishReason::Length | FinishReason::Stop | FinishReason::Embedded => {
            Ok(generation)
        }
    }
}
