//! The server as a model: a line before it, patience with it, and a memory of how it was last found.
use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use autopilot_core::ports::model::{
    GenerateRequest, Generation, Model, ModelDescription, ModelError, ServerFault,
};
use autopilot_events::words::JobId;
use reqwest::{Client, redirect::Policy};
use tokio::{
    sync::{Notify, Semaphore},
    time::{Instant, sleep, sleep_until},
};

use crate::{answer::ask_once, config::ServerConfig, failure::Failure, models};

/// A finding this old is looked after again.
const FRESH: Duration = Duration::from_secs(4);
/// How long a server that answered with nonsense, or not at all, is taken for unfit; doubled with each failure on end.
const DISTRUST_FIRST: Duration = Duration::from_secs(5);
const DISTRUST_MAX: Duration = Duration::from_secs(120);

/// How the server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerHealth {
    /// Its model, while it can be used.
    pub model: Option<ModelDescription>,
    /// The requests that run now.
    pub running: Vec<JobId>,
    /// Why it can't be used, where it can't.
    pub problem: Option<ModelError>,
}

/// A model server. Clones share it.
#[derive(Clone)]
pub struct OpenAiServer {
    shared: Arc<Shared>,
}

struct Shared {
    config: ServerConfig,
    http: Client,
    seats: Semaphore,
    /// Requests that run or wait, and how to wake them for a cancel.
    known: Mutex<HashMap<JobId, Known>>,
    standing: Mutex<Standing>,
}

#[derive(Clone, Default)]
struct Known {
    cancel: Arc<Notify>,
    running: bool,
}

/// How the server was last found.
#[derive(Default)]
struct Standing {
    found: Option<Result<ModelDescription, ModelError>>,
    found_at: Option<Instant>,
    looking: bool,
    /// Requests that failed on end by the server's fault.
    failures: u32,
    /// Until when the last failure is held against it, whatever its list of models says.
    distrust: Option<(Instant, ModelError)>,
}

impl OpenAiServer {
    /// A server that is first asked when somebody asks for it.
    ///
    /// # Errors
    /// A sentence, when this program has no TLS.
    pub fn new(config: ServerConfig) -> Result<OpenAiServer, String> {
        // A redirection could carry key and prompt elsewhere; a proxy has no business on this machine.
        let mut http = Client::builder()
            .redirect(Policy::none())
            .connect_timeout(config.probe_bound)
            .user_agent(concat!("autopilot/", env!("CARGO_PKG_VERSION")));
        if config.is_loopback() {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| format!("no http client: {error}"))?;
        let seats = Semaphore::new(usize::try_from(config.in_flight_max.clamp(1, 64)).unwrap_or(1));
        Ok(OpenAiServer {
            shared: Arc::new(Shared {
                config,
                http,
                seats,
                known: Mutex::default(),
                standing: Mutex::default(),
            }),
        })
    }

    /// How it is; never waits. An old finding is looked after in the background.
    pub fn health(&self) -> ServerHealth {
        self.look_after();
        let standing = lock(&self.shared.standing);
        let distrust = standing
            .distrust
            .as_ref()
            .filter(|(until, _)| Instant::now() < *until);
        let (model, problem) = match (distrust, &standing.found) {
            (Some((_, error)), _) | (None, Some(Err(error))) => (None, Some(error.clone())),
            (None, Some(Ok(model))) => (Some(model.clone()), None),
            (None, None) => (None, None),
        };
        drop(standing);
        let running = lock(&self.shared.known)
            .iter()
            .filter(|(_, known)| known.running)
            .map(|(job, _)| *job)
            .collect();
        ServerHealth {
            model,
            running,
            problem,
        }
    }

    /// Names of all models that it serves, and the one that requests go to. Asks once.
    ///
    /// # Errors
    /// [`ModelError::Server`], when it can't be asked.
    pub async fn offered(&self) -> Result<(Vec<String>, Result<ModelDescription, ModelError>), ModelError> {
        let Shared { http, config, .. } = &*self.shared;
        models::offered(http, config)
            .await
            .map_err(|failure| failure.error)
    }

    fn look_after(&self) {
        let mut standing = lock(&self.shared.standing);
        let fresh = standing.found_at.is_some_and(|at| at.elapsed() < FRESH);
        if fresh || standing.looking {
            return;
        }
        standing.looking = true;
        drop(standing);
        let shared = self.shared.clone();
        tokio::spawn(async move {
            let found = models::describe(&shared.http, &shared.config).await;
            shared.found(found.map_err(|failure| failure.error));
            lock(&shared.standing).looking = false;
        });
    }
}

/// Waits between tries that may help, until a bound.
struct Patience(Instant);

impl Patience {
    /// # Errors
    /// The failure's reason, when another try does not help or comes too late.
    async fn after(&self, failure: Failure) -> Result<(), ModelError> {
        match failure.again_after {
            Some(pause) if Instant::now() + pause < self.0 => {
                sleep(pause).await;
                Ok(())
            }
            _ => Err(failure.error),
        }
    }
}

impl Shared {
    fn found(&self, found: Result<ModelDescription, ModelError>) {
        let mut standing = lock(&self.standing);
        standing.found = Some(found);
        standing.found_at = Some(Instant::now());
    }

    /// A request's end says more than a list of models: nonsense is held against the server for a while.
    fn learn(&self, outcome: &Result<Generation, ModelError>) {
        let mut standing = lock(&self.standing);
        match outcome {
            Ok(_) => (standing.failures, standing.distrust) = (0, None),
            Err(error @ ModelError::Server { fault, .. }) => match fault {
                // The prompt's fault.
                ServerFault::ContextTooLong => {}
                // The next look tells.
                ServerFault::Unreachable => {
                    standing.found = Some(Err(error.clone()));
                    standing.found_at = None;
                }
                _ => {
                    let pause = DISTRUST_FIRST
                        .saturating_mul(1 << standing.failures.min(16))
                        .min(DISTRUST_MAX);
                    standing.failures = standing.failures.saturating_add(1);
                    standing.distrust = Some((Instant::now() + pause, error.clone()));
                }
            },
            Err(_) => {}
        }
    }
}

impl Model for OpenAiServer {
    async fn describe(&self) -> Result<ModelDescription, ModelError> {
        let Shared { http, config, .. } = &*self.shared;
        let patience = Patience(Instant::now() + config.patience);
        let found = loop {
            match models::describe(http, config).await {
                Ok(model) => break Ok(model),
                Err(failure) => match patience.after(failure).await {
                    Ok(()) => {}
                    Err(error) => break Err(error),
                },
            }
        };
        self.shared.found(found.clone());
        found
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
            let outcome = tokio::select! {
                biased;
                () = ticket.cancel.notified() => Err(ModelError::Cancelled { partial: None }),
                () = due(deadline) => Err(ModelError::DeadlineExceeded { partial: None }),
                outcome = self.work(&request, &mut on_chunk) => outcome,
            };
            self.shared.learn(&outcome);
            outcome
        }
    }

    async fn cancel(&self, job: JobId) -> bool {
        let known = lock(&self.shared.known).get(&job).cloned();
        known.inspect(|known| known.cancel.notify_one()).is_some()
    }
}

impl OpenAiServer {
    async fn work(
        &self,
        request: &GenerateRequest,
        on_chunk: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Generation, ModelError> {
        let Shared {
            http, config, seats, ..
        } = &*self.shared;
        let closed = |_| ModelError::Internal {
            reason: "the line before the server is closed".into(),
        };
        let _seat = seats.acquire().await.map_err(closed)?;
        if let Some(known) = lock(&self.shared.known).get_mut(&request.job) {
            known.running = true;
        }
        let model = match &config.model {
            Some(name) => name.clone(),
            None => self.known_name().await?,
        };
        let patience = Patience(Instant::now() + config.patience);
        loop {
            match ask_once(http, config, &model, request, on_chunk).await {
                Ok(generation) => return Ok(generation),
                Err(failure) => patience.after(failure).await?,
            }
        }
    }

    /// The only model's name, as it was last found.
    async fn known_name(&self) -> Result<String, ModelError> {
        let found = lock(&self.shared.standing).found.clone();
        match found {
            Some(Ok(model)) => Ok(model.name),
            _ => Ok(self.describe().await?.name),
        }
    }
}

/// A place in line; given back when the request ends, however it ends.
struct Ticket<'a> {
    shared: &'a Shared,
    job: JobId,
    cancel: Arc<Notify>,
}

impl<'a> Ticket<'a> {
    fn take(shared: &'a Shared, job: JobId) -> Result<Ticket<'a>, ModelError> {
        let mut known = lock(&shared.known);
        if known.contains_key(&job) {
            return Err(ModelError::RequestInvalid {
                reason: "this job is being worked on already".into(),
            });
        }
        let seats = usize::try_from(shared.config.in_flight_max).unwrap_or(usize::MAX);
        if known.len() >= shared.config.queue_max.saturating_add(seats) {
            return Err(ModelError::Busy);
        }
        let cancel = known.entry(job).or_default().cancel.clone();
        Ok(Ticket { shared, job, cancel })
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        lock(&self.shared.known).remove(&self.job);
    }
}

/// Completes at that time; never without one.
async fn due(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Plain values, whole at every step: a panic elsewhere does not spoil them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
