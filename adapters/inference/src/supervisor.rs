//! The supervisor: one worker at a time, requests in line before it, and a new worker when the old one fails.
use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use autopilot_core::ports::model::{
    FinishReason, GenerateRequest, Generation, Model, ModelDescription, ModelError,
};
use autopilot_events::words::JobId;
use autopilot_proto::inference::v1 as wire;
use tokio::{
    sync::{Mutex as AsyncMutex, Notify, OwnedMutexGuard},
    time::{Instant, sleep_until, timeout},
};

use crate::{
    call::{Broken, Call, due},
    child::{Client, Worker, unavailable},
    config::WorkerConfig,
    wire::{CallError, description},
};

const BACKOFF_FIRST: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// How long a worker that is only asked how it is may take.
const HEALTH_BOUND: Duration = Duration::from_secs(2);

/// How the worker is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerHealth {
    /// Its process id; `None`: none runs, one is started with the next request.
    pub pid: Option<u32>,
    /// The model, once it is loaded.
    pub model: Option<ModelDescription>,
    /// The request that runs now.
    pub running: Option<JobId>,
    /// Resident memory of the worker, bytes.
    pub resident_bytes: u64,
    /// Workers that failed since one last finished a request.
    pub failures: u32,
    /// Why the last one failed, or its model was refused, while nothing is ready.
    pub problem: Option<ModelError>,
}

/// A supervised inference worker. Clones share it; the last one dropped kills the process.
#[derive(Clone)]
pub struct WorkerProcess {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) config: WorkerConfig,
    /// Held by the request that runs.
    slot: Arc<AsyncMutex<Slot>>,
    /// Requests that run or wait, and how to wake them for a cancel.
    known: Mutex<HashMap<JobId, Arc<Notify>>>,
    /// What Health needs, readable while a request runs.
    glance: Arc<Mutex<Glance>>,
}

#[derive(Default)]
pub(crate) struct Slot {
    pub(crate) worker: Option<Worker>,
    starts: u32,
    failures: u32,
    not_before: Option<Instant>,
    /// Somebody has asked for a worker, and nobody has ended it since.
    wanted: bool,
}

#[derive(Clone, Default)]
struct Glance {
    pid: Option<u32>,
    client: Option<Client>,
    failures: u32,
    problem: Option<ModelError>,
}

impl WorkerProcess {
    /// A supervisor that starts its worker with the first request, or with [`Model::describe`].
    pub fn new(config: WorkerConfig) -> WorkerProcess {
        let shared = Shared {
            config,
            slot: Arc::default(),
            known: Mutex::default(),
            glance: Arc::default(),
        };
        WorkerProcess {
            shared: Arc::new(shared),
        }
    }

    /// How the worker is; never waits for a running request. One that died while nobody used it is replaced: a provider
    /// without a model is given no job by which it could notice.
    pub async fn health(&self) -> WorkerHealth {
        let glance = lock(&self.shared.glance).clone();
        let mut health = WorkerHealth {
            pid: None,
            model: None,
            running: None,
            resident_bytes: 0,
            failures: glance.failures,
            problem: glance.problem,
        };
        let Some(mut client) = glance.client else {
            self.revive();
            return health;
        };
        match timeout(HEALTH_BOUND, client.health(wire::HealthRequest {})).await {
            Ok(Ok(reply)) => {
                let reply = reply.into_inner();
                health.pid = glance.pid;
                health.model = reply.model.as_ref().map(description);
                health.problem = health.problem.filter(|_| health.model.is_none());
                health.running = JobId::try_from(reply.running_job_id.as_slice()).ok();
                health.resident_bytes = reply.resident_bytes;
            }
            Ok(Err(_)) => self.revive(),
            // A worker that is slow to answer may be busy; the request that it runs has a watchdog.
            Err(_) => {}
        }
        health
    }

    /// Frees the model and ends the worker, once no request is before this one. The next request starts anew.
    pub async fn unload(&self) {
        let mut slot = self.shared.slot.lock().await;
        self.shared.end_worker(&mut slot).await;
    }

    /// Cancels what runs and waits, and ends the worker: by itself within three seconds, else killed.
    pub async fn stop(&self) {
        for wake in lock(&self.shared.known).values() {
            wake.notify_one();
        }
        let mut slot = self.shared.slot.lock().await;
        self.shared.end_worker(&mut slot).await;
    }

    /// Takes the slot with a worker whose model is loaded. The start goes on when the caller no longer waits.
    pub(crate) async fn ready(&self) -> Result<(OwnedMutexGuard<Slot>, wire::ModelInfo), ModelError> {
        let slot = self.shared.slot.clone().lock_owned().await;
        let shared = self.shared.clone();
        let started = tokio::spawn(async move {
            let mut slot = slot;
            let model = shared.ensure(&mut slot).await?;
            Ok((slot, model))
        });
        started.await.unwrap_or_else(|error| {
            Err(ModelError::Internal {
                reason: error.to_string(),
            })
        })
    }

    /// Starts a new worker without being asked, so that the next request finds it warm.
    pub(crate) fn replace(&self) {
        let worker = self.clone();
        tokio::spawn(async move {
            if let Err(error) = worker.ready().await {
                tracing::warn!(%error, "the inference worker could not be replaced yet");
            }
        });
    }

    /// Replaces a worker that is wanted and gone. Whoever holds the slot finds that out by itself.
    fn revive(&self) {
        let Ok(mut slot) = self.shared.slot.clone().try_lock_owned() else {
            return;
        };
        let gone = slot.worker.as_mut().is_none_or(|worker| !worker.is_alive());
        if slot.wanted && gone {
            drop(slot);
            self.replace();
        }
    }

    async fn run(
        &self,
        request: &GenerateRequest,
        deadline: Option<Instant>,
        cancel: &Notify,
        on_chunk: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Generation, ModelError> {
        let mut retried = false;
        loop {
            let (mut slot, _) = tokio::select! {
                biased;
                () = cancel.notified() => return Err(ModelError::Cancelled { partial: None }),
                () = due(deadline) => return Err(ModelError::DeadlineExceeded { partial: None }),
                ready = self.ready() => ready?,
            };
            let Some(worker) = &mut slot.worker else {
                return Err(unavailable("it ended while it was started".into()));
            };
            let mut call = Call {
                request,
                deadline,
                cancel,
                watchdog: self.shared.config.watchdog,
            };
            let stream = match call.open(&mut worker.client).await {
                Ok(stream) => stream,
                // A worker that died while idle is noticed only now; the request has not begun.
                Err(CallError::Broken) if !retried => {
                    retried = true;
                    self.shared.worker_failed(&mut slot).await;
                    continue;
                }
                Err(CallError::Broken) => return Err(self.shared.worker_failed(&mut slot).await),
                Err(CallError::Told(error)) => return Err(error),
            };
            let outcome = match call.follow(&mut worker.client, stream, on_chunk).await {
                Ok(generation) => Ok(generation),
                Err(Broken::Told(error)) => Err(error),
                Err(Broken::Connection) => Err(self.shared.worker_failed(&mut slot).await),
                Err(Broken::Silent(error)) => {
                    worker.kill().await;
                    self.shared.worker_failed(&mut slot).await;
                    Err(error)
                }
            };
            if slot.worker.is_none() {
                drop(slot);
                self.replace();
            } else {
                self.shared.worker_succeeded(&mut slot);
            }
            return outcome.and_then(finished);
        }
    }
}

impl Shared {
    /// A live worker with its model loaded, started anew if need be and if the pause after a failure is over.
    async fn ensure(&self, slot: &mut Slot) -> Result<wire::ModelInfo, ModelError> {
        if slot.worker.as_mut().is_some_and(|worker| !worker.is_alive()) {
            self.worker_failed(slot).await;
        }
        slot.wanted = true;
        if slot.worker.is_none() {
            if let Some(not_before) = slot.not_before {
                sleep_until(not_before).await;
            }
            let fault = self.config.first_fault.as_deref().filter(|_| slot.starts == 0);
            slot.starts = slot.starts.saturating_add(1);
            match Worker::start(&self.config, fault).await {
                Ok(worker) => self.install(slot, worker),
                Err(error) => {
                    self.count_failure(slot, &error);
                    return Err(error);
                }
            }
        }
        let Some(worker) = &mut slot.worker else {
            return Err(unavailable("none was started".into()));
        };
        let loaded = worker.load(&self.config).await;
        let alive = worker.is_alive();
        lock(&self.glance).problem = loaded.as_ref().err().cloned();
        if let Err(error) = &loaded
            && !alive
        {
            slot.worker = None;
            self.count_failure(slot, error);
        }
        loaded
    }

    fn install(&self, slot: &mut Slot, worker: Worker) {
        let failures = slot.failures;
        let problem = lock(&self.glance).problem.take();
        *lock(&self.glance) = Glance {
            pid: worker.pid(),
            client: Some(worker.client.clone()),
            failures,
            problem,
        };
        slot.worker = Some(worker);
    }

    /// A request came to its end: failures are forgotten.
    pub(crate) fn worker_succeeded(&self, slot: &mut Slot) {
        slot.failures = 0;
        lock(&self.glance).failures = 0;
    }

    /// Takes the failed worker out and returns why it ended.
    pub(crate) async fn worker_failed(&self, slot: &mut Slot) -> ModelError {
        let reason = match slot.worker.take() {
            Some(mut worker) => worker.end_reason().await,
            None => unavailable("it ended before".into()),
        };
        self.count_failure(slot, &reason);
        reason
    }

    fn count_failure(&self, slot: &mut Slot, reason: &ModelError) {
        let pause = BACKOFF_FIRST
            .saturating_mul(1 << slot.failures.min(16))
            .min(BACKOFF_MAX);
        slot.failures = slot.failures.saturating_add(1);
        slot.not_before = Some(Instant::now() + pause);
        *lock(&self.glance) = Glance {
            pid: None,
            client: None,
            failures: slot.failures,
            problem: Some(reason.clone()),
        };
    }

    async fn end_worker(&self, slot: &mut Slot) {
        slot.wanted = false;
        if let Some(mut worker) = slot.worker.take() {
            worker.stop().await;
        }
        *lock(&self.glance) = Glance {
            failures: slot.failures,
            ..Glance::default()
        };
    }
}

impl Model for WorkerProcess {
    async fn describe(&self) -> Result<ModelDescription, ModelError> {
        let (_, model) = self.ready().await?;
        Ok(description(&model))
    }

    fn generate(
        &self,
        request: GenerateRequest,
        mut on_chunk: impl FnMut(&str) + Send,
    ) -> impl Future<Output = Result<Generation, ModelError>> + Send {
        let deadline = request
            .deadline_ms
            .map(|ms| Instant::now() + Duration::from_millis(ms));
        async move {
            let ticket = Ticket::take(&self.shared, request.job)?;
            self.run(&request, deadline, &ticket.cancel, &mut on_chunk).await
        }
    }

    async fn cancel(&self, job: JobId) -> bool {
        let wake = lock(&self.shared.known).get(&job).cloned();
        wake.inspect(|wake| wake.notify_one()).is_some()
    }
}

/// A place in line; given back when the request ends, however it ends.
pub(crate) struct Ticket<'a> {
    shared: &'a Shared,
    job: JobId,
    pub(crate) cancel: Arc<Notify>,
}

impl<'a> Ticket<'a> {
    pub(crate) fn take(shared: &'a Shared, job: JobId) -> Result<Ticket<'a>, ModelError> {
        let mut known = lock(&shared.known);
        if known.contains_key(&job) {
            return Err(ModelError::RequestInvalid {
                reason: "this job is being worked on already".into(),
            });
        }
        if known.len() > shared.config.queue_max {
            return Err(ModelError::Busy);
        }
        let cancel = Arc::<Notify>::default();
        known.insert(job, cancel.clone());
        Ok(Ticket { shared, job, cancel })
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        lock(&self.shared.known).remove(&self.job);
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

/// Plain values, whole at every step: a panic elsewhere does not spoil them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
