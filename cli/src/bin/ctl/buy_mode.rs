//! Buy mode: a budget that is spent by itself, and its kill switch.
use autopilot_cli::money::{show_msat, show_on};
use autopilot_proto::control::v1::{
    BuyModeReply, BuyModeRequest, StartBuyModeRequest, StatusRequest, StopBuyModeRequest,
};

use crate::{
    args::{BuyMode, BuyModeStart},
    buy::{read, whom},
    confirm::{confirm, rehearsed},
    connect::{Client, call},
    failure::Outcome,
    output::{Out, at, fields, short},
};

pub async fn buy_mode(client: &mut Client, out: Out, action: BuyMode) -> Outcome {
    let reply = match action {
        BuyMode::Start(order) => return start(client, out, *order).await,
        BuyMode::Stop => call(client.stop_buy_mode(StopBuyModeRequest {})).await?,
        BuyMode::Status => call(client.buy_mode(BuyModeRequest {})).await?,
    };
    out.show(&reply, text)
}

async fn start(client: &mut Client, out: Out, order: BuyModeStart) -> Outcome {
    let input = read(&order.input)?;
    let network = call(client.status(StatusRequest {})).await?.network;
    let terms = order.terms;
    let fee_ceiling_msat = terms.fee_ceiling_msat(order.per_job);
    let who = whom(&terms);
    let what = format!(
        "Buy by itself from {who}: at most {} in all with routing, {} an answer, routing at most {} each, one request in {} s.",
        show_on(order.budget, &network),
        show_msat(order.per_job),
        show_msat(fee_ceiling_msat),
        order.pace
    );
    let request = StartBuyModeRequest {
        input,
        budget_msat: order.budget,
        per_job_msat: order.per_job,
        fee_ceiling_msat,
        pay_first_ceiling_msat: terms.pay_first_ceiling,
        pace_s: order.pace,
        count: order.count,
        at_once: order.at_once,
        kind: order.kind,
        provider: terms.provider,
        deadline_s: terms.deadline,
        window_s: terms.window,
        max_tokens: terms.max_tokens,
        for_s: order.for_s,
        dry_run: order.yes.dry_run,
    };
    if order.yes.dry_run {
        call(client.start_buy_mode(request)).await?;
        return rehearsed(out, &what);
    }
    confirm(out, order.yes, &what)?;
    let reply = call(client.start_buy_mode(request)).await?;
    out.show(&reply, text)?;
    out.hint("autopilotctl buy-mode stop");
    Ok(())
}

fn text(reply: &BuyModeReply) -> String {
    if reply.state == "never" {
        return "No buy mode was ever started.".to_owned();
    }
    let open: Vec<String> = reply.open.iter().map(|id| short(id)).collect();
    fields(&[
        ("state", reply.state.clone()),
        ("reason", reply.reason.clone()),
        ("budget", show_msat(reply.budget_msat)),
        ("spent", show_msat(reply.spent_msat)),
        ("set aside", show_msat(reply.reserved_msat)),
        ("left", show_msat(reply.left_msat)),
        (
            "purchases",
            format!("{}, {} of them paid", reply.purchases, reply.paid),
        ),
        ("open", open.join(", ")),
        ("next", reply.next_at_ms.map(at).unwrap_or_default()),
        ("ends", at(reply.ends_at_ms)),
    ])
}
