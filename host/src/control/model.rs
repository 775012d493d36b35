//! The model at the host: described, warmed, unloaded.
use autopilot_core::ports::model::Model as _;
use autopilot_proto::control::v1::{self as pb};
use tonic::Status;

use super::{Service, errors};

impl Service {
    pub(super) async fn answer_model(&self, request: pb::ModelRequest) -> Result<pb::ModelReply, Status> {
        let Some(model) = &self.outside.model else {
            let problem = "no model is configured in this home folder".to_owned();
            return Ok(pb::ModelReply {
                state: "none".to_owned(),
                problem,
                ..pb::ModelReply::default()
            });
        };
        match request.action.as_str() {
            "warm" => drop(model.describe().await.map_err(errors::model)?),
            "unload" => model.unload().await,
            "" | "describe" => {}
            _ => return Err(errors::invalid("the action is describe, warm or unload")),
        }
        crate::treasury::observe(&self.outside)
            .await
            .map_err(errors::submit)?;
        let health = model.health().await;
        let state = match (&health.model, &health.problem) {
            (None, None) => "unloaded",
            (None, Some(_)) => "unusable",
            (Some(_), _) if health.running.is_empty() => "ready",
            (Some(_), _) => "working",
        };
        let problem = health.words().unwrap_or_default();
        let described = health.model;
        Ok(pb::ModelReply {
            state: state.to_owned(),
            name: described.as_ref().map(|m| m.name.clone()).unwrap_or_default(),
            digest: described
                .as_ref()
                .and_then(|m| m.digest)
                .map(|digest| digest.to_string())
                .unwrap_or_default(),
            n_ctx: described.as_ref().map_or(0, |m| m.n_ctx),
            runtime: described
                .as_ref()
                .map(|m| m.runtime_build.clone())
                .unwrap_or_default(),
            device: described
                .as_ref()
                .map(|m| m.cpu_features.clone())
                .unwrap_or_default(),
            memory_bytes: health.resident_bytes,
            in_flight_max: described.as_ref().map_or(0, |m| m.in_flight_max),
            problem,
        })
    }
}
