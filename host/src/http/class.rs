//! Which calls need a key, and which of them may be carried out again after a crash in the middle.
use serde_json::Value;

/// What repeating a call means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// It changes nothing that lasts: a question, or a state of this run that is the same the second time.
    Free,
    /// It is keyed further down (payment hash, invoice, channel, job), or asks for a state: carried out again it does
    /// nothing twice.
    Again,
    /// The second time would be a second purchase, payment or address.
    Once,
}

const FREE: [&str; 39] = [
    "status",
    "get_policy",
    "jobs",
    "history",
    "earnings",
    "why",
    "balance",
    "decode",
    "plan_withdrawal",
    "payments",
    "can_receive",
    "refusals",
    "missed",
    "relays",
    "model",
    "debts",
    "purchase",
    "buy_mode",
    "heads",
    "check_ledger",
    "panes",
    "activity",
    "alerts",
    "provider",
    "inbox",
    "earnings_chart",
    "job_log",
    "models",
    "purchases",
    "chat_threads",
    "chat_transcript",
    "at",
    "perf",
    // What a window drew, and looks at relays and at the tailnet: of this run alone.
    "report_frames",
    "tailnet",
    "retry_relay",
    "open_pane",
    "close_pane",
    // Who asks for the end twice gets one.
    "stop",
];

const AGAIN: [&str; 22] = [
    "go_online",
    "go_offline",
    "set_policy",
    "abort",
    "receive",
    "pay",
    "withdraw",
    "open_channel",
    "close_channel",
    "mark_refusal",
    "refund",
    "cancel_purchase",
    "choose_model",
    "stop_buy_mode",
    "forget",
    "identity",
    "overrule_head",
    "acknowledge_alert",
    "celebrate",
    "add_relay",
    "remove_relay",
    "chat_stop",
];

/// The class of a call by its name in snake case. One that is not listed is taken for the strictest.
pub(super) fn class_of(call: &str) -> Class {
    match call {
        call if FREE.contains(&call) => Class::Free,
        call if AGAIN.contains(&call) => Class::Again,
        _ => Class::Once,
    }
}

/// The class of a call with these parameters: a dry run does nothing, and `identity` that names nothing only asks.
pub(super) fn class_with(call: &str, params: &Value) -> Class {
    let dry_run = params.get("dry_run") == Some(&Value::Bool(true));
    let says_nothing = params
        .as_object()
        .is_none_or(|fields| fields.values().all(|field| field == ""));
    // A message with a key of the face's own is the same message the second time.
    let keyed = params
        .get("key")
        .and_then(Value::as_str)
        .is_some_and(|key| !key.is_empty());
    match class_of(call) {
        _ if dry_run => Class::Free,
        _ if call == "identity" && says_nothing => Class::Free,
        _ if call == "chat_send" && keyed => Class::Again,
        class => class,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::control::Service;

    #[test]
    fn every_listed_call_is_there_and_money_is_keyed_or_done_once() {
        for call in FREE.iter().chain(&AGAIN) {
            assert!(Service::CALLS.contains(call), "{call} is no call");
        }
        for call in [
            "buy",
            "start_buy_mode",
            "send_onchain",
            "new_address",
            "canary",
            "a_new_call",
        ] {
            assert_eq!(class_of(call), Class::Once, "{call}");
        }
        assert_eq!(class_with("buy", &json!({"dry_run": true})), Class::Free);
        assert_eq!(class_with("buy", &json!({"dry_run": false})), Class::Once);
        assert_eq!(class_with("identity", &json!({})), Class::Free);
        assert_eq!(
            class_with("identity", &json!({"backed_up_to": "paper"})),
            Class::Again
        );
        assert_eq!(class_with("chat_send", &json!({"text": "hi"})), Class::Once);
        assert_eq!(
            class_with("chat_send", &json!({"text": "hi", "key": "k"})),
            Class::Again
        );
    }
}
