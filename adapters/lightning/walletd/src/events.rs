//! The engine's events, one at a time: shown until acknowledged, and only then taken off the engine's queue.
use std::sync::Arc;

use autopilot_proto::wallet::v1::{self as rpc, event::Kind};
use ldk_node::{
    Event,
    bitcoin::hashes::{Hash, HashEngine, sha256},
    lightning::events::{ClosureReason, PaymentFailureReason},
    lightning::ln::{channelmanager::PaymentId, types::ChannelId},
    payment::PaymentKind,
};
use tokio::sync::{mpsc, watch};

use crate::{
    books::{ChannelRecord, PayRecord},
    failure::{Answer, Failed},
    wallet::{Wallet, now_s},
};

/// The current event and the way to acknowledge it.
pub(crate) struct Events {
    current: watch::Receiver<Option<rpc::Event>>,
    acked: mpsc::Sender<Vec<u8>>,
}

impl Events {
    /// Starts the pump. It ends with the returned value's last sender.
    pub(crate) fn start(wallet: Arc<Wallet>) -> Self {
        let (show, current) = watch::channel(None);
        let (acked, acks) = mpsc::channel(16);
        tokio::spawn(pump(wallet, show, acks));
        Self { current, acked }
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Option<rpc::Event>> {
        self.current.clone()
    }

    /// Takes the event off the queue if it is the current one, and waits until it is off.
    pub(crate) async fn ack(&self, id: Vec<u8>) -> bool {
        let mut current = self.current.clone();
        let is_current = current
            .borrow_and_update()
            .as_ref()
            .is_some_and(|event| event.id == id);
        if !is_current {
            return false;
        }
        if self.acked.send(id).await.is_err() {
            return false;
        }
        current.changed().await.is_ok()
    }
}

async fn pump(
    wallet: Arc<Wallet>,
    show: watch::Sender<Option<rpc::Event>>,
    mut acks: mpsc::Receiver<Vec<u8>>,
) {
    loop {
        let event = wallet.node.next_event_async().await;
        let described = {
            let (wallet, event) = (wallet.clone(), event.clone());
            tokio::task::spawn_blocking(move || describe(&wallet, &event)).await
        };
        let described = match described {
            Ok(Ok(described)) => described,
            Ok(Err(Failed { message, .. })) => {
                // The event stays on the queue; a wallet folder that cannot be read is tried again.
                tracing::error!(%message, "an event could not be described");
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                continue;
            }
            Err(_) => return,
        };
        let id = described.id.clone();
        let counted = matches!(described.kind, Some(Kind::PaymentForwarded(_)));
        show.send_replace(Some(described));
        loop {
            match acks.recv().await {
                Some(acked) if acked == id => break,
                Some(_) => {}
                None => return,
            }
        }
        let handled = {
            let wallet = wallet.clone();
            tokio::task::spawn_blocking(move || take_off(&wallet, counted)).await
        };
        if !matches!(handled, Ok(Ok(()))) {
            tracing::error!("an acknowledged event could not be taken off the queue; it will come again");
        }
        show.send_replace(None);
    }
}

fn take_off(wallet: &Wallet, counted: bool) -> Answer<()> {
    if counted {
        let count: u64 = wallet.books.counters.read("forwards")?.unwrap_or(0);
        wallet.books.counters.write("forwards", &(count + 1))?;
    }
    Ok(wallet.node.event_handled()?)
}

/// One id for one happening, whatever process, restart or repetition delivers it.
fn identity(kind: &str, subject: &[&[u8]]) -> Vec<u8> {
    let mut engine = sha256::Hash::engine();
    engine.input(b"autopilot/wallet-event/1");
    for part in std::iter::once(kind.as_bytes()).chain(subject.iter().copied()) {
        engine.input(&(part.len() as u64).to_be_bytes());
        engine.input(part);
    }
    sha256::Hash::from_engine(engine).to_byte_array().to_vec()
}

fn describe(wallet: &Wallet, event: &Event) -> Answer<rpc::Event> {
    wallet.remember_channels(&wallet.node.list_channels(), &wallet.node.list_balances())?;
    let (id, kind) = match event {
        Event::PaymentReceived {
            payment_id,
            payment_hash,
            amount_msat,
            ..
        } => {
            let payment_id = payment_id.unwrap_or(PaymentId(payment_hash.0));
            let key: Option<String> = wallet.books.invoice_keys.read(&hex::encode(payment_hash.0))?;
            let id = identity("payment-received", &[&payment_id.0]);
            let received = rpc::PaymentReceived {
                payment_id: payment_id.0.to_vec(),
                payment_hash: payment_hash.0.to_vec(),
                amount_msat: *amount_msat,
                invoice_key: key.unwrap_or_default(),
                settled_at_s: updated_at_s(wallet, &payment_id),
                preimage: preimage_of(wallet, &payment_id),
            };
            (id, Kind::PaymentReceived(received))
        }
        Event::PaymentSuccessful {
            payment_id,
            payment_hash,
            payment_preimage,
            fee_paid_msat,
        } => {
            let payment_id = payment_id.unwrap_or(PaymentId(payment_hash.0));
            let id = identity("payment-successful", &[&payment_id.0]);
            let offer = wallet.offer_of(&payment_id, Some(&payment_hash.0))?;
            if let Some(offer) = &offer {
                wallet.note_offer(offer, &payment_id, None)?;
            }
            let done = rpc::PaymentSuccessful {
                payment_id: payment_id.0.to_vec(),
                payment_hash: payment_hash.0.to_vec(),
                preimage: payment_preimage
                    .map(|preimage| preimage.0.to_vec())
                    .unwrap_or_default(),
                fee_msat: fee_paid_msat.unwrap_or(0),
                amount_msat: wallet
                    .node
                    .payment(&payment_id)
                    .and_then(|payment| payment.amount_msat)
                    .or(offer.as_ref().map(|offer| offer.amount_msat)),
                settled_at_s: updated_at_s(wallet, &payment_id),
                key: offer.map(|offer| offer.key).unwrap_or_default(),
            };
            (id, Kind::PaymentSuccessful(done))
        }
        Event::PaymentFailed {
            payment_id,
            payment_hash,
            reason,
        } => {
            let subject = payment_id
                .map(|id| id.0)
                .or(payment_hash.map(|hash| hash.0))
                .unwrap_or_default();
            let reason = failure_sentence(*reason).to_owned();
            if let Some(hash) = payment_hash {
                wallet.note_failure(&hash.0, &reason)?;
            }
            let hash = payment_hash.as_ref().map(|hash| &hash.0);
            let offer = match payment_id {
                Some(id) => wallet.offer_of(id, hash)?,
                None => None,
            };
            if let (Some(offer), Some(id)) = (&offer, payment_id) {
                wallet.note_offer(offer, id, Some(&reason))?;
            }
            // A payment may be tried again after a failure, and fail again: each try is a happening of its own.
            let tried_at_s = match payment_hash {
                Some(hash) => {
                    let record: Option<PayRecord> = wallet.books.payments.read(&hex::encode(hash.0))?;
                    record.map_or(0, |record| record.asked_at_s)
                }
                None => 0,
            };
            let id = identity("payment-failed", &[&subject, &tried_at_s.to_be_bytes()]);
            let hash = payment_hash.map(|hash| hash.0.to_vec()).unwrap_or_default();
            let failed = rpc::PaymentFailed {
                payment_id: subject.to_vec(),
                payment_hash: hash,
                reason,
                key: offer.map(|offer| offer.key).unwrap_or_default(),
            };
            (id, Kind::PaymentFailed(failed))
        }
        Event::ChannelPending {
            channel_id,
            counterparty_node_id,
            funding_txo,
            ..
        } => {
            let id = identity("channel-pending", &[&channel_id.0]);
            let pending = rpc::ChannelPending {
                channel_id: channel_id.0.to_vec(),
                counterparty: counterparty_node_id.serialize().to_vec(),
                funding_outpoint: funding_txo.to_string(),
            };
            (id, Kind::ChannelPending(pending))
        }
        Event::ChannelReady {
            channel_id,
            counterparty_node_id,
            funding_txo,
            ..
        } => {
            let record = channel_record(wallet, channel_id)?;
            let outpoint = funding_txo.map(|out| out.to_string());
            let outpoint = outpoint.or(record.as_ref().map(|record| record.funding_outpoint.clone()));
            let outpoint = outpoint.unwrap_or_default();
            let id = identity("channel-ready", &[&channel_id.0, outpoint.as_bytes()]);
            let ready = rpc::ChannelReady {
                channel_id: channel_id.0.to_vec(),
                counterparty: counterparty_node_id
                    .map(|id| id.serialize().to_vec())
                    .unwrap_or_default(),
                funding_outpoint: outpoint,
                capacity_sat: record.as_ref().map_or(0, |record| record.capacity_sat),
                opening_balance_msat: record.as_ref().map_or(0, |record| record.opening_balance_msat),
                outbound: record.as_ref().is_some_and(|record| record.outbound),
                anchors_msat: record.as_ref().map_or(0, ChannelRecord::anchors_msat),
            };
            (id, Kind::ChannelReady(ready))
        }
        Event::ChannelClosed {
            channel_id,
            counterparty_node_id,
            reason,
            ..
        } => {
            let cooperative = reason.as_ref().is_some_and(is_cooperative);
            let record = match cooperative {
                true => wallet.remember_close(channel_id)?,
                false => channel_record(wallet, channel_id)?,
            };
            let id = identity("channel-closed", &[&channel_id.0]);
            let closed = rpc::ChannelClosed {
                channel_id: channel_id.0.to_vec(),
                counterparty: counterparty_node_id
                    .map(|id| id.serialize().to_vec())
                    .unwrap_or_default(),
                reason: reason.as_ref().map(ToString::to_string).unwrap_or_default(),
                balance_msat: record.as_ref().map_or(0, |record| record.last_balance_msat),
                anchors_msat: record.as_ref().map_or(0, ChannelRecord::anchors_msat),
                cooperative,
            };
            (id, Kind::ChannelClosed(closed))
        }
        Event::PaymentForwarded {
            prev_channel_id,
            next_channel_id,
            total_fee_earned_msat,
            outbound_amount_forwarded_msat,
            ..
        } => {
            // Forwards have no id of their own: the count of those acknowledged before tells them apart.
            let count: u64 = wallet.books.counters.read("forwards")?.unwrap_or(0);
            let id = identity(
                "payment-forwarded",
                &[&count.to_be_bytes(), &prev_channel_id.0, &next_channel_id.0],
            );
            let forwarded = rpc::PaymentForwarded {
                fee_earned_msat: total_fee_earned_msat.unwrap_or(0),
                amount_msat: outbound_amount_forwarded_msat.unwrap_or(0),
                from_channel_id: prev_channel_id.0.to_vec(),
                to_channel_id: next_channel_id.0.to_vec(),
            };
            (id, Kind::PaymentForwarded(forwarded))
        }
        Event::PaymentClaimable { payment_hash, .. } => other("payment-claimable", &payment_hash.0),
        Event::SplicePending { channel_id, .. } => other("splice-pending", &channel_id.0),
        Event::SpliceFailed { channel_id, .. } => other("splice-failed", &channel_id.0),
    };
    Ok(rpc::Event { id, kind: Some(kind) })
}

fn other(what: &str, subject: &[u8]) -> (Vec<u8>, Kind) {
    (
        identity(what, &[subject]),
        Kind::Other(rpc::OtherEvent {
            what: what.to_owned(),
        }),
    )
}

fn updated_at_s(wallet: &Wallet, id: &PaymentId) -> u64 {
    wallet
        .node
        .payment(id)
        .map_or_else(now_s, |payment| payment.latest_update_timestamp)
}

/// The preimage of a payment that arrived, as the wallet recorded it.
fn preimage_of(wallet: &Wallet, id: &PaymentId) -> Vec<u8> {
    let preimage = match wallet.node.payment(id).map(|payment| payment.kind) {
        Some(PaymentKind::Bolt11 { preimage, .. } | PaymentKind::Bolt12Offer { preimage, .. }) => preimage,
        _ => None,
    };
    preimage.map(|preimage| preimage.0.to_vec()).unwrap_or_default()
}

fn channel_record(wallet: &Wallet, id: &ChannelId) -> Answer<Option<ChannelRecord>> {
    Ok(wallet.books.channels.read(&hex::encode(id.0))?)
}

fn is_cooperative(reason: &ClosureReason) -> bool {
    matches!(
        reason,
        ClosureReason::LegacyCooperativeClosure
            | ClosureReason::CounterpartyInitiatedCooperativeClosure
            | ClosureReason::LocallyInitiatedCooperativeClosure
            | ClosureReason::CounterpartyCoopClosedUnfundedChannel
            | ClosureReason::LocallyCoopClosedUnfundedChannel
    )
}

fn failure_sentence(reason: Option<PaymentFailureReason>) -> &'static str {
    use PaymentFailureReason as R;
    match reason {
        Some(R::RecipientRejected) => "the payee refused the payment",
        Some(R::UserAbandoned) => "the payment was abandoned",
        Some(R::RetriesExhausted) => "no try on any route arrived in time",
        Some(R::PaymentExpired) => "the invoice expired before the payment arrived",
        Some(R::RouteNotFound) => "no route to the payee has enough room within the fee ceiling",
        Some(R::UnexpectedError) => "the wallet engine failed",
        Some(R::UnknownRequiredFeatures) => "the invoice demands something that this wallet does not know",
        Some(R::InvoiceRequestExpired) => "the payee did not answer with an invoice in time",
        Some(R::InvoiceRequestRejected) => "the payee refused to make an invoice",
        Some(R::BlindedPathCreationFailed) => "no reply path could be made",
        None => "the payment failed for a reason that the wallet does not know",
    }
}
