//! How a worker is, asked past whatever it works on.
use std::time::Duration;

use autopilot_core::ports::model::{ModelDescription, ModelError};
use autopilot_events::words::JobId;
use autopilot_proto::inference::v1 as wire;
use tokio::time::timeout;

use crate::{
    supervisor::{WorkerProcess, lock},
    wire::description,
};

/// How long a worker that is only asked how it is may take.
const HEALTH_BOUND: Duration = Duration::from_secs(2);

/// How the worker is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerHealth {
    /// Its process id; `None`: none runs, one is started with the next request.
    pub pid: Option<u32>,
    /// The model, once it is loaded.
    pub model: Option<ModelDescription>,
    /// The requests that run now.
    pub running: Vec<JobId>,
    /// Resident memory of the worker, bytes.
    pub resident_bytes: u64,
    /// Workers that failed since one last finished a request.
    pub failures: u32,
    /// Why the last one failed, or its model was refused, while nothing is ready.
    pub problem: Option<ModelError>,
}

impl WorkerProcess {
    /// How the worker is; never waits for a running request. One that died while nobody used it is replaced: a provider
    /// without a model is given no job by which it could notice.
    pub async fn health(&self) -> WorkerHealth {
        let glance = lock(&self.shared.glance).clone();
        let mut health = WorkerHealth {
            pid: None,
            model: None,
            running: Vec::new(),
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
                let jobs = reply.running_job_ids.iter();
                health.running = jobs
                    .filter_map(|id| JobId::try_from(id.as_slice()).ok())
                    .collect();
                health.resident_bytes = reply.resident_bytes;
            }
            Ok(Err(_)) => self.revive(),
            // A worker that is slow to answer may be busy; the request that it runs has a watchdog.
            Err(_) => {}
        }
        health
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
}
