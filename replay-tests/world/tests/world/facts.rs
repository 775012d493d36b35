//! A provider's facts as they come.
use std::time::Duration;

use autopilot_host::control::Client;
use autopilot_proto::control::v1 as pb;
use autopilot_world_tests::stage::PATIENCE_S;
use serde_json::Value;
use tonic::Streaming;

/// The facts from a moment on.
pub struct Facts(Streaming<pb::FactLine>);

impl Facts {
    /// From now on.
    pub async fn of(client: &mut Client) -> Facts {
        let status = client.status(pb::StatusRequest {}).await.unwrap().into_inner();
        let after = status.basis.map_or(0, |basis| basis.sequence);
        let request = pb::FollowRequest { after, limit: 0 };
        Facts(client.follow(request).await.unwrap().into_inner())
    }

    /// The next fact of that type.
    pub async fn next(&mut self, kind: &str) -> Value {
        let wait = async {
            loop {
                let fact = self.0.message().await.unwrap().expect("the provider runs");
                if fact.r#type == kind {
                    return serde_json::from_str(&fact.json).unwrap();
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(PATIENCE_S.into()), wait)
            .await
            .unwrap_or_else(|_| panic!("no {kind} in time"))
    }
}
