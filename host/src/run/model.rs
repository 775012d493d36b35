//! What serves a host's jobs.
use std::path::Path;

use autopilot_core::ports::model::Model as _;
use autopilot_inference::{ModelFile, WorkerConfig, WorkerProcess, worker_program};
use autopilot_openai::OpenAiServer;

use crate::{config::Model, home::Home, models, outside::Outside, serving::Serving, treasury};

/// The engine for the configured model; nothing is started or asked yet.
pub(super) fn serving(home: &Home, model: &Model) -> Result<Serving, String> {
    match model {
        Model::File { path, sha256, .. } => {
            Ok(Serving::Worker(WorkerProcess::new(worker(home, path, sha256)?)))
        }
        Model::Server(server) => Ok(Serving::Server(OpenAiServer::new(server.to_config()?)?)),
    }
}

/// A worker for the configured embedding model; nothing is started yet.
pub(super) fn embedder(home: &Home, model: &Model) -> Result<WorkerProcess, String> {
    let Model::File { path, sha256, .. } = model else {
        return Err("embeddings come from a file: [embedding] needs a path".to_owned());
    };
    let config = worker(home, path, sha256)?;
    Ok(WorkerProcess::new(WorkerConfig {
        embeddings: true,
        ..config
    }))
}

/// The file of a model that has one.
pub fn model_file(model: &Model) -> Option<ModelFile> {
    match model {
        Model::File { path, sha256, .. } => Some(file_of(path, sha256)),
        Model::Server(_) => None,
    }
}

fn file_of(path: &Path, sha256: &Option<String>) -> ModelFile {
    ModelFile {
        path: path.to_owned(),
        sha256: sha256.as_deref().and_then(models::sha256),
    }
}

fn worker(home: &Home, path: &Path, sha256: &Option<String>) -> Result<WorkerConfig, String> {
    let file = file_of(path, sha256);
    Ok(WorkerConfig::new(worker_program()?, home.run_dir(), file))
}

/// Makes the model ready ahead of the first job, so that "online" means servable.
pub async fn warm(outside: Outside, model: Serving) {
    if let Ok(most) = outside
        .ledger
        .look(|engine| engine.state().provider.policy().max_in_flight)
        .await
    {
        model.set_in_flight(most);
    }
    if let Err(error) = model.describe().await {
        tracing::warn!(%error, "the model is not ready");
    }
    // A ledger that stopped needs no figures.
    let _ = treasury::observe(&outside).await;
}
