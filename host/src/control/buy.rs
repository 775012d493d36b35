//! Buying: a request is composed and signed, its budget approved, and only then is it published.
use std::time::Duration;

use autopilot_core::{
    Input,
    input::Command,
    ports::market::{
        Encryption, JobInput, JobParams, MARKET_NIP90, Market, MarketItem, NewRequest, SignedEvent,
    },
    ports::wallet::Wallet,
};
use autopilot_events::{
    Event,
    pb::{self as facts, Purpose},
    words::{JobId, Msat, PublicKey},
};
use autopilot_proto::control::v1::{
    BuyReply, BuyRequest, CancelPurchaseRequest, PurchaseReply, PurchaseRequest,
};
use tonic::Status;

use super::{Service, errors, views::basis};
use crate::{clock, outside::Outside};

/// A purchase, composed and signed, and not approved yet.
pub(super) struct Order {
    purchase: JobId,
    command: Command,
    event: SignedEvent,
}

impl Order {
    /// Approves it: published once that is durable.
    pub(super) async fn place(self, outside: &Outside) -> Result<(), Status> {
        let body = Some((format!("purchase/{}", self.purchase), self.event.json.as_slice()));
        let placed = outside.ledger.submit(Input::Person(self.command), body).await;
        placed.map(drop).map_err(errors::submit)
    }
}

/// Composes a purchase, of a person's or of the buy mode `buy_mode_id`.
pub(super) async fn order(
    outside: &Outside,
    request: BuyRequest,
    buy_mode_id: Vec<u8>,
) -> Result<Order, Status> {
    let market = outside.market().map_err(errors::market)?;
    crate::treasury::observe(outside).await.map_err(errors::submit)?;
    let kind = u16::try_from(request.kind).map_err(|_| errors::invalid("kinds lie in 5000–5999"))?;
    let own = market.public_key();
    let provider: Option<PublicKey> = match request.provider.as_str() {
        "" => None,
        text => Some(
            text.parse()
                .map_err(|_| errors::invalid("a provider's key has 64 hexadecimal digits"))?,
        ),
    };
    if provider == Some(own) {
        return Err(errors::coded(
            tonic::Code::FailedPrecondition,
            "self-purchase",
            "that provider is this home folder: nobody buys from himself",
        ));
    }
    if request.encrypted && provider.is_none() {
        return Err(errors::invalid("a sealed request is for one provider: name it"));
    }
    let deadline_s = if request.deadline_s == 0 {
        60
    } else {
        request.deadline_s.min(86_400)
    };
    let params = JobParams {
        refund: refund_offer(outside, &request.refund_offer).await?,
        max_tokens: (request.max_tokens > 0).then_some(request.max_tokens),
        ttl_s: Some(deadline_s),
        ..JobParams::default()
    };
    let new = NewRequest {
        kind,
        inputs: std::iter::once(request.input)
            .chain(request.more_inputs)
            .map(JobInput::text)
            .collect(),
        params,
        bid_msat: (!request.without_bid).then_some(Msat(request.budget_msat)),
        providers: provider.into_iter().collect(),
        encryption: request.encrypted.then_some(Encryption::Nip44),
        relays: outside.relays(),
        ..NewRequest::default()
    };
    let event = market
        .compose_request(&new, clock::now_s())
        .map_err(errors::market)?;
    let id = JobId::derive(MARKET_NIP90, &event.id.0);
    let deadline_ms = clock::now_ms().saturating_add(i64::from(deadline_s) * 1_000);
    let terms = facts::PurchaseRequested {
        purchase_id: id.to_vec(),
        native_id: event.id.to_vec(),
        kind: request.kind,
        provider: provider.map(|key| key.to_vec()).unwrap_or_default(),
        budget_msat: request.budget_msat,
        fee_ceiling_msat: request.fee_ceiling_msat,
        deadline_ms,
        pay_first_ceiling_msat: request.pay_first_ceiling_msat,
        buy_mode_id,
        choose_at_ms: match request.window_s {
            0 => 0,
            window_s => clock::now_ms().saturating_add(i64::from(window_s) * 1_000),
        },
    };
    let signed = facts::EventSigned {
        event_id: event.id.to_vec(),
        purpose: Purpose::Request as i32,
        job_id: id.to_vec(),
        kind: request.kind,
        event: None,
        deadline_ms,
        about: Vec::new(),
        relays: Vec::new(),
    };
    Ok(Order {
        purchase: id,
        command: Command::Buy { terms, event: signed },
        event,
    })
}

/// What an offer for refunds says, and for how long it stands, in seconds.
const REFUND_WORDS: &str = "Autopilot refund";
const REFUND_EXPIRY_S: u32 = 30 * 24 * 3_600;

/// The offer that a failed delivery is paid back to, checked; `auto` makes one of this wallet.
async fn refund_offer(outside: &Outside, wish: &str) -> Result<Option<String>, Status> {
    match wish {
        "" => Ok(None),
        "auto" => {
            let offer = outside
                .wallet
                .create_offer(None, REFUND_WORDS, Some(REFUND_EXPIRY_S))
                .await;
            offer.map(Some).map_err(errors::wallet)
        }
        offer => {
            outside.wallet.decode_offer(offer).await.map_err(errors::wallet)?;
            Ok(Some(offer.to_owned()))
        }
    }
}

impl Service {
    pub(super) async fn answer_buy(&self, request: BuyRequest) -> Result<BuyReply, Status> {
        let dry_run = request.dry_run;
        let order = order(&self.outside, request, Vec::new()).await?;
        if dry_run {
            self.rehearse(order.command).await?;
            return Ok(BuyReply::default());
        }
        let (id, native_id) = (order.purchase, order.event.id);
        order.place(&self.outside).await?;
        Ok(BuyReply {
            basis: Some(self.look(|engine| basis(engine, "ledger")).await?),
            purchase_id: id.to_string(),
            native_id: native_id.to_string(),
        })
    }

    /// How a purchase stands; with `wait_s`, once it is over or the time is up.
    pub(super) async fn answer_purchase(&self, request: PurchaseRequest) -> Result<PurchaseReply, Status> {
        let id = self.find(&request.purchase_id).await?.job_id;
        let wait = Duration::from_secs(u64::from(request.wait_s.min(3_600)));
        let over = async {
            let mut head = self.outside.ledger.head();
            loop {
                head.borrow_and_update();
                let open = self
                    .look(move |engine| engine.state().purchases.get(&id).is_some())
                    .await?;
                if !open || head.changed().await.is_err() {
                    return Ok::<(), Status>(());
                }
            }
        };
        if let Ok(result) = tokio::time::timeout(wait, over).await {
            result?;
        }
        self.purchase(id).await
    }

    /// Stops waiting for an answer, and says how the purchase stands then.
    pub(super) async fn answer_cancel_purchase(
        &self,
        request: CancelPurchaseRequest,
    ) -> Result<PurchaseReply, Status> {
        let id = self.find(&request.purchase_id).await?.job_id;
        self.command(Command::CancelPurchase(id)).await?;
        self.purchase(id).await
    }

    async fn purchase(&self, id: JobId) -> Result<PurchaseReply, Status> {
        let reader = self.outside.ledger.reader();
        let row = reader.history_one(&id).await.map_err(errors::read)?;
        let row = row.ok_or_else(|| errors::not_found("there is no such purchase"))?;
        let mut reply = PurchaseReply {
            basis: Some(self.look(|engine| basis(engine, "ledger")).await?),
            purchase_id: id.to_string(),
            over: row.work.as_deref() == Some("closed"),
            state: row.work.unwrap_or_default(),
            provider: row.counterparty.map(|key| key.to_string()).unwrap_or_default(),
            paid_msat: row.settled_msat.unwrap_or(0),
            payment_hash: row.payment_hash.map(|hash| hash.to_string()).unwrap_or_default(),
            reason: row.reason.unwrap_or_default(),
            result: String::new(),
            forgotten_at_ms: self.forgotten(&format!("purchase/{id}")).await?,
        };
        let stream = format!("purchase/{id}");
        let mut after = row.first_sequence.saturating_sub(1);
        while reply.result.is_empty() {
            let page = reader.facts(after, 1_000).await.map_err(errors::read)?;
            let Some(last) = page.last() else { break };
            after = last.fact.sequence;
            for fact in page.iter().filter(|fact| fact.fact.stream == stream) {
                match &fact.event {
                    Event::PurchaseOffered(m) if m.status == "result" => {
                        let body = m.result.clone().unwrap_or_default();
                        if let Ok(MarketItem::Result(result)) = self.outside.stored(&body).await {
                            reply.result = result.content;
                        }
                    }
                    Event::PurchaseRejected(m) if reply.reason.is_empty() => {
                        reply.reason.clone_from(&m.reason)
                    }
                    _ => {}
                }
            }
        }
        Ok(reply)
    }
}
