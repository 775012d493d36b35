//! The inference thread: it owns the runtime, and takes one command after the other. Health and Cancel go past
//! it through shared state.
use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::Instant,
};

use autopilot_proto::inference::v1::{
    EmbedReply, EmbedRequest, GenerateEvent, GenerateRequest, LoadReply, LoadRequest, ModelInfo,
    generate_event::Event,
};
use llama_cpp_2::{context::LlamaContext, llama_backend::LlamaBackend, model::LlamaModel};
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot,
};
use tonic::Status;

use crate::{
    embed,
    failure::Failure,
    fault::Fault,
    generate::{self, Job},
    load::{self, Loaded, Watch},
    machine,
    prompt::Template,
    table::Table,
};

/// Commands that may wait: as many generations as there are sequences are let in, and little else.
const COMMANDS_MAX: usize = 80;
/// Events of a generation that may wait for their reader.
const EVENTS_MAX: usize = 64;

/// A loaded model with its context, as a generation uses it.
pub struct Model<'a, 'm> {
    pub model: &'a LlamaModel,
    pub template: &'a Template,
    pub info: &'a ModelInfo,
    pub context: &'a mut LlamaContext<'m>,
}

type Reply<T> = oneshot::Sender<Result<T, Failure>>;

enum Command {
    Load(LoadRequest, Reply<LoadReply>),
    Unload(Reply<()>),
    Generate(Box<Job>),
    Embed(Box<embed::Job>, Reply<EmbedReply>),
}

#[derive(Default)]
struct State {
    loaded: Option<Standing>,
    /// Generations at work, by id.
    running: HashMap<Vec<u8>, Arc<AtomicBool>>,
}

/// What is loaded, and by which request.
struct Standing {
    request: LoadRequest,
    info: ModelInfo,
    watch: Watch,
}

/// Handle to the inference thread.
#[derive(Clone)]
pub struct Engine {
    commands: SyncSender<Command>,
    state: Arc<Mutex<State>>,
}

impl Engine {
    /// Starts the thread; it lives as long as the process.
    pub fn start() -> io::Result<Engine> {
        let (commands, inbox) = sync_channel(COMMANDS_MAX);
        let state = Arc::<Mutex<State>>::default();
        let thread = Thread {
            inbox,
            state: state.clone(),
            fault: Fault::from_environment(),
        };
        std::thread::Builder::new()
            .name("inference".into())
            .spawn(move || thread.run())?;
        Ok(Engine { commands, state })
    }

    /// Loads a model in place of the one that is loaded, unless that is the same.
    pub async fn load(&self, request: LoadRequest) -> Result<LoadReply, Failure> {
        let same = |standing: &&Standing| standing.request == request && standing.watch.is_current();
        if let Some(standing) = lock(&self.state).loaded.as_ref().filter(same) {
            return Ok(LoadReply {
                model: Some(standing.info.clone()),
                load_ms: 0,
            });
        }
        let (reply, answer) = oneshot::channel();
        self.ask(Command::Load(request, reply), answer).await
    }

    /// Frees the model.
    pub async fn unload(&self) -> Result<(), Failure> {
        let (reply, answer) = oneshot::channel();
        self.ask(Command::Unload(reply), answer).await
    }

    /// Begins a generation and returns its events.
    pub fn generate(
        &self,
        request: GenerateRequest,
    ) -> Result<mpsc::Receiver<Result<GenerateEvent, Status>>, Failure> {
        generate::check(&request)?;
        let (events, receiver) = mpsc::channel(EVENTS_MAX);
        let cancel = Arc::new(AtomicBool::new(false));
        {
            let mut state = lock(&self.state);
            let seats = state
                .loaded
                .as_ref()
                .map_or(1, |standing| standing.info.n_seq.max(1));
            // One that was dropped a moment ago may still be ending.
            if state.running.len() >= seats as usize || state.running.contains_key(&request.job_id) {
                return Err(Failure::Busy);
            }
            state.running.insert(request.job_id.clone(), cancel.clone());
        }
        let job_id = request.job_id.clone();
        let job = Box::new(Job {
            request,
            arrived: Instant::now(),
            cancel,
            events,
        });
        if self.commands.try_send(Command::Generate(job)).is_err() {
            lock(&self.state).running.remove(&job_id);
            return Err(Failure::Busy);
        }
        Ok(receiver)
    }

    /// Texts into vectors. When the caller no longer waits, it ends before the next text.
    pub async fn embed(&self, request: EmbedRequest) -> Result<EmbedReply, Failure> {
        embed::check(&request)?;
        let (reply, answer) = oneshot::channel();
        let job = Box::new(embed::Job {
            request,
            arrived: Instant::now(),
        });
        self.ask(Command::Embed(job, reply), answer).await
    }

    /// Asks the generation of that id to stop; false when no such one runs.
    pub fn cancel(&self, job_id: &[u8]) -> bool {
        let state = lock(&self.state);
        let running = state.running.get(job_id);
        running
            .inspect(|cancel| cancel.store(true, Ordering::Relaxed))
            .is_some()
    }

    /// Asks whatever runs to stop.
    pub fn cancel_all(&self) {
        for cancel in lock(&self.state).running.values() {
            cancel.store(true, Ordering::Relaxed);
        }
    }

    /// The loaded model and the ids of the running generations.
    pub fn health(&self) -> (Option<ModelInfo>, Vec<Vec<u8>>) {
        let state = lock(&self.state);
        let model = state.loaded.as_ref().map(|standing| standing.info.clone());
        (model, state.running.keys().cloned().collect())
    }

    async fn ask<T>(
        &self,
        command: Command,
        answer: oneshot::Receiver<Result<T, Failure>>,
    ) -> Result<T, Failure> {
        if !lock(&self.state).running.is_empty() || self.commands.try_send(command).is_err() {
            return Err(Failure::Busy);
        }
        answer
            .await
            .map_err(|_| Failure::Internal("the inference thread is gone".into()))?
    }
}

/// A panic while the lock is held leaves plain values behind that are whole at every step.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Thread {
    inbox: Receiver<Command>,
    state: Arc<Mutex<State>>,
    fault: Fault,
}

impl Thread {
    fn run(self) {
        let backend = match LlamaBackend::init() {
            Ok(backend) => backend,
            Err(error) => {
                eprintln!("autopilot-inference-worker: the runtime cannot start: {error}");
                std::process::exit(1);
            }
        };
        let mut next = self.inbox.recv().ok();
        while let Some(command) = next.take() {
            match command {
                Command::Load(request, reply) => match self.load(&backend, &request) {
                    Ok(loaded) => next = self.serve(&backend, &request, loaded, reply),
                    Err(failure) => drop(reply.send(Err(failure))),
                },
                Command::Unload(reply) => drop(reply.send(Ok(()))),
                Command::Generate(job) => self.end(&job, Err(Failure::ModelNotLoaded)),
                Command::Embed(_, reply) => drop(reply.send(Err(Failure::ModelNotLoaded))),
            }
            if next.is_none() {
                next = self.inbox.recv().ok();
            }
        }
    }

    fn load(&self, backend: &LlamaBackend, request: &LoadRequest) -> Result<Loaded, Failure> {
        machine::lift_bound().map_err(|error| Failure::Internal(error.to_string()))?;
        load::load(backend, request)
    }

    /// Answers generations with this model, until a command asks for something else; that one is returned.
    fn serve(
        &self,
        backend: &LlamaBackend,
        request: &LoadRequest,
        loaded: Loaded,
        reply: Reply<LoadReply>,
    ) -> Option<Command> {
        let Loaded {
            model,
            template,
            context,
            mut info,
            watch,
            load_ms,
        } = loaded;
        let Ok(mut context) = model.new_context(backend, context) else {
            drop(reply.send(Err(Failure::OutOfMemory("making the context"))));
            return None;
        };
        // The runtime rounds up what each sequence has.
        info.n_ctx = context.n_ctx() / info.n_seq.max(1);
        (info.n_batch, info.n_ubatch) = (context.n_batch(), context.n_ubatch());
        if request.embeddings {
            match embed::dimensions(&model, &mut context) {
                Ok(dimensions) => info.dimensions = dimensions,
                Err(failure) => {
                    drop(reply.send(Err(failure)));
                    return None;
                }
            }
        }
        lock(&self.state).loaded = Some(Standing {
            request: request.clone(),
            info: info.clone(),
            watch: watch.clone(),
        });
        drop(reply.send(Ok(LoadReply {
            model: Some(info.clone()),
            load_ms,
        })));
        let mut loaded = Model {
            model: &model,
            template: &template,
            info: &info,
            context: &mut context,
        };
        let next = self.work(&mut loaded, &watch, load_ms);
        lock(&self.state).loaded = None;
        next
    }

    /// Takes commands between two steps of the generations at work.
    fn work(
        &self,
        loaded: &mut Model<'_, '_>,
        watch: &Watch,
        mut unreported_load_ms: u64,
    ) -> Option<Command> {
        let mut table = Table::new(loaded.info.n_seq, self.fault);
        loop {
            let command = match table.is_empty() {
                true => Some(self.inbox.recv().ok()?),
                false => self.inbox.try_recv().ok(),
            };
            match command {
                None => {
                    for (job, outcome) in table.step(loaded) {
                        let outcome = match watch.is_intact() {
                            true => outcome,
                            false => Err(Failure::ModelDigestMismatch {
                                found: "a file that was changed while it was in use".into(),
                                expected: "the one that was loaded".into(),
                            }),
                        };
                        self.end(&job, outcome);
                    }
                }
                Some(Command::Generate(job)) if loaded.info.dimensions > 0 => {
                    self.end(&job, Err(embed::wrong_use("this model is loaded for embeddings")));
                }
                Some(Command::Generate(job)) => {
                    let load_ms = std::mem::take(&mut unreported_load_ms);
                    if let Some((job, outcome)) = table.take(loaded, job, load_ms) {
                        self.end(&job, outcome);
                    }
                }
                Some(Command::Embed(job, reply)) if table.is_empty() => {
                    let load_ms = std::mem::take(&mut unreported_load_ms);
                    let outcome = embed::run(loaded, &job, load_ms, || reply.is_closed());
                    drop(reply.send(outcome));
                }
                Some(other) if table.is_empty() => return Some(other),
                // Only a generation that began a moment after they were asked for stands in their way.
                Some(Command::Load(_, reply)) => drop(reply.send(Err(Failure::Busy))),
                Some(Command::Unload(reply)) => drop(reply.send(Err(Failure::Busy))),
                Some(Command::Embed(_, reply)) => drop(reply.send(Err(Failure::Busy))),
            }
        }
    }

    /// The worker is free again before the end is told, so that the next request is never refused as busy.
    fn end(&self, job: &Job, outcome: Result<Vec<Event>, Failure>) {
        lock(&self.state).running.remove(&job.request.job_id);
        let last: Vec<Result<GenerateEvent, Status>> = match outcome {
            Ok(events) => events
                .into_iter()
                .map(|event| Ok(GenerateEvent { event: Some(event) }))
                .collect(),
            Err(failure) => vec![Err(failure.into())],
        };
        // A reader that went away needs no end, and one that is slow holds nobody up.
        let events = job.events.clone();
        let mut last = last.into_iter();
        while let Some(event) = last.next() {
            if let Err(TrySendError::Full(event)) = events.try_send(event) {
                let rest = std::iter::once(event).chain(last);
                std::thread::spawn(move || {
                    for event in rest {
                        if events.blocking_send(event).is_err() {
                            return;
                        }
                    }
                });
                return;
            }
        }
    }
}
