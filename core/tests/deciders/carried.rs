//! What comes of effects in arbitrary steps: the outside world does its part, or fails at it.
use autopilot_core::{Effect, Input, input::WalletInput};
use autopilot_events::{
    pb::{self, Purpose},
    words::PaymentHash,
};

use crate::{
    arbitrary::{offered, own, sign, with_hash},
    given::{done, failed, invoiced, job, not_sent, resolved, sent, spendable, unresolved},
    ledger::Ledger,
    said::replied,
};

/// What the outside world answers when it is asked to do this.
fn outcome(effect: &Effect, well: bool, ledger: &Ledger) -> Option<Input> {
    let number = |id: &autopilot_events::words::JobId| (0..=u8::MAX).find(|n| job(*n) == *id);
    let now_ms = ledger.now_ms;
    Some(match effect {
        Effect::Run { job, attempt } if well => done(number(job)?, *attempt),
        Effect::Run { job, attempt } => failed(number(job)?, *attempt, true),
        Effect::Answer { message } => replied(*message, well.then_some(0)),
        Effect::Refund { job } => offered(number(job)?, well),
        Effect::Resolve { job } if well => resolved(number(job)?, 100),
        Effect::Resolve { job } => unresolved(number(job)?),
        Effect::Invoice { job, .. } if well => with_hash(invoiced(number(job)?), own(number(job)?), now_ms),
        Effect::Sign { job, purpose } => sign(number(job)?, *purpose, now_ms),
        Effect::TellLoser { purchase, result } => {
            let Input::Signed(event) = sign(number(purchase)?, Purpose::LostRace as i32, now_ms) else {
                unreachable!()
            };
            // One event for each loser.
            let mut event_id = result.0;
            event_id[1] = 0xB0;
            Input::Signed(pb::EventSigned {
                event_id: event_id.to_vec(),
                about: result.to_vec(),
                relays: Vec::new(),
                ..event
            })
        }
        Effect::Receipt { purchase } => sign(number(purchase)?, Purpose::Receipt as i32, now_ms),
        Effect::PublishHead { size } => Input::HeadPublished(pb::HeadPublished {
            size: *size,
            event_id: vec![4; 32],
            relays: vec!["wss://one".to_owned(); usize::from(well)],
            relays_tried: 2,
        }),
        Effect::Publish { event } => Input::Published {
            event_id: *event,
            accepted: u32::from(well),
            tried: 2,
        },
        Effect::Pay { payment_hash, .. } => {
            let amount_msat = ledger
                .engine
                .state()
                .wallet
                .outgoing_by_hash(payment_hash)?
                .approval
                .amount_msat;
            if well {
                sent(*payment_hash, amount_msat)
            } else {
                not_sent(*payment_hash)
            }
        }
        Effect::PayOffer { intent } => offer_outcome(intent, well, ledger)?,
        Effect::SendOnchain { .. } | Effect::Invoice { .. } => return None,
    })
}

/// What became of a payment to an offer.
fn offer_outcome(intent: &str, well: bool, ledger: &Ledger) -> Option<Input> {
    let intent_id = hex::decode(intent).ok()?;
    let amount_msat = ledger.engine.state().wallet.offer(&intent_id)?.amount_msat;
    if !well {
        let failed = pb::OfferFailed {
            intent_id,
            reason: "no route".to_owned(),
            in_doubt: false,
        };
        return Some(Input::Wallet(WalletInput::OfferFailed(failed)));
    }
    let mut hash = [0xD7; 32];
    hash[..16].copy_from_slice(&intent_id);
    let Input::Wallet(WalletInput::Sent(payment)) = sent(PaymentHash(hash), amount_msat) else {
        unreachable!()
    };
    Some(Input::Wallet(WalletInput::Sent(pb::WalletPaymentSent {
        intent_id,
        ..payment
    })))
}

/// Does one piece of work, or fails at it.
pub fn carry(ledger: &mut Ledger, effect: &Effect, well: bool) {
    if matches!(effect, Effect::Refund { .. }) && well {
        // In a willing world there is always enough to pay back with.
        ledger.submit(spendable(10_000_000));
    }
    if let Some(input) = outcome(effect, well, ledger) {
        ledger.submit(input);
    }
}
