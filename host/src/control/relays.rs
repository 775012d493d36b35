//! Relays by hand: added, removed and tried again, at once and for the next start too.
use autopilot_core::{
    input::Command,
    ports::market::{Market, RelayState, RelayStatus},
};
use autopilot_events::pb as facts;
use autopilot_nostr::RelayMarket;
use autopilot_proto::control::v1::{self as pb};
use tonic::Status;

use super::{Service, errors};
use crate::config::Config;

impl Service {
    pub(super) async fn answer_relays(&self, _: pb::RelaysRequest) -> Result<pb::RelaysReply, Status> {
        let Some(market) = &self.outside.market else {
            return Ok(pb::RelaysReply::default());
        };
        let relays = market.relays().await.into_iter().map(|relay| pb::RelayLine {
            state: state_name(&relay).to_owned(),
            relay: relay.relay,
            latency_ms: relay.latency_ms,
            last_seen_s: relay.last_seen_s.and_then(|s| i64::try_from(s).ok()),
            last_error: relay.last_error.unwrap_or_default(),
            accepted: relay.accepted,
            refused: relay.refused,
            delivered: relay.delivered,
            forged: relay.forged,
        });
        Ok(pb::RelaysReply {
            relays: relays.collect(),
        })
    }

    pub(super) async fn answer_add_relay(
        &self,
        request: pb::RelayRequest,
    ) -> Result<pb::RelaysReply, Status> {
        let market = self.outside.market().map_err(errors::market)?;
        let _one = self.settings.lock().await;
        let address = market.address(&request.relay).map_err(errors::market)?;
        let mut relays = market.addresses();
        if relays.contains(&address) {
            return Err(errors::invalid(format!("{address} is in use already")));
        }
        relays.push(address.clone());
        self.keep_relays(market, relays, vec![address.clone()], Vec::new())
            .await?;
        market.add_relay(&address).await.map_err(errors::market)?;
        self.answer_relays(pb::RelaysRequest {}).await
    }

    pub(super) async fn answer_remove_relay(
        &self,
        request: pb::RelayRequest,
    ) -> Result<pb::RelaysReply, Status> {
        let market = self.outside.market().map_err(errors::market)?;
        let _one = self.settings.lock().await;
        let address = market.address(&request.relay).map_err(errors::market)?;
        let mut relays = market.addresses();
        if !relays.contains(&address) {
            return Err(errors::not_found(format!(
                "{address} is not in use: `autopilotctl relays` lists what is"
            )));
        }
        relays.retain(|relay| *relay != address);
        self.keep_relays(market, relays, Vec::new(), vec![address.clone()])
            .await?;
        market.remove_relay(&address).await.map_err(errors::market)?;
        self.answer_relays(pb::RelaysRequest {}).await
    }

    pub(super) async fn answer_retry_relay(
        &self,
        request: pb::RelayRequest,
    ) -> Result<pb::RelaysReply, Status> {
        let market = self.outside.market().map_err(errors::market)?;
        market.retry_relay(&request.relay).await.map_err(errors::market)?;
        self.answer_relays(pb::RelaysRequest {}).await
    }

    /// Judged, written down for the next start, and recorded: only then anything is connected or left.
    async fn keep_relays(
        &self,
        market: &RelayMarket,
        relays: Vec<String>,
        added: Vec<String>,
        removed: Vec<String>,
    ) -> Result<(), Status> {
        market.check_count(relays.len()).map_err(errors::market)?;
        let change = Command::ChangeRelays(facts::RelaysChanged {
            relays: relays.clone(),
            added,
            removed,
        });
        self.rehearse(change.clone()).await?;
        let path = self.home.config_file();
        let unusable = |error: crate::config::ConfigError| errors::invalid(error.to_string());
        let config = Config {
            relays,
            ..Config::read(&path).map_err(unusable)?
        };
        config.write(&path).map_err(unusable)?;
        self.command(change).await
    }
}

fn state_name(relay: &RelayStatus) -> &'static str {
    match relay.state {
        RelayState::Connected if !relay.serves() => "silent",
        RelayState::Idle => "idle",
        RelayState::Connecting => "connecting",
        RelayState::Connected => "connected",
        RelayState::Disconnected => "disconnected",
        RelayState::Terminated => "terminated",
    }
}
