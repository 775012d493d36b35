//! `inference/v1` on top of the engine.
use autopilot_proto::inference::v1::{
    CancelReply, CancelRequest, EmbedReply, EmbedRequest, GenerateEvent, GenerateRequest, HealthReply,
    HealthRequest, LoadReply, LoadRequest, UnloadReply, UnloadRequest, inference_server::Inference,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::{engine::Engine, machine};

/// The service; it holds nothing of its own.
pub struct Service {
    engine: Engine,
}

impl Service {
    pub fn new(engine: Engine) -> Service {
        Service { engine }
    }
}

#[tonic::async_trait]
impl Inference for Service {
    async fn health(&self, _: Request<HealthRequest>) -> Result<Response<HealthReply>, Status> {
        let (model, running_job_ids) = self.engine.health();
        Ok(Response::new(HealthReply {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            runtime_build: machine::runtime_build(),
            model,
            running_job_ids,
            resident_bytes: machine::resident_bytes(),
        }))
    }

    async fn load(&self, request: Request<LoadRequest>) -> Result<Response<LoadReply>, Status> {
        Ok(Response::new(self.engine.load(request.into_inner()).await?))
    }

    async fn unload(&self, _: Request<UnloadRequest>) -> Result<Response<UnloadReply>, Status> {
        self.engine.unload().await?;
        Ok(Response::new(UnloadReply {}))
    }

    type GenerateStream = ReceiverStream<Result<GenerateEvent, Status>>;

    async fn generate(
        &self,
        request: Request<GenerateRequest>,
    ) -> Result<Response<Self::GenerateStream>, Status> {
        Ok(Response::new(ReceiverStream::new(
            self.engine.generate(request.into_inner())?,
        )))
    }

    async fn embed(&self, request: Request<EmbedRequest>) -> Result<Response<EmbedReply>, Status> {
        Ok(Response::new(self.engine.embed(request.into_inner()).await?))
    }

    async fn cancel(&self, request: Request<CancelRequest>) -> Result<Response<CancelReply>, Status> {
        let was_running = self.engine.cancel(&request.into_inner().job_id);
        Ok(Response::new(CancelReply { was_running }))
    }
}
