//! What the wallet tells, in the words of the deciders: its events, its answers and its list of payments.
use autopilot_events::{
    pb,
    words::{Msat, PaymentHash},
};

use crate::{
    input::WalletInput,
    ports::wallet::{
        OnchainRole, Payment, PaymentStatus, Transaction, WalletError, WalletEvent, WalletEventKind as Kind,
    },
};

/// What the wallet calls the intents of this host.
const OFFER_KEY: &str = "offer/";

/// The wallet's key for an intent, which is hexadecimal text.
pub fn offer_key(intent: &str) -> String {
    format!("{OFFER_KEY}{intent}")
}

/// The intent that a wallet's key names; empty for keys of others.
pub fn intent_of(key: Option<&str>) -> Vec<u8> {
    let intent = key.and_then(|key| key.strip_prefix(OFFER_KEY));
    intent.and_then(|hex| hex::decode(hex).ok()).unwrap_or_default()
}

/// What an event of the wallet means; none: nothing that is a fact. `approved_msat` is what was approved for a payment
/// whose event names no amount; without it, the outcome is in the ledger already.
pub fn event(event: WalletEvent, approved_msat: Option<u64>) -> Option<WalletInput> {
    Some(match event.kind {
        Kind::PaymentReceived {
            payment_id,
            payment_hash,
            amount,
            settled_at_s,
            preimage,
            ..
        } => arrived(payment_id, payment_hash, amount, settled_at_s, preimage),
        Kind::PaymentSuccessful {
            payment_id,
            payment_hash,
            preimage,
            amount,
            fee,
            settled_at_s,
            key,
        } => WalletInput::Sent(pb::WalletPaymentSent {
            payment_id: payment_id.to_vec(),
            payment_hash: payment_hash.to_vec(),
            amount_msat: amount.map(|amount| amount.0).or(approved_msat)?,
            fee_msat: fee.0,
            preimage: bytes(preimage),
            settled_at_ms: at_ms(settled_at_s),
            intent_id: intent_of(key.as_deref()),
            approval: 0,
        }),
        Kind::PaymentFailed {
            reason,
            key: Some(key),
            ..
        } => WalletInput::OfferFailed(pb::OfferFailed {
            intent_id: intent_of(Some(&key)),
            reason,
            in_doubt: false,
        }),
        Kind::PaymentFailed {
            payment_id,
            payment_hash: Some(hash),
            reason,
            key: None,
        } => failed(hash, payment_id.to_vec(), reason),
        Kind::ChannelReady {
            channel_id,
            counterparty,
            capacity_sat,
            opening_balance,
            outbound,
            anchors,
            ..
        } => {
            let (opening_msat, capacity_msat) = (opening_balance.0, capacity_sat.saturating_mul(1_000));
            let others_msat = capacity_msat
                .saturating_sub(opening_msat)
                .saturating_sub(anchors.0);
            WalletInput::ChannelOpened(pb::WalletChannelOpened {
                channel_id: hex::encode(channel_id),
                counterparty: counterparty.map(|node| node.to_vec()).unwrap_or_default(),
                capacity_msat,
                granted_msat: if outbound { 0 } else { opening_msat },
                funded_msat: if outbound { opening_msat } else { 0 },
                pushed_msat: if outbound { others_msat } else { 0 },
                anchors_msat: anchors.0,
            })
        }
        Kind::ChannelClosed {
            channel_id,
            reason,
            balance,
            anchors,
            ..
        } => WalletInput::ChannelClosed(pb::WalletChannelClosed {
            channel_id: hex::encode(channel_id),
            reason,
            last_balance_msat: balance.0,
            anchors_msat: anchors.0,
        }),
        Kind::PaymentForwarded { fee_earned, .. } if fee_earned == Msat::ZERO => return None,
        Kind::PaymentForwarded { fee_earned, amount } => WalletInput::Forwarded(pb::WalletPaymentForwarded {
            event_id: event.id.to_vec(),
            fee_earned_msat: fee_earned.0,
            amount_msat: amount.0,
        }),
        Kind::PaymentFailed {
            payment_hash: None, ..
        }
        | Kind::ChannelPending { .. }
        | Kind::Other { .. } => return None,
    })
}

/// What a listed payment means where the ledger may not know it yet; `approval` is of a payment of ours that has no
/// outcome so far.
pub fn listed(payment: &Payment, approval: Option<pb::PaymentApproved>) -> Option<WalletInput> {
    let (hash, amount) = payment.payment_hash.zip(payment.amount)?;
    if !payment.outbound {
        let input = arrived(
            payment.payment_id,
            hash,
            amount,
            payment.updated_at_s,
            payment.preimage,
        );
        return (payment.status == PaymentStatus::Succeeded).then_some(input);
    }
    let approval = match (approval, payment.status) {
        (Some(approval), _) => approval,
        // Sent and not approved in this ledger: it is money that left, so it is recorded all the same.
        (None, PaymentStatus::Succeeded) => pb::PaymentApproved {
            payment_hash: hash.to_vec(),
            amount_msat: amount.0,
            ..pb::PaymentApproved::default()
        },
        (None, _) => return None,
    };
    let mut outcome = outcome(payment, &approval);
    if let Some(WalletInput::Sent(sent)) = &mut outcome {
        sent.intent_id = intent_of(payment.key.as_deref());
    }
    outcome
}

/// A payment's final outcome, if it has one.
pub fn outcome(payment: &Payment, approval: &pb::PaymentApproved) -> Option<WalletInput> {
    let hash = PaymentHash::of(&approval.payment_hash);
    match payment.status {
        PaymentStatus::Succeeded => Some(sent(payment, hash, approval.amount_msat, Vec::new())),
        PaymentStatus::Failed => Some(failed(hash, payment.payment_id.to_vec(), why(payment))),
        PaymentStatus::Pending | PaymentStatus::Unknown | PaymentStatus::InDoubt => None,
    }
}

/// The wallet says no to a payment, for good.
pub fn refused(hash: PaymentHash, error: &WalletError) -> WalletInput {
    failed(hash, Vec::new(), in_words(error))
}

/// The final outcome of a payment to an offer, if it has one.
pub fn offer_outcome(payment: &Payment, approved: &pb::OfferApproved) -> Option<WalletInput> {
    match (payment.status, payment.payment_hash) {
        (PaymentStatus::Succeeded, Some(hash)) => {
            let intent = approved.intent_id.clone();
            Some(sent(payment, hash, approved.amount_msat, intent))
        }
        (PaymentStatus::Failed, _) => Some(offer_failed(approved, why(payment), false)),
        (PaymentStatus::InDoubt, _) => {
            let reason = "the wallet stopped in between and can't tell whether the payee was asked; nothing is sent \
                          again under this intent, and a payment that went out all the same will be recorded";
            Some(offer_failed(approved, reason.to_owned(), true))
        }
        _ => None,
    }
}

/// The wallet says no to a payment to an offer, for good.
pub fn offer_refused(approved: &pb::OfferApproved, error: &WalletError) -> WalletInput {
    offer_failed(approved, in_words(error), false)
}

/// A transaction of the wallet's list.
pub fn transaction(transaction: &Transaction) -> WalletInput {
    let settled_at_ms = at_ms(transaction.seen_at_s);
    let role = match transaction.role {
        OnchainRole::Deposit => pb::OnchainRole::Deposit,
        OnchainRole::Send => pb::OnchainRole::Send,
        OnchainRole::ChannelFunding => pb::OnchainRole::ChannelFunding,
        OnchainRole::ChannelClose => pb::OnchainRole::ChannelClose,
        OnchainRole::Other => pb::OnchainRole::Unspecified,
    } as i32;
    let (txid, amount_sat) = (transaction.txid.clone(), transaction.amount_sat);
    let channel_id = transaction.channel_id.map(hex::encode).unwrap_or_default();
    if transaction.outbound {
        WalletInput::OnchainLeft(pb::WalletOnchainSent {
            txid,
            amount_sat,
            fee_sat: transaction.fee_sat,
            role,
            accounted_sat: 0,
            settled_at_ms,
            channel_id,
        })
    } else {
        WalletInput::OnchainReceived(pb::WalletOnchainReceived {
            txid,
            amount_sat,
            role,
            height: transaction.confirmed_height.unwrap_or(0),
            settled_at_ms,
            channel_id,
        })
    }
}

fn arrived(
    payment_id: [u8; 32],
    hash: PaymentHash,
    amount: Msat,
    settled_at_s: u64,
    preimage: Option<[u8; 32]>,
) -> WalletInput {
    WalletInput::Received {
        payment: pb::WalletPaymentReceived {
            payment_id: payment_id.to_vec(),
            payment_hash: hash.to_vec(),
            amount_msat: amount.0,
            settled_at_ms: at_ms(settled_at_s),
            preimage: bytes(preimage),
            ..pb::WalletPaymentReceived::default()
        },
        bound: None,
    }
}

fn sent(payment: &Payment, hash: PaymentHash, approved_msat: u64, intent_id: Vec<u8>) -> WalletInput {
    WalletInput::Sent(pb::WalletPaymentSent {
        payment_id: payment.payment_id.to_vec(),
        payment_hash: hash.to_vec(),
        amount_msat: payment.amount.map_or(approved_msat, |amount| amount.0),
        fee_msat: payment.fee.unwrap_or_default().0,
        preimage: bytes(payment.preimage),
        settled_at_ms: at_ms(payment.updated_at_s),
        intent_id,
        approval: 0,
    })
}

fn failed(hash: PaymentHash, payment_id: Vec<u8>, reason: String) -> WalletInput {
    WalletInput::Failed(pb::WalletPaymentFailed {
        payment_id,
        payment_hash: hash.to_vec(),
        reason,
    })
}

fn offer_failed(approved: &pb::OfferApproved, reason: String, in_doubt: bool) -> WalletInput {
    WalletInput::OfferFailed(pb::OfferFailed {
        intent_id: approved.intent_id.clone(),
        reason,
        in_doubt,
    })
}

fn why(payment: &Payment) -> String {
    let reason = payment.failure.clone();
    reason.unwrap_or_else(|| "the wallet says that it failed".to_owned())
}

fn in_words(error: &WalletError) -> String {
    format!("{}: {}", error.code.name(), error.message)
}

fn at_ms(seconds: u64) -> i64 {
    i64::try_from(seconds.saturating_mul(1_000)).unwrap_or(i64::MAX)
}

fn bytes(preimage: Option<[u8; 32]>) -> Vec<u8> {
    preimage.map(|preimage| preimage.to_vec()).unwrap_or_default()
}
