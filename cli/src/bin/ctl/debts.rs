//! What is owed back to buyers, and paying it back.
use autopilot_cli::money::{default_fee_ceiling_msat, show_msat, show_on};
use autopilot_proto::control::v1::{
    Debt, DebtsReply, DebtsRequest, RefundReply, RefundRequest, StatusRequest,
};

use crate::{
    args::Refund,
    confirm::{confirm, rehearsed},
    connect::{Client, call, call_waiting},
    failure::{Failure, Kind, Outcome},
    output::{Out, at, clean_line, fields, short, table},
};

pub async fn debts(client: &mut Client, out: Out) -> Outcome {
    let reply = call(client.debts(DebtsRequest {})).await?;
    let network = call(client.status(StatusRequest {})).await?.network;
    out.show(&reply, |reply: &DebtsReply| {
        if reply.debts.is_empty() {
            return "Nothing is owed back.".to_owned();
        }
        let head = [
            "job",
            "owed",
            "since",
            "buyer",
            "state",
            "why it failed",
            "refund",
        ];
        let row = |debt: &Debt| {
            vec![
                short(&debt.job_id),
                show_msat(debt.amount_msat),
                at(debt.since_ms),
                short(&debt.requester),
                debt.state.clone(),
                clean_line(&debt.why),
                clean_line(&debt.reason),
            ]
        };
        let rows: Vec<_> = reply.debts.iter().map(row).collect();
        format!(
            "{}\nIn all {}. To pay one back: autopilotctl refund JOB DESTINATION",
            table(&head, &rows),
            show_on(reply.owed_msat, &network)
        )
    })
}

pub async fn refund(client: &mut Client, out: Out, order: Refund) -> Outcome {
    let debts = call(client.debts(DebtsRequest {})).await?.debts;
    let network = call(client.status(StatusRequest {})).await?.network;
    let named = |debt: &&Debt| debt.job_id.starts_with(&order.job) || debt.native_id.starts_with(&order.job);
    let Some(debt) = debts.iter().find(named) else {
        return Err(
            Failure::new(Kind::NotFound, "not-found", "nothing is owed back for such a job")
                .next("autopilotctl debts"),
        );
    };
    let ceiling = order
        .fee_ceiling
        .unwrap_or_else(|| default_fee_ceiling_msat(debt.amount_msat));
    let what = fields(&[
        ("pay back", show_on(debt.amount_msat, &network)),
        ("to", clean_line(&order.destination)),
        ("for job", debt.job_id.clone()),
        ("fee ceiling", show_msat(ceiling)),
    ]);
    if order.yes.dry_run {
        return rehearsed(out, &what);
    }
    confirm(out, order.yes, &what)?;
    let request = RefundRequest {
        job: debt.job_id.clone(),
        destination: order.destination,
        fee_ceiling_msat: Some(ceiling),
        wait_s: order.wait,
    };
    let reply = call_waiting(order.wait, client.refund(request)).await?;
    out.show(&reply, |reply: &RefundReply| {
        fields(&[
            ("status", reply.status.clone()),
            ("amount", show_on(reply.amount_msat, &network)),
            ("fee", show_msat(reply.fee_msat)),
            ("hash", reply.payment_hash.clone()),
            ("reason", clean_line(&reply.reason)),
        ])
    })?;
    match reply.status.as_str() {
        "refunded" => Ok(()),
        "failed" => {
            let message = format!("nothing was paid back: {}", reply.reason);
            Err(Failure::new(Kind::Refused, "payment-failed", message).next("autopilotctl debts"))
        }
        _ => {
            let message = "the refund is still under way; it is not paid twice";
            Err(Failure::new(Kind::Timeout, "timeout", message).next("autopilotctl debts"))
        }
    }
}
