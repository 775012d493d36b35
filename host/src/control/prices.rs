//! Prices that a person records.
use autopilot_core::input::Command;
use autopilot_events::pb as facts;
use autopilot_proto::control::v1::{RecordPriceReply, RecordPriceRequest};
use tonic::Status;

use super::{Service, views::basis};

impl Service {
    pub(super) async fn answer_record_price(
        &self,
        asked: RecordPriceRequest,
    ) -> Result<RecordPriceReply, Status> {
        let price = facts::PriceObserved {
            currency: asked.currency,
            per_btc: asked.per_btc,
            decimals: asked.decimals,
            source: asked.source,
            observed_at_ms: asked.observed_at_ms,
        };
        self.command(Command::RecordPrice(price)).await?;
        let basis = self.look(|engine| basis(engine, "ledger")).await?;
        Ok(RecordPriceReply { basis: Some(basis) })
    }
}
