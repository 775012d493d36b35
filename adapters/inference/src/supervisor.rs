//! The supervisor: one worker at a time, a line before its seats, and a new worker when the old one fails.
use std::{
    collections::HashMap,
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use autopilot_core::ports::model::{GenerateRequest, Generation, Model, ModelDescription, ModelError};
use autopilot_events::words::JobId;
use autopilot_proto::inference::v1 as wire;
use tokio::{
    sync::{Mutex as AsyncMutex, Notify, OwnedMutexGuard, Semaphore, SemaphorePermit},
    time::{Instant, sleep_until, timeout},
};

use crate::{
    child::{Client, Worker, unavailable},
    config::{ModelFile, WorkerConfig},
    wire::description,
};

const BACKOFF_FIRST: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// Most requests at a time.
const SEATS_MAX: u32 = 64;
/// How long cancelled requests may take to end before their worker is ended under them.
const STOP_BOUND: Duration = Duration::from_secs(3);

/// A supervised inference worker. Clones share it; the last one dropped kills the process.
#[derive(Clone)]
pub struct WorkerProcess {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) config: WorkerConfig,
    /// What is to be served now; the configuration's at first.
    pub(crate) model: Mutex<ModelFile>,
    /// Held to start, load or end the worker, and by an embedding.
    pub(crate) slot: Arc<AsyncMutex<Slot>>,
    /// As many as the worker has sequences; held by the generations that run.
    pub(crate) seats: Semaphore,
    /// Seats that are wished for.
    in_flight: AtomicU32,
    /// Generations that the worker holds now.
    pub(crate) working: AtomicUsize,
    /// Requests that run or wait, and how to wake them for a cancel.
    known: Mutex<HashMap<JobId, Arc<Notify>>>,
    /// What Health needs, readable while a request runs.
    pub(crate) glance: Arc<Mutex<Glance>>,
}

#[derive(Default)]
pub(crate) struct Slot {
    pub(crate) worker: Option<Worker>,
    /// Which worker it is: each start has its own number.
    pub(crate) epoch: u64,
    not_before: Option<Instant>,
    /// Why a worker ended, with its number: several requests may ask.
    last_end: Option<(u64, ModelError)>,
    /// Seats that there are.
    seats: u32,
    /// Somebody has asked for a worker, and nobody has ended it since.
    pub(crate) wanted: bool,
}

#[derive(Clone, Default)]
pub(crate) struct Glance {
    pub(crate) pid: Option<u32>,
    pub(crate) client: Option<Client>,
    pub(crate) failures: u32,
    pub(crate) problem: Option<ModelError>,
}

impl WorkerProcess {
    /// A supervisor that starts its worker with the first request, or with [`Model::describe`].
    pub fn new(config: WorkerConfig) -> WorkerProcess {
        let seats = config.in_flight.clamp(1, SEATS_MAX);
        let slot = Slot {
            seats,
            ..Slot::default()
        };
        let shared = Shared {
            model: Mutex::new(config.model.clone()),
            config,
            slot: Arc::new(AsyncMutex::new(slot)),
            seats: Semaphore::new(seats as usize),
            in_flight: AtomicU32::new(seats),
            working: AtomicUsize::new(0),
            known: Mutex::default(),
            glance: Arc::default(),
        };
        WorkerProcess {
            shared: Arc::new(shared),
        }
    }

    /// How many requests are to be computed at the same time, 1 to 64. It holds from the next time that none runs.
    pub fn set_in_flight(&self, most: u32) {
        self.shared
            .in_flight
            .store(most.clamp(1, SEATS_MAX), Ordering::SeqCst);
    }

    /// Frees the model and ends the worker, once no request runs. The next request starts anew.
    pub async fn unload(&self) {
        let _all = self.all_seats().await;
        let mut slot = self.shared.slot.lock().await;
        self.shared.end_worker(&mut slot).await;
    }

    /// Serves another model from now on, once no request runs. Loads nothing; what is served already stays loaded.
    pub async fn serve(&self, model: ModelFile) {
        if *lock(&self.shared.model) == model {
            return;
        }
        let _all = self.all_seats().await;
        let mut slot = self.shared.slot.lock().await;
        *lock(&self.shared.model) = model;
        self.shared.end_worker(&mut slot).await;
    }

    /// Cancels what runs and waits, and ends the worker: by itself within three seconds, else killed.
    pub async fn stop(&self) {
        for wake in lock(&self.shared.known).values() {
            wake.notify_one();
        }
        // Those that run end with their own reason, if they end in time.
        let _all = timeout(STOP_BOUND, self.all_seats()).await;
        let mut slot = self.shared.slot.lock().await;
        self.shared.end_worker(&mut slot).await;
    }

    async fn all_seats(&self) -> Option<SemaphorePermit<'_>> {
        let seats = self.shared.slot.lock().await.seats;
        self.shared.seats.acquire_many(seats).await.ok()
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
}

impl Shared {
    /// A live worker with its model loaded, started anew if need be and if the pause after a failure is over.
    async fn ensure(&self, slot: &mut Slot) -> Result<wire::ModelInfo, ModelError> {
        if slot.worker.as_mut().is_some_and(|worker| !worker.is_alive()) {
            self.worker_failed(slot).await;
        }
        slot.wanted = true;
        let was_loaded = slot.worker.as_ref().is_some_and(|worker| worker.model.is_some());
        match self.load(slot).await {
            // It died while idle, and that was noticed only now.
            Err(_) if was_loaded && slot.worker.is_none() => self.load(slot).await,
            loaded => loaded,
        }
    }

    /// Loads the model, in a new worker where there is none.
    async fn load(&self, slot: &mut Slot) -> Result<wire::ModelInfo, ModelError> {
        if slot.worker.is_none() {
            if let Some(not_before) = slot.not_before {
                sleep_until(not_before).await;
            }
            let fault = self.config.first_fault.as_deref().filter(|_| slot.epoch == 0);
            slot.epoch = slot.epoch.saturating_add(1);
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
        // A model that is at work stays as it is.
        let n_seq = match self.working.load(Ordering::SeqCst) {
            0 => self.in_flight.load(Ordering::SeqCst),
            _ => worker.asked_n_seq,
        };
        let model = lock(&self.model).clone();
        let loaded = worker.load(&self.config, &model, n_seq).await;
        let alive = worker.is_alive();
        lock(&self.glance).problem = loaded.as_ref().err().cloned();
        if let Err(error) = &loaded
            && !alive
        {
            slot.worker = None;
            self.count_failure(slot, error);
        }
        if let Ok(model) = &loaded {
            self.make_seats(slot, model.n_seq.max(1));
        }
        loaded
    }

    fn install(&self, slot: &mut Slot, worker: Worker) {
        let (pid, client) = (worker.pid(), Some(worker.client.clone()));
        let mut glance = lock(&self.glance);
        (glance.pid, glance.client) = (pid, client);
        slot.worker = Some(worker);
    }

    /// A request came to its end: failures are forgotten.
    pub(crate) fn worker_succeeded(&self) {
        let mut glance = lock(&self.glance);
        (glance.failures, glance.problem) = (0, None);
    }

    /// Takes the failed worker out and returns why it ended.
    pub(crate) async fn worker_failed(&self, slot: &mut Slot) -> ModelError {
        let reason = match slot.worker.take() {
            Some(mut worker) => worker.end_reason().await,
            None => unavailable("it ended before".into()),
        };
        self.count_failure(slot, &reason);
        slot.last_end = Some((slot.epoch, reason.clone()));
        reason
    }

    /// A request lost its worker: the worker is taken out, killed if it hung, and the reason is the same for all
    /// requests that it held.
    pub(crate) async fn lost(&self, epoch: u64, hung: Option<ModelError>) -> ModelError {
        let mut slot = self.slot.lock().await;
        let current = slot.epoch == epoch;
        if let Some(worker) = slot.worker.as_mut().filter(|_| current) {
            if hung.is_some() {
                worker.kill().await;
            }
            let reason = self.worker_failed(&mut slot).await;
            let reason = hung.unwrap_or(reason);
            lock(&self.glance).problem = Some(reason.clone());
            slot.last_end = Some((epoch, reason.clone()));
            return reason;
        }
        match &slot.last_end {
            Some((ended, reason)) if *ended == epoch => reason.clone(),
            _ => unavailable("it ended before".into()),
        }
    }

    /// Gives out more seats, or takes back those that are free.
    fn make_seats(&self, slot: &mut Slot, wished: u32) {
        match wished.checked_sub(slot.seats) {
            Some(more) => {
                self.seats.add_permits(more as usize);
                slot.seats = wished;
            }
            None => {
                let surplus = (slot.seats - wished) as usize;
                let taken_back = u32::try_from(self.seats.forget_permits(surplus)).unwrap_or(0);
                slot.seats -= taken_back;
            }
        }
    }

    fn count_failure(&self, slot: &mut Slot, reason: &ModelError) {
        let mut glance = lock(&self.glance);
        let pause = BACKOFF_FIRST
            .saturating_mul(1 << glance.failures.min(16))
            .min(BACKOFF_MAX);
        slot.not_before = Some(Instant::now() + pause);
        *glance = Glance {
            pid: None,
            client: None,
            failures: glance.failures.saturating_add(1),
            problem: Some(reason.clone()),
        };
    }

    async fn end_worker(&self, slot: &mut Slot) {
        slot.wanted = false;
        if let Some(mut worker) = slot.worker.take() {
            worker.stop().await;
        }
        let mut glance = lock(&self.glance);
        *glance = Glance {
            failures: glance.failures,
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
        let seats = shared.in_flight.load(Ordering::SeqCst) as usize;
        if known.len() >= shared.config.queue_max.saturating_add(seats) {
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

/// Plain values, whole at every step: a panic elsewhere does not spoil them.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
