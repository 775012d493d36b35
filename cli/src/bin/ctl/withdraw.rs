//! Withdrawing: a plan is made and shown, and exactly that plan is carried out.
use autopilot_cli::money::{network_note, show_msat, show_on};
use autopilot_proto::control::v1::{PlanWithdrawalRequest, WithdrawReply, WithdrawRequest, WithdrawalPlan};

use crate::{
    args::Withdrawal,
    confirm::confirm,
    connect::{Client, call_waiting},
    failure::{Failure, Kind, Outcome},
    output::{Out, at, clean_line, fields},
};

/// Servers of names and LNURLs are given this long altogether.
const PLAN_S: u32 = 60;

pub async fn withdraw(client: &mut Client, out: Out, wish: Withdrawal) -> Outcome {
    let request = PlanWithdrawalRequest {
        destination: wish.destination,
        amount_msat: wish.amount.msat(),
        all: wish.all,
        fee_ceiling_msat: wish.fee_ceiling,
        comment: wish.comment,
    };
    let plan = call_waiting(PLAN_S, client.plan_withdrawal(request)).await?;
    if wish.yes.dry_run {
        return out.show(&plan, |plan| format!("{}\nNothing was paid.", plan_text(plan)));
    }
    confirm(out, wish.yes, &plan_text(&plan))?;
    let request = WithdrawRequest {
        plan_id: plan.plan_id,
        wait_s: wish.wait,
    };
    let reply = call_waiting(wish.wait, client.withdraw(request)).await?;
    out.show(&reply, reply_text)?;
    judged(&reply, wish.wait)
}

fn judged(reply: &WithdrawReply, wait_s: u32) -> Outcome {
    match reply.status.as_str() {
        "failed" => {
            let message = format!("the payment failed, nothing was paid: {}", reply.reason);
            Err(Failure::new(Kind::Refused, "payment-failed", message).next("autopilotctl wallet balance"))
        }
        "in-doubt" => {
            let message = format!("whether it was paid can't be told: {}", reply.reason);
            Err(Failure::new(Kind::Refused, "payment-in-doubt", message)
                .next("ask the payee; a payment that went out shows in autopilotctl wallet history"))
        }
        "pending" if wait_s > 0 => {
            let message = "the payment is still under way; it is not paid twice, but do not start it again";
            Err(Failure::new(Kind::Timeout, "timeout", message).next("autopilotctl wallet history"))
        }
        _ => Ok(()),
    }
}

fn plan_text(plan: &WithdrawalPlan) -> String {
    let sum = match plan.amount_msat {
        Some(msat) => show_on(msat, &plan.network),
        None => format!("everything on chain {}", network_note(&plan.network)),
    };
    let to = [&plan.payee, &plan.offer_id, &plan.address];
    let to = to
        .into_iter()
        .find(|id| !id.is_empty())
        .cloned()
        .unwrap_or_default();
    let ceiling = match plan.kind.as_str() {
        "onchain" => String::new(),
        _ => show_msat(plan.fee_ceiling_msat),
    };
    let range = match (plan.min_msat, plan.max_msat) {
        (Some(min), Some(max)) => format!("{} to {}", show_msat(min), show_msat(max)),
        _ => String::new(),
    };
    let mut text = fields(&[
        ("pay", sum),
        ("to", to),
        ("by way of", plan.path.join(" → ")),
        ("word of", clean_line(&plan.authority)),
        ("fee ceiling", ceiling),
        ("they take", range),
        ("hash", plan.payment_hash.clone()),
        ("expires", plan.expires_at_ms.map(at).unwrap_or_default()),
        ("they say", clean_line(&plan.description)),
    ]);
    for note in &plan.notes {
        text += &format!("\nnote: {}", clean_line(note));
    }
    text
}

fn reply_text(reply: &WithdrawReply) -> String {
    let receipt = match (reply.status.as_str(), reply.payment_hash.as_str()) {
        ("succeeded", hash) if !hash.is_empty() => format!("autopilotctl receipt {hash}"),
        _ => String::new(),
    };
    let sum = |msat: Option<u64>| msat.map(|msat| show_on(msat, &reply.network)).unwrap_or_default();
    fields(&[
        ("status", reply.status.clone()),
        ("amount", sum(reply.amount_msat)),
        ("fee", reply.fee_msat.map(show_msat).unwrap_or_default()),
        ("hash", reply.payment_hash.clone()),
        ("txid", reply.txid.clone()),
        ("intent", reply.intent_id.clone()),
        ("preimage", reply.preimage.clone()),
        ("receipt", receipt),
        ("left", show_on(reply.left_msat, &reply.network)),
        ("reason", clean_line(&reply.reason)),
    ])
}
