//! Texts that are forgotten: shown first, then done.
use autopilot_proto::control::v1::{ForgetReply, ForgetRequest};

use crate::{
    args::Forget,
    confirm::{confirm, rehearsed},
    connect::{Client, call, call_waiting},
    failure::{Failure, Kind, Outcome},
    missed::since_ms,
    output::{Out, at, clean_line},
};

/// Overwriting copies the whole ledger, which takes a while for a large one; seconds.
const OVERWRITE_S: u32 = 600;

pub async fn forget(client: &mut Client, out: Out, order: Forget) -> Outcome {
    let before_ms = order.older_than.as_deref().map(since_ms).transpose()?;
    let request = ForgetRequest {
        job: order.job.unwrap_or_default(),
        chat: order.chat.unwrap_or_default(),
        buyer: order.buyer.unwrap_or_default(),
        before_ms: before_ms.unwrap_or_default(),
        dry_run: true,
    };
    let would = call(client.forget(request.clone())).await?;
    if would.forgotten == 0 {
        let message = match would.needed {
            0 => "there is no text to forget: none was kept, or all are forgotten".to_owned(),
            _ => clean_line(&would.needed_because),
        };
        let (kind, code) = match would.needed {
            0 => (Kind::NotFound, "not-found"),
            _ => (Kind::Refused, "still-needed"),
        };
        return Err(Failure::new(kind, code, message));
    }
    let older = before_ms.map_or(String::new(), |ms| format!(" from before {}", at(ms)));
    let what = format!(
        "forget for good the texts (requests, results, prompts, messages) of {} jobs, purchases or conversations{older}; the facts about them stay{}",
        would.forgotten,
        left(&would)
    );
    if order.yes.dry_run {
        return rehearsed(out, &what);
    }
    confirm(out, order.yes, &what)?;
    let request = ForgetRequest {
        dry_run: false,
        ..request
    };
    let reply = call_waiting(OVERWRITE_S, client.forget(request)).await?;
    out.show(&reply, |reply: &ForgetReply| {
        let remains = match reply.overwritten {
            true => "nothing of them is left in the ledger's file",
            false => "their keys are gone; remains in free pages are overwritten at the host's next start",
        };
        format!(
            "forgotten: {} jobs, purchases or conversations; {remains}{}",
            reply.forgotten,
            left(reply)
        )
    })
}

fn left(reply: &ForgetReply) -> String {
    match reply.needed {
        0 => String::new(),
        n => format!(
            "; {n} are kept until they are closed ({})",
            clean_line(&reply.needed_because)
        ),
    }
}
