//! Buying one answer: asked, bid for, paid, shown.
use std::{
    io::{self, Read},
    time::Duration,
};

use autopilot_cli::money::{network_note, show_msat, show_on};
use autopilot_host::net::EMBEDDING;
use autopilot_proto::control::v1::{
    BuyRequest, CancelPurchaseRequest, PurchaseReply, PurchaseRequest, StatusRequest,
};
use tokio::time::Instant;

use crate::{
    args::{Buy, Terms},
    confirm::{confirm, rehearsed},
    connect::{Client, call, call_waiting},
    failure::{Failure, Kind, Outcome},
    output::{Out, at, clean, clean_line, fields, say, short},
};

/// Bytes that are asked at most; a relay takes no more anyway.
const INPUT_BYTES_MAX: u64 = 64 << 10;
/// How long the money may take after the deadline for the work.
const SETTLE_BOUND: Duration = Duration::from_secs(120);
/// How long one question for the outcome waits at the host.
const STEP_S: u32 = 30;

pub async fn buy(client: &mut Client, out: Out, order: Buy) -> Outcome {
    let mut inputs = order
        .input
        .iter()
        .map(|text| read(text))
        .collect::<Outcome<Vec<_>>>()?;
    let more_inputs = inputs.split_off(1);
    let network = call(client.status(StatusRequest {})).await?.network;
    let terms = order.terms;
    let fee_ceiling_msat = terms.fee_ceiling_msat(order.budget);
    let who = whom(&terms);
    let ahead = match terms.pay_first_ceiling {
        0 => "nothing before there is a result".to_owned(),
        msat => format!("at most {} before there is a result", show_msat(msat)),
    };
    let budget = show_on(order.budget, &network);
    let fee = show_msat(fee_ceiling_msat);
    let what = format!("Buy one answer from {who} for at most {budget}, routing at most {fee}, {ahead}.");
    let dry_run = order.yes.dry_run;
    let request = BuyRequest {
        input: inputs.remove(0),
        more_inputs,
        encrypted: order.encrypted,
        refund_offer: order.refund_offer,
        kind: if order.embed { EMBEDDING } else { order.kind },
        budget_msat: order.budget,
        fee_ceiling_msat,
        deadline_s: terms.deadline,
        provider: terms.provider,
        pay_first_ceiling_msat: terms.pay_first_ceiling,
        max_tokens: terms.max_tokens,
        without_bid: order.without_bid,
        window_s: terms.window,
        dry_run,
    };
    if dry_run {
        call(client.buy(request)).await?;
        return rehearsed(out, &what);
    }
    confirm(out, order.yes, &what)?;
    let bought = call(client.buy(request)).await?;
    if order.no_wait {
        out.show(&bought, |bought| bought.purchase_id.clone())?;
        out.hint(&format!(
            "autopilotctl wait buyer-paid {}",
            short(&bought.purchase_id)
        ));
        return Ok(());
    }
    say(&format!(
        "purchase {} is asked for; waiting for its end",
        bought.purchase_id
    ));
    let until = Instant::now() + Duration::from_secs(terms.deadline.into()) + SETTLE_BOUND;
    let reply = outcome(client, bought.purchase_id, until).await?;
    out.show(&reply, |reply| text(reply, &network))?;
    judge(&reply)
}

pub async fn cancel(client: &mut Client, out: Out, purchase_id: String) -> Outcome {
    let reply = call(client.cancel_purchase(CancelPurchaseRequest { purchase_id })).await?;
    out.show(&reply, |_| {
        "Nobody is waited for any more, and nothing is paid.".to_owned()
    })
}

/// From whom, in words.
pub fn whom(terms: &Terms) -> String {
    match terms.provider.as_str() {
        "" => "any provider".to_owned(),
        provider => format!("provider {}", clean_line(provider)),
    }
}

pub fn read(input: &str) -> Outcome<String> {
    let mut text = input.to_owned();
    if input == "-" {
        text.clear();
        io::stdin()
            .lock()
            .take(INPUT_BYTES_MAX + 1)
            .read_to_string(&mut text)
            .map_err(|error| Failure::usage(format!("stdin can't be read as text: {error}")))?;
    }
    match text.len() as u64 {
        0 => Err(Failure::usage("there is nothing to ask")),
        1..=INPUT_BYTES_MAX => Ok(text),
        bytes => Err(Failure::usage(format!(
            "{bytes} bytes are too much to ask, at most {INPUT_BYTES_MAX}"
        ))),
    }
}

async fn outcome(client: &mut Client, purchase_id: String, until: Instant) -> Outcome<PurchaseReply> {
    loop {
        let request = PurchaseRequest {
            purchase_id: purchase_id.clone(),
            wait_s: STEP_S,
        };
        let asked = Instant::now();
        let reply = call_waiting(STEP_S, client.purchase(request)).await?;
        if reply.over || Instant::now() >= until {
            return Ok(reply);
        }
        // A host that answers at once instead of waiting must not be asked in a busy loop.
        tokio::time::sleep_until(asked + Duration::from_millis(250)).await;
    }
}

fn judge(reply: &PurchaseReply) -> Outcome {
    let reason = if reply.reason.is_empty() {
        reply.state.clone()
    } else {
        reply.reason.clone()
    };
    let refused = |message: String| Err(Failure::new(Kind::Refused, "purchase-failed", message));
    match (reply.over, reply.paid_msat, reply.result.is_empty()) {
        (false, ..) => Err(
            Failure::new(Kind::Timeout, "timeout", "the purchase is not over yet")
                .next(format!("autopilotctl wait buyer-paid {}", reply.purchase_id)),
        ),
        (true, 0, _) => refused(format!("nothing was paid: {reason}")),
        (true, _, true) => refused(format!("paid, and no result came: {reason}")),
        (true, _, false) => Ok(()),
    }
}

fn text(reply: &PurchaseReply, network: &str) -> String {
    let details = fields(&[
        ("state", reply.state.clone()),
        (
            "paid",
            format!("{} {}", show_msat(reply.paid_msat), network_note(network)),
        ),
        ("provider", reply.provider.clone()),
        ("hash", reply.payment_hash.clone()),
        ("reason", clean_line(&reply.reason)),
        (
            "texts",
            reply
                .forgotten_at_ms
                .map_or(String::new(), |ms| format!("forgotten on {}", at(ms))),
        ),
    ]);
    match reply.result.is_empty() {
        true => details,
        false => format!("{details}\n\n{}", clean(&reply.result)),
    }
}
