//! The wallet's calls. What spends goes through an approval fact; what only asks goes to the wallet.
use std::time::Duration;

use autopilot_core::{
    Engine,
    input::Command,
    ports::wallet::{ChannelId, NodeId, OpenChannel, Payment, PaymentKind, PaymentStatus, Wallet},
};
use autopilot_events::{Event, pb as facts, words::Msat};
use autopilot_proto::control::v1::{self as pb};
use tonic::Status;

use super::{Service, errors, views::basis};
use crate::secrets;

impl Service {
    pub(super) async fn answer_balance(&self, _: pb::BalanceRequest) -> Result<pb::BalanceReply, Status> {
        crate::treasury::observe(&self.outside)
            .await
            .map_err(errors::submit)?;
        let live = self.outside.wallet.balances().await.map_err(errors::wallet)?;
        let mut reply = self.look(as_observed).await?;
        reply.network.clone_from(&self.config.network);
        reply.channels = live
            .channels
            .iter()
            .map(|c| pb::Channel {
                channel_id: hex::encode(c.channel_id),
                counterparty: hex::encode(c.counterparty),
                capacity_sat: c.capacity_sat,
                balance_msat: c.balance.0,
                spendable_msat: c.spendable.0,
                receivable_msat: c.receivable.0,
                usable: c.usable,
                reserve_sat: c.our_reserve_sat,
            })
            .collect();
        reply.closing = live
            .pending_closes
            .into_iter()
            .map(|close| pb::PendingClose {
                channel_id: close.channel_id.map(hex::encode).unwrap_or_default(),
                amount_sat: close.amount_sat,
                why: close.why,
                spendable_at_height: close.spendable_at_height,
                stage: close.stage,
            })
            .collect();
        Ok(reply)
    }

    pub(super) async fn answer_receive(
        &self,
        request: pb::ReceiveRequest,
    ) -> Result<pb::ReceiveReply, Status> {
        let basis = self.look(|engine| basis(engine, "wallet")).await?;
        let network = self.config.network.clone();
        if request.offer {
            let amount = (request.amount_msat > 0).then_some(Msat(request.amount_msat));
            let expiry = (request.expiry_s > 0).then_some(request.expiry_s);
            let offer = self
                .outside
                .wallet
                .create_offer(amount, &request.description, expiry)
                .await;
            let payment_request = offer.map_err(errors::wallet)?;
            return Ok(pb::ReceiveReply {
                basis: Some(basis),
                network,
                payment_request,
                ..pb::ReceiveReply::default()
            });
        }
        let key = match request.key.as_str() {
            "" => hex::encode(secrets::random::<16>().map_err(|e| errors::invalid(e.to_string()))?),
            key => key.to_owned(),
        };
        let expiry_s = if request.expiry_s == 0 {
            3_600
        } else {
            request.expiry_s
        };
        let invoice = self
            .outside
            .wallet
            .create_invoice(
                &format!("receive/{key}"),
                Msat(request.amount_msat),
                &request.description,
                expiry_s,
            )
            .await
            .map_err(errors::wallet)?;
        Ok(pb::ReceiveReply {
            basis: Some(basis),
            network,
            payment_request: invoice.bolt11,
            payment_hash: invoice.payment_hash.to_string(),
            expires_at_ms: i64::try_from(invoice.expires_at_s.saturating_mul(1_000)).unwrap_or(i64::MAX),
        })
    }

    pub(super) async fn answer_decode(&self, request: pb::DecodeRequest) -> Result<pb::DecodeReply, Status> {
        let decoded = self
            .outside
            .wallet
            .decode_invoice(&request.payment_request)
            .await
            .map_err(errors::wallet)?;
        Ok(pb::DecodeReply {
            network: decoded.network,
            payee: hex::encode(decoded.payee),
            amount_msat: decoded.amount.map(|amount| amount.0),
            payment_hash: decoded.payment_hash.to_string(),
            expires_at_ms: i64::try_from(decoded.expires_at_s.saturating_mul(1_000)).unwrap_or(i64::MAX),
            description: decoded.description,
        })
    }

    pub(super) async fn answer_payments(
        &self,
        request: pb::PaymentsRequest,
    ) -> Result<pb::PaymentsReply, Status> {
        let limit = if request.limit == 0 {
            50
        } else {
            request.limit.min(500)
        };
        let page = (!request.page.is_empty()).then_some(request.page.as_str());
        let list = self
            .outside
            .wallet
            .payments(limit, page)
            .await
            .map_err(errors::wallet)?;
        let mut payments = Vec::with_capacity(list.payments.len());
        for payment in &list.payments {
            let resolution = self.resolution_of(payment).await?.unwrap_or_default();
            payments.push(pb::PaymentLine {
                job_id: self.job_of(payment).await?,
                destination: resolution.destination,
                path: resolution.path,
                authority: resolution.authority,
                ..payment_line(payment)
            });
        }
        let basis = self.look(|engine| basis(engine, "wallet")).await?;
        Ok(pb::PaymentsReply {
            basis: Some(basis),
            payments,
            next: list.next.unwrap_or_default(),
        })
    }

    /// The job that a payment belongs to, found by its hash and by nothing else.
    async fn job_of(&self, payment: &Payment) -> Result<String, Status> {
        let Some(hash) = payment.payment_hash.filter(|_| !payment.outbound) else {
            return Ok(String::new());
        };
        let key = autopilot_core::input::invoice_key(&hash.0);
        let fact = self
            .outside
            .ledger
            .reader()
            .fact_by_key(&key)
            .await
            .map_err(errors::read)?;
        Ok(match fact.map(|fact| fact.event) {
            Some(Event::InvoiceIssued(m)) => hex::encode(&m.job_id),
            _ => String::new(),
        })
    }

    pub(super) async fn answer_can_receive(
        &self,
        request: pb::CanReceiveRequest,
    ) -> Result<pb::CanReceiveReply, Status> {
        let can = self
            .outside
            .wallet
            .can_receive(Msat(request.amount_msat))
            .await
            .map_err(errors::wallet)?;
        let basis = self.look(|engine| basis(engine, "wallet")).await?;
        Ok(pb::CanReceiveReply {
            basis: Some(basis),
            yes: can.yes,
            reason: can.reason,
            limit_msat: can.limit.0,
        })
    }

    pub(super) async fn answer_new_address(
        &self,
        _: pb::NewAddressRequest,
    ) -> Result<pb::NewAddressReply, Status> {
        let address = self
            .outside
            .wallet
            .new_onchain_address()
            .await
            .map_err(errors::wallet)?;
        Ok(pb::NewAddressReply {
            network: self.config.network.clone(),
            address,
        })
    }

    pub(super) async fn answer_send_onchain(
        &self,
        request: pb::SendOnchainRequest,
    ) -> Result<pb::SendOnchainReply, Status> {
        crate::treasury::observe(&self.outside)
            .await
            .map_err(errors::submit)?;
        let intent_id = secrets::random::<16>()
            .map_err(|e| errors::invalid(e.to_string()))?
            .to_vec();
        let approved = facts::OnchainApproved {
            intent_id,
            address: request.address,
            amount_sat: request.amount_sat,
            resolution: None,
        };
        if request.dry_run {
            self.rehearse(Command::SendOnchain(approved)).await?;
            return Ok(pb::SendOnchainReply::default());
        }
        self.send_approved(approved, request.wait_s).await
    }

    /// Approves and waits until the wallet handed the transaction out.
    pub(super) async fn send_approved(
        &self,
        approved: facts::OnchainApproved,
        wait_s: u32,
    ) -> Result<pb::SendOnchainReply, Status> {
        let intent = hex::encode(&approved.intent_id);
        let after = self.outside.ledger.head().borrow().sequence;
        self.command(Command::SendOnchain(approved.clone())).await?;
        let wait = Duration::from_secs(u64::from(wait_s.clamp(1, 600)));
        let mut reply = pb::SendOnchainReply {
            intent_id: intent,
            status: "pending".to_owned(),
            ..Default::default()
        };
        let outcome = self.first_after(after, |event| match event {
            Event::OnchainSent(m) => m.intent_id == approved.intent_id,
            Event::OnchainFailed(m) => m.intent_id == approved.intent_id,
            _ => false,
        });
        if let Ok(event) = tokio::time::timeout(wait, outcome).await {
            match event? {
                Event::OnchainSent(m) => (reply.status, reply.txid) = ("sent".to_owned(), m.txid),
                Event::OnchainFailed(m) => (reply.status, reply.reason) = ("failed".to_owned(), m.reason),
                _ => {}
            }
        }
        reply.basis = Some(self.look(|engine| basis(engine, "wallet")).await?);
        Ok(reply)
    }

    pub(super) async fn answer_open_channel(
        &self,
        request: pb::OpenChannelRequest,
    ) -> Result<pb::OpenChannelReply, Status> {
        let open = OpenChannel {
            node_id: node_id(&request.node_id)?,
            address: request.address,
            capacity_sat: request.capacity_sat,
            push: Msat(request.push_msat),
            announce: false,
            only_if_none: true,
            // Forwarding costs nothing here: who buys from the peer behind this channel pays the invoice, no more.
            forwarding_fee_base: Some(Msat::ZERO),
        };
        if request.dry_run {
            crate::treasury::observe(&self.outside)
                .await
                .map_err(errors::submit)?;
            let have = self
                .look(|engine| engine.state().wallet.figures.onchain_sat)
                .await?;
            return match open.capacity_sat > have {
                true => Err(errors::coded(
                    tonic::Code::FailedPrecondition,
                    "insufficient-funds",
                    format!(
                        "a channel of {} sat is more than the {have} sat on chain",
                        open.capacity_sat
                    ),
                )),
                false => Ok(pb::OpenChannelReply::default()),
            };
        }
        let opened = self
            .outside
            .wallet
            .open_channel(open)
            .await
            .map_err(errors::wallet)?;
        Ok(pb::OpenChannelReply { opened })
    }

    pub(super) async fn answer_close_channel(
        &self,
        request: pb::CloseChannelRequest,
    ) -> Result<pb::CloseChannelReply, Status> {
        let mut id: ChannelId = [0; 32];
        hex::decode_to_slice(&request.channel_id, &mut id).map_err(|_| {
            errors::invalid("a channel id has 64 hexadecimal digits; see `autopilotctl wallet balance`")
        })?;
        if request.dry_run {
            let live = self.outside.wallet.balances().await.map_err(errors::wallet)?;
            return match live.channels.iter().any(|channel| channel.channel_id == id) {
                true => Ok(pb::CloseChannelReply {}),
                false => Err(errors::not_found("there is no such channel")),
            };
        }
        self.outside
            .wallet
            .close_channel(id, request.force)
            .await
            .map_err(errors::wallet)?;
        Ok(pb::CloseChannelReply {})
    }
}

/// The wallet as its facts tell it: figures as last observed, totals as settled. Channels only the wallet itself lists.
pub(super) fn as_observed(engine: &Engine) -> pb::BalanceReply {
    let (wallet, figures) = (&engine.state().wallet, &engine.state().wallet.figures);
    pb::BalanceReply {
        basis: Some(basis(engine, "wallet")),
        earned_msat: engine.state().earnings.earned_msat,
        spendable_msat: figures.spendable_msat,
        reserved_msat: figures.reserved_msat,
        receivable_msat: figures.receivable_msat,
        closing_msat: figures.closing_msat,
        onchain_sat: figures.onchain_sat,
        granted_msat: wallet.granted_msat,
        received_msat: wallet.received_msat,
        sent_msat: wallet.sent_msat,
        fees_msat: wallet.fees_msat,
        withdrawn_msat: wallet.withdrawn_msat,
        reconciled_difference_msat: wallet.reconciled.map(|r| r.difference_msat),
        ..pb::BalanceReply::default()
    }
}

fn node_id(text: &str) -> Result<NodeId, Status> {
    let mut id: NodeId = [0; 33];
    hex::decode_to_slice(text, &mut id)
        .map_err(|_| errors::invalid("a node id has 66 hexadecimal digits"))?;
    Ok(id)
}

fn payment_line(payment: &Payment) -> pb::PaymentLine {
    let kind = match payment.kind {
        PaymentKind::Bolt11 => "bolt11",
        PaymentKind::Bolt12 => "bolt12",
        PaymentKind::Onchain => "onchain",
        PaymentKind::Other => "other",
    };
    let status = match payment.status {
        PaymentStatus::Unknown => "unknown",
        PaymentStatus::InDoubt => "in-doubt",
        PaymentStatus::Pending => "pending",
        PaymentStatus::Succeeded => "succeeded",
        PaymentStatus::Failed => "failed",
    };
    pb::PaymentLine {
        payment_id: hex::encode(payment.payment_id),
        payment_hash: payment
            .payment_hash
            .map(|hash| hash.to_string())
            .unwrap_or_default(),
        direction: if payment.outbound { "out" } else { "in" }.to_owned(),
        kind: kind.to_owned(),
        status: status.to_owned(),
        amount_msat: payment.amount.map(|amount| amount.0),
        fee_msat: payment.fee.map(|fee| fee.0),
        at_ms: i64::try_from(payment.updated_at_s.saturating_mul(1_000)).unwrap_or(i64::MAX),
        txid: payment.txid.clone().unwrap_or_default(),
        job_id: String::new(),
        ..pb::PaymentLine::default()
    }
}
