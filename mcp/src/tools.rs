//! The tools as a table: name, what it is for, what it takes, what it may change.
use std::sync::Arc;

use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

/// What a tool does to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Touches {
    /// It only looks.
    Nothing,
    /// A state that can be set back, and is the same the second time.
    State,
    /// It makes something new each time, and takes nothing away.
    Adds,
    /// It spends money.
    Money,
}

/// The tool that is only there by the owner's explicit word.
pub const PAY: &str = "wallet_pay";

fn tool(
    name: &'static str,
    title: &str,
    touches: Touches,
    about: &'static str,
    fields: Value,
    required: &[&str],
) -> Tool {
    let schema = json!({
        "type": "object", "properties": fields, "required": required, "additionalProperties": false,
    });
    let schema: JsonObject = schema.as_object().cloned().unwrap_or_default();
    let annotations = ToolAnnotations::with_title(title)
        .read_only(touches == Touches::Nothing)
        .destructive(touches == Touches::Money)
        .idempotent(touches != Touches::Adds)
        // Online, the provider deals with a market of strangers; the rest stays in this host.
        .open_world(matches!(touches, Touches::Money) || name == "provider_go_online");
    Tool::new(name, about, Arc::new(schema))
        .with_title(title)
        .annotate(annotations)
}

fn text(about: &str) -> Value {
    json!({ "type": "string", "description": about })
}

fn number(about: &str, least: u64, most: u64) -> Value {
    json!({ "type": "integer", "minimum": least, "maximum": most, "description": about })
}

/// Every tool that is offered.
pub fn tools(may_pay: bool) -> Vec<Tool> {
    let mut tools = [looking(), steering(), panes()].concat();
    if may_pay {
        tools.push(paying());
    }
    tools
}

const SATS_MAX: u64 = 2_100_000_000_000_000;

fn looking() -> Vec<Tool> {
    use Touches::Nothing;
    vec![
        tool(
            "snapshot",
            "Everything at once",
            Nothing,
            "All views of the running host with the number of the last recorded fact (`revision`). A view that can't be answered says why under `trouble`.",
            json!({ "views": { "type": "array", "items": { "type": "string" }, "description": "names such as status, earnings, balance, jobs, relays, panes; empty or left out: all" } }),
            &[],
        ),
        tool(
            "provider_status",
            "Provider status",
            Nothing,
            "Whether this host is online and earns, and if not, what stands against it and what to do.",
            json!({}),
            &[],
        ),
        tool(
            "wallet_balance",
            "Wallet balance",
            Nothing,
            "What is earned, spendable, receivable, reserved and closing, in msat. These are different figures and are never added up.",
            json!({}),
            &[],
        ),
        tool(
            "jobs_list",
            "Jobs",
            Nothing,
            "Open jobs, and the history of jobs and purchases, newest first, by pages.",
            json!({
                "limit": number("rows of history", 1, 500),
                "before_sequence": number("the next page: next_before_sequence of the last one", 0, u64::MAX),
                "role": { "type": "string", "enum": ["provider", "buyer"], "description": "jobs that were served, or purchases" },
                "work": text("only rows with this state of work, such as delivered"),
                "money": text("only rows with this state of money, such as settled"),
            }),
            &[],
        ),
        tool(
            "job_explain",
            "Why was a job paid or not?",
            Nothing,
            "How far a job came, rung by rung, and in words why it is or is not paid.",
            json!({ "job": text("job id or market id, or a beginning of at least 8 digits") }),
            &["job"],
        ),
        tool(
            "ledger_verify",
            "Is the ledger whole?",
            Nothing,
            "Has the host read every fact of the ledger again, now (every hash, index and fold), and says whether it is `whole`, with the signed heads of it that others hold. Where `over` is false it was not read to the end within the wait and goes on: ask again.",
            json!({ "wait_s": number("seconds to wait for the end; left out: 60", 0, 600) }),
            &[],
        ),
        tool(
            "report",
            "Earnings",
            Nothing,
            "What was earned in all and in a window, counted from settled payments that are bound to a job.",
            json!({
                "from_ms": number("begin of the window, Unix milliseconds; left out: a day ago", 0, i64::MAX as u64),
                "to_ms": number("its end; left out: the end of this hour", 0, i64::MAX as u64),
            }),
            &[],
        ),
        tool(
            "missed",
            "Missed sats",
            Nothing,
            "What was seen and not taken, by reason, with the setting that would have taken it.",
            json!({ "since_ms": number("Unix milliseconds; 0 or left out: everything", 0, i64::MAX as u64) }),
            &[],
        ),
        tool(
            "panes",
            "Panes",
            Nothing,
            "The panes of the app: which are open, and which is in front.",
            json!({}),
            &[],
        ),
    ]
}

fn steering() -> Vec<Tool> {
    use Touches::{Adds, State};
    vec![
        tool(
            "provider_go_online",
            "Go online",
            State,
            "Takes part in the market: jobs that fit the owner's policy are taken from now on. Refused with the blockers in words where the host is not ready.",
            json!({ "wait_s": number("wait so long for blockers to vanish", 0, 600) }),
            &[],
        ),
        tool(
            "provider_go_offline",
            "Go offline",
            State,
            "Takes no further jobs. What is owed is still delivered.",
            json!({ "reason": text("in words, for the record") }),
            &[],
        ),
        tool(
            "wallet_receive",
            "Create an invoice",
            Adds,
            "A Lightning invoice over an amount. Receiving changes no earnings: a deposit is none.",
            json!({
                "amount_sats": number("how much", 1, SATS_MAX),
                "description": text("what the payer is shown"),
                "expiry_s": number("good for so long; left out: an hour", 60, 604_800),
            }),
            &["amount_sats"],
        ),
    ]
}

fn panes() -> Vec<Tool> {
    let id = json!({ "id": text("such as pane.go_online: see `panes`") });
    vec![
        tool(
            "pane_open",
            "Open a pane",
            Touches::State,
            "Opens a pane of the app, or brings it to the front.",
            id.clone(),
            &["id"],
        ),
        tool(
            "pane_close",
            "Close a pane",
            Touches::State,
            "Closes a pane of the app.",
            id,
            &["id"],
        ),
    ]
}

fn paying() -> Tool {
    tool(
        PAY,
        "Pay an invoice",
        Touches::Money,
        "Pays a Lightning invoice (BOLT11) out of the wallet, within the owner's ceilings for each payment and for the session, routing included. The same invoice is never paid twice. `pending` means that it may still be paid.",
        json!({
            "payment_request": text("the invoice, lnbc…"),
            "amount_sats": number("only for an invoice without an amount", 1, SATS_MAX),
            "fee_ceiling_sats": number("the most that routing may cost; left out: 1 % of the amount, at least 5", 0, SATS_MAX),
            "wait_s": number("wait so long for the outcome; left out: 60", 0, 600),
        }),
        &["payment_request"],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_looks_is_called_read_only_and_paying_is_offered_by_word_alone() {
        let names = |may_pay| {
            tools(may_pay)
                .into_iter()
                .map(|tool| tool.name.into_owned())
                .collect::<Vec<_>>()
        };
        assert!(!names(false).contains(&PAY.to_owned()));
        assert_eq!(names(true).len(), names(false).len() + 1);
        for tool in tools(true) {
            let annotations = tool.annotations.unwrap();
            let looks = !["provider_go_", "wallet_receive", "wallet_pay", "pane_"]
                .iter()
                .any(|acts| tool.name.starts_with(acts));
            assert_eq!(annotations.read_only_hint, Some(looks), "{}", tool.name);
            assert_eq!(
                annotations.destructive_hint,
                Some(tool.name == PAY),
                "{}",
                tool.name
            );
            assert_eq!(tool.input_schema["additionalProperties"], false);
        }
    }
}
