//! The long stories: a job worked and paid, a purchase.
use autopilot_events::{
    Event,
    pb::{self, Source},
};

use super::{accepted, body, got, hex, id, received, sent};
use crate::stories::End;

pub(super) fn paid_job(
    n: u64,
    job: &[u8],
    stream: &str,
    hash: &[u8],
    price_msat: u64,
    end: End,
) -> Vec<(Event, Source, bool)> {
    let event_id = id("result", n);
    let purpose = pb::Purpose::Result as i32;
    let job_id = || job.to_vec();
    let mut all = vec![
        (received(n, job, stream), Source::Relay, true),
        (accepted(job, price_msat), Source::Policy, false),
        (
            pb::JobStarted {
                job_id: job_id(),
                attempt: 1,
            }
            .into(),
            Source::Model,
            false,
        ),
    ];
    let receipt = Some(pb::Receipt {
        model: "m".into(),
        seed: n,
        output_tokens: 12,
        ..Default::default()
    });
    let executed = pb::JobExecuted {
        job_id: job_id(),
        receipt,
        output: body("output", n, stream),
    };
    all.push((executed.into(), Source::Model, false));
    let invoice = pb::InvoiceIssued {
        job_id: job_id(),
        payment_hash: hash.to_vec(),
        bolt11: "lnbcrt1…".into(),
        amount_msat: price_msat,
        expires_at_ms: 1_700_003_600_000,
        pay_first: false,
    };
    all.push((invoice.into(), Source::Wallet, false));
    let signed = pb::EventSigned {
        event_id: event_id.clone(),
        purpose,
        job_id: job_id(),
        kind: 6050,
        event: body("event", n, stream),
        deadline_ms: 1_700_003_600_000,
        about: Vec::new(),
        relays: Vec::new(),
    };
    all.push((signed.into(), Source::Policy, false));
    let published = pb::EventPublished {
        event_id: event_id.clone(),
        job_id: job_id(),
        purpose,
        relays_accepted: 1,
        relays_tried: 2,
    };
    let delivered = pb::JobDelivered {
        job_id: job_id(),
        event_id: event_id.clone(),
        relays_accepted: 1,
        relays_tried: 2,
    };
    let delivery = [
        (published.into(), Source::Relay, false),
        (delivered.into(), Source::Relay, false),
    ];
    let settled = pb::JobSettled {
        job_id: job_id(),
        payment_hash: hash.to_vec(),
        amount_msat: price_msat,
        settled_at_ms: 1_700_000_000_000 + n as i64 * 977_000,
        payment_id: hash.to_vec(),
        ..pb::JobSettled::default()
    };
    let payment = [
        (got(n, hash, price_msat), Source::Wallet, true),
        (settled.into(), Source::Wallet, false),
    ];
    match end {
        End::Paid => all.extend(delivery.into_iter().chain(payment)),
        End::PaidFirst => all.extend(payment.into_iter().chain(delivery)),
        End::Expired => {
            all.extend(delivery);
            let expired = pb::InvoiceExpired {
                job_id: job_id(),
                payment_hash: hash.to_vec(),
            };
            all.push((expired.into(), Source::Clock, false));
        }
        End::Abandoned => {
            let reason = "no relay took it".to_owned();
            let abandoned = pb::EventAbandoned {
                event_id,
                job_id: job_id(),
                purpose,
                reason,
            };
            all.push((abandoned.into(), Source::Clock, false));
            all.extend(payment);
        }
    }
    all
}

pub(super) fn purchase(
    n: u64,
    price_msat: u64,
    paid: bool,
    tell: &mut impl FnMut(Event, &str, Source, bool),
) {
    let (purchase_id, hash, provider) = (id("purchase", n), id("hash", n), id("seller", n % 5));
    let stream = format!("purchase/{}", hex(&purchase_id));
    let requested = pb::PurchaseRequested {
        purchase_id: purchase_id.clone(),
        native_id: id("native", n),
        kind: 5050,
        budget_msat: price_msat,
        fee_ceiling_msat: 1_000,
        deadline_ms: 1_700_000_600_000,
        ..Default::default()
    };
    tell(requested.into(), &stream, Source::Person, true);
    let offered = pb::PurchaseOffered {
        purchase_id: purchase_id.clone(),
        provider: provider.clone(),
        event_id: id("offer", n),
        status: "result".into(),
        amount_msat: Some(price_msat),
        bolt11: "lnbcrt1…".into(),
        result: body("bought", n, &stream),
        ..Default::default()
    };
    tell(offered.into(), &stream, Source::Relay, true);
    if paid {
        let won = pb::PurchaseWon {
            purchase_id: purchase_id.clone(),
            provider,
            event_id: id("offer", n),
            payment_hash: hash.clone(),
            amount_msat: price_msat,
        };
        tell(won.into(), &stream, Source::Policy, false);
        tell(sent(n, &hash, price_msat), "wallet", Source::Wallet, true);
        let bought = pb::PurchasePaid {
            purchase_id: purchase_id.clone(),
            payment_hash: hash,
            amount_msat: price_msat,
            fee_msat: n % 3_000,
        };
        tell(bought.into(), &stream, Source::Wallet, false);
    }
    let reason = if paid { "done" } else { "nobody answered in time" };
    tell(
        pb::PurchaseClosed {
            purchase_id,
            reason: reason.into(),
        }
        .into(),
        &stream,
        Source::Policy,
        false,
    );
}
