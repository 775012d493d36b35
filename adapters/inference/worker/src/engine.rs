//! The inference thread: it owns the runtime, and takes one command after the other. Health and Cancel go past
//! it through shared state.
use std::{
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
use tokio::sync::{mpsc, oneshot};
use tonic::Status;

use crate::{
    embed,
    failure::Failure,
    fault::Fault,
    generate::{self, Job},
    load::{self, Loaded},
    machine,
    prompt::Template,
};

/// Commands that may wait; one generation at a time is let in, so this is never full for long.
const COMMANDS_MAX: usize = 8;
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
    model: Option<ModelInfo>,
    running: Option<(Vec<u8>, Arc<AtomicBool>)>,
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

    /// Loads a model in place of the one that is loaded.
    pub async fn load(&self, request: LoadRequest) -> Result<LoadReply, Failure> {
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
            if state.running.is_some() {
                return Err(Failure::Busy);
            }
            state.running = Some((request.job_id.clone(), cancel.clone()));
        }
        let job = Box::new(Job {
            request,
            arrived: Instant::now(),
            cancel,
            events,
        });
        if self.commands.try_send(Command::Generate(job)).is_err() {
            lock(&self.state).running = None;
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
        match &lock(&self.state).running {
            Some((running, cancel)) if running == job_id => {
                cancel.store(true, Ordering::Relaxed);
                true
            }
            _ => false,
        }
    }

    /// Asks whatever runs to stop.
    pub fn cancel_all(&self) {
        if let Some((_, cancel)) = &lock(&self.state).running {
            cancel.store(true, Ordering::Relaxed);
        }
    }

    /// The loaded model and the id of the running generation.
    pub fn health(&self) -> (Option<ModelInfo>, Vec<u8>) {
        let state = lock(&self.state);
        (
            state.model.clone(),
            state
                .running
                .as_ref()
                .map(|(job, _)| job.clone())
                .unwrap_or_default(),
        )
    }

    async fn ask<T>(
        &self,
        command: Command,
        answer: oneshot::Receiver<Result<T, Failure>>,
    ) -> Result<T, Failure> {
        if lock(&self.state).running.is_some() || self.commands.try_send(command).is_err() {
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
            load_ms,
        } = loaded;
        let Ok(mut context) = model.new_context(backend, context) else {
            drop(reply.send(Err(Failure::OutOfMemory("making the context"))));
            return None;
        };
        (info.n_ctx, info.n_batch, info.n_ubatch) = (context.n_ctx(), context.n_batch(), context.n_ubatch());
        if request.embeddings {
            match embed::dimensions(&model, &mut context) {
                Ok(dimensions) => info.dimensions = dimensions,
                Err(failure) => {
                    drop(reply.send(Err(failure)));
                    return None;
                }
            }
        }
        lock(&self.state).model = Some(info.clone());
        drop(reply.send(Ok(LoadReply {
            model: Some(info.clone()),
            load_ms,
        })));
        let mut unreported_load_ms = load_ms;
        let mut loaded = Model {
            model: &model,
            template: &template,
            info: &info,
            context: &mut context,
        };
        let next = loop {
            match self.inbox.recv() {
                Err(_) => break None,
                Ok(Command::Load(again, reply)) if again == *request => {
                    drop(reply.send(Ok(LoadReply {
                        model: Some(info.clone()),
                        load_ms: 0,
                    })));
                }
                Ok(Command::Embed(job, reply)) => {
                    let load_ms = std::mem::take(&mut unreported_load_ms);
                    let outcome = embed::run(&mut loaded, &job, load_ms, || reply.is_closed());
                    drop(reply.send(outcome));
                }
                Ok(Command::Generate(job)) if info.dimensions > 0 => {
                    self.end(&job, Err(embed::wrong_use("this model is loaded for embeddings")));
                }
                Ok(Command::Generate(job)) => {
                    let load_ms = std::mem::take(&mut unreported_load_ms);
                    let outcome = generate::run(&mut loaded, &job, load_ms, self.fault);
                    self.end(&job, outcome);
                }
                Ok(other) => break Some(other),
            }
        };
        lock(&self.state).model = None;
        next
    }

    /// The worker is free again before the end is told, so that the next request is never refused as busy.
    fn end(&self, job: &Job, outcome: Result<Vec<Event>, Failure>) {
        lock(&self.state).running = None;
        let last: Vec<Result<GenerateEvent, Status>> = match outcome {
            Ok(events) => events
                .into_iter()
                .map(|event| Ok(GenerateEvent { event: Some(event) }))
                .collect(),
            Err(failure) => vec![Err(failure.into())],
        };
        for event in last {
            // A reader that went away needs no end.
            let _ = job.events.blocking_send(event);
        }
    }
}
