//! The inference worker of a host.
use autopilot_core::ports::model::Model as _;
use autopilot_inference::{ModelFile, WorkerConfig, WorkerProcess, worker_program};

use crate::{config::Model, home::Home, models, outside::Outside, treasury};

/// A supervisor for the configured model; nothing is started yet.
pub(super) fn worker(home: &Home, model: &Model, embeddings: bool) -> Result<WorkerProcess, String> {
    let sha256 = match &model.sha256 {
        None => None,
        Some(digits) => Some(models::sha256(digits).ok_or("the model's sha256 needs 64 hexadecimal digits")?),
    };
    let file = ModelFile {
        path: model.path.clone(),
        sha256,
    };
    let config = WorkerConfig::new(worker_program()?, home.run_dir(), file);
    Ok(WorkerProcess::new(WorkerConfig { embeddings, ..config }))
}

/// Loads the model ahead of the first job, so that "online" means servable.
pub(super) async fn warm(outside: Outside, model: WorkerProcess) {
    if let Err(error) = model.describe().await {
        tracing::warn!(%error, "the model is not ready");
    }
    // A ledger that stopped needs no figures.
    let _ = treasury::observe(&outside).await;
}
