//! The canary: how far a stranger's job comes.
use autopilot_cli::money::{show_msat, show_on};
use autopilot_proto::control::v1::{CanaryReply, CanaryRequest, CanaryRung, StatusRequest};

use crate::{
    args::Canary,
    confirm::{confirm, rehearsed},
    connect::{Client, call, call_waiting},
    failure::{Failure, Kind, Outcome},
    output::{Out, at, clean_line, table},
};

/// Connecting, paying and settling take so long at most beside the wait itself, in seconds.
const BESIDE_S: u32 = 200;

pub async fn canary(client: &mut Client, out: Out, order: Canary) -> Outcome {
    let pay_with = match &order.pay_with {
        None if order.yes.dry_run => {
            return rehearsed(
                out,
                "Publish one tiny job from a throw-away key, for this provider.",
            );
        }
        None => String::new(),
        Some(home) => {
            let home = std::path::absolute(home).map_err(|error| Failure::usage(error.to_string()))?;
            let status = call(client.status(StatusRequest {})).await?;
            let price = show_on(status.price_msat, &status.network);
            let (from, fee) = (home.display(), show_msat(order.fee_ceiling));
            let what = format!("Pay {price} from {from} to this wallet, routing at most {fee}.");
            if order.yes.dry_run {
                return rehearsed(out, &what);
            }
            confirm(out, order.yes, &what)?;
            home.display().to_string()
        }
    };
    let request = CanaryRequest {
        wait_s: order.wait,
        pay_with,
        fee_ceiling_msat: order.fee_ceiling,
    };
    let reply = call_waiting(order.wait.saturating_add(BESIDE_S), client.canary(request)).await?;
    out.show(&reply, text)?;
    match reply.outcome.as_str() {
        "paid" | "worked" | "quoted" => Ok(()),
        _ => Err(Failure::new(Kind::Refused, "canary-failed", reply.detail).next("autopilotctl status")),
    }
}

fn text(reply: &CanaryReply) -> String {
    let row = |rung: &CanaryRung| {
        vec![
            format!("✓ {}", rung.name),
            at(rung.at_ms),
            clean_line(&rung.detail),
        ]
    };
    let rows: Vec<_> = reply.stages.iter().map(row).collect();
    format!(
        "{}\n{}",
        table(&["stage", "at", ""], &rows),
        clean_line(&reply.words)
    )
}
