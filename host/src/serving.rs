//! What serves the jobs: a worker of our own, or somebody's server. Both stand behind the model port.
use autopilot_core::ports::model::{GenerateRequest, Generation, Model, ModelDescription, ModelError};
use autopilot_events::words::JobId;
use autopilot_inference::WorkerProcess;
use autopilot_openai::OpenAiServer;

/// The engine behind the model port.
#[derive(Clone)]
pub enum Serving {
    /// A model file in a worker process.
    Worker(WorkerProcess),
    /// An OpenAI-compatible server.
    Server(OpenAiServer),
}

/// How it is.
pub struct Health {
    /// The model, when a job could begin.
    pub model: Option<ModelDescription>,
    /// The jobs that are worked on now.
    pub running: Vec<JobId>,
    /// The worker's process id.
    pub pid: Option<u32>,
    /// Resident memory of the worker, bytes; 0 for a server.
    pub resident_bytes: u64,
    /// Why no job could begin, where that is known.
    pub problem: Option<ModelError>,
}

impl Health {
    /// The problem in a sentence, with what a person can do.
    pub fn words(&self) -> Option<String> {
        let error = self.problem.as_ref()?;
        Some(format!("{error}: {}", error.next_step()))
    }
}

impl Serving {
    /// How it is; never waits for a running job.
    pub async fn health(&self) -> Health {
        match self {
            Serving::Worker(worker) => {
                let health = worker.health().await;
                Health {
                    model: health.model,
                    running: health.running,
                    pid: health.pid,
                    resident_bytes: health.resident_bytes,
                    problem: health.problem,
                }
            }
            Serving::Server(server) => {
                let health = server.health();
                Health {
                    model: health.model,
                    running: health.running,
                    pid: None,
                    resident_bytes: 0,
                    problem: health.problem,
                }
            }
        }
    }

    /// Jobs that are to be computed at the same time; a server has its own bound.
    pub fn set_in_flight(&self, most: u32) {
        if let Serving::Worker(worker) = self {
            worker.set_in_flight(most);
        }
    }

    /// Frees the worker's memory; a server is left alone.
    pub async fn unload(&self) {
        if let Serving::Worker(worker) = self {
            worker.unload().await;
        }
    }

    /// Ends the worker; a server is left alone.
    pub async fn stop(&self) {
        if let Serving::Worker(worker) = self {
            worker.stop().await;
        }
    }
}

impl Model for Serving {
    async fn describe(&self) -> Result<ModelDescription, ModelError> {
        match self {
            Serving::Worker(worker) => worker.describe().await,
            Serving::Server(server) => server.describe().await,
        }
    }

    async fn generate(
        &self,
        request: GenerateRequest,
        on_chunk: impl FnMut(&str) + Send,
    ) -> Result<Generation, ModelError> {
        match self {
            Serving::Worker(worker) => worker.generate(request, on_chunk).await,
            Serving::Server(server) => server.generate(request, on_chunk).await,
        }
    }

    async fn cancel(&self, job: JobId) -> bool {
        match self {
            Serving::Worker(worker) => worker.cancel(job).await,
            Serving::Server(server) => server.cancel(job).await,
        }
    }
}
