//! One request on one worker: opened, followed to its receipt, and given up when it is silent for too long.
use std::time::Duration;

use autopilot_core::ports::model::{GenerateRequest, Generation, ModelError};
use autopilot_proto::inference::v1::{self as wire, generate_event::Event};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until, timeout, timeout_at},
};
use tonic::Streaming;

use crate::{
    child::{Client, as_ms},
    wire::{CallError, call_error, generate_request, receipt},
};

/// How long after its deadline a request's worker may take to say so, before it is replaced.
const DEADLINE_GRACE: Duration = Duration::from_secs(5);
/// How long a worker may take to hear of a cancel.
const CANCEL_BOUND: Duration = Duration::from_secs(2);
/// Pause before a worker that still ends a dropped request is asked again.
const BUSY_PAUSE: Duration = Duration::from_millis(10);

/// Why a stream ended without a receipt.
pub enum Broken {
    Told(ModelError),
    Connection,
    /// The worker has to go.
    Silent(ModelError),
}

/// One request on one worker.
pub struct Call<'a> {
    pub request: &'a GenerateRequest,
    pub deadline: Option<Instant>,
    pub cancel: &'a Notify,
    pub watchdog: Duration,
}

impl Call<'_> {
    /// Opens the stream. A worker that still ends a dropped request is asked again until the watchdog's bound.
    pub async fn open(&mut self, client: &mut Client) -> Result<Streaming<wire::GenerateEvent>, CallError> {
        let give_up = Instant::now() + self.watchdog;
        loop {
            let left = self
                .deadline
                .map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let call = client.generate(generate_request(self.request, left));
            let status = match timeout_at(give_up, call).await {
                Ok(Ok(stream)) => return Ok(stream.into_inner()),
                Ok(Err(status)) => status,
                Err(_) => return Err(CallError::Broken),
            };
            match call_error(&status) {
                CallError::Told(ModelError::Busy) if Instant::now() < give_up => sleep(BUSY_PAUSE).await,
                error => return Err(error),
            }
        }
    }

    /// Follows the stream to its receipt.
    pub async fn follow(
        &mut self,
        client: &mut Client,
        mut stream: Streaming<wire::GenerateEvent>,
        on_chunk: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Generation, Broken> {
        let mut text = String::new();
        let mut cancelled = false;
        loop {
            let silence_ends = Instant::now() + self.watchdog;
            let overdue = self.deadline.map(|deadline| deadline + DEADLINE_GRACE);
            let event = tokio::select! {
                biased;
                () = self.cancel.notified(), if !cancelled => {
                    cancelled = true;
                    let request = wire::CancelRequest { job_id: self.request.job.to_vec() };
                    // If it can't be told, the stream's end or the watchdog decides.
                    let _ = timeout(CANCEL_BOUND, client.cancel(request)).await;
                    continue;
                }
                event = stream.message() => event,
                () = due(overdue) => {
                    return Err(Broken::Silent(ModelError::DeadlineExceeded { partial: None }));
                }
                () = sleep_until(silence_ends) => {
                    return Err(Broken::Silent(ModelError::WorkerHung { silent_ms: as_ms(self.watchdog) }));
                }
            };
            match event {
                Ok(Some(wire::GenerateEvent {
                    event: Some(Event::Text(chunk)),
                })) => {
                    text.push_str(&chunk);
                    on_chunk(&chunk);
                }
                Ok(Some(wire::GenerateEvent {
                    event: Some(Event::Done(done)),
                })) => {
                    let receipt = receipt(done).map_err(Broken::Told)?;
                    return Ok(Generation { text, receipt });
                }
                Ok(Some(_)) => {}
                Ok(None) => return Err(Broken::Connection),
                Err(status) => match call_error(&status) {
                    CallError::Told(error) => return Err(Broken::Told(error)),
                    CallError::Broken => return Err(Broken::Connection),
                },
            }
        }
    }
}

/// Completes at that time; never without one.
pub async fn due(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
