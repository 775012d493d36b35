use autopilot_app::panes::{Wish, alerts_recovery::AlertsRecovery};
use autopilot_host::desk::Pane;
use autopilot_proto::control::v1::{AlertLine, AlertsReply, watch_update::Answer};

use crate::stage::{NOW_MS, Stage};

fn alert(id: &str, state: &str) -> AlertLine {
    AlertLine {
        id: id.into(),
        severity: "critical".into(),
        state: state.into(),
        what: format!("{id} is wrong"),
        next: "Look with `autopilotctl doctor` first.".into(),
        source: "ledger".into(),
        times: 3,
        first_at_ms: NOW_MS - 7_200_000,
        last_at_ms: NOW_MS - 60_000,
        last_sequence: 9,
        ..AlertLine::default()
    }
}

#[test]
fn it_loads_breaks_is_empty_or_lists() {
    let mut stage = Stage::<AlertsRecovery>::new();
    stage.shows(&["Loading"]);
    stage.break_view("alerts");
    stage.shows(&["the ledger can't be read now"]);
    stage.tell("alerts", Answer::Alerts(AlertsReply::default()));
    stage.shows(&["Nothing is wrong"]);
}

#[test]
fn an_alert_says_what_to_do_and_leads_there() {
    let mut stage = Stage::<AlertsRecovery>::new();
    let alerts = vec![
        alert("wallet-difference", "active"),
        alert("relay-lost", "resolved"),
    ];
    let reply = AlertsReply {
        alerts,
        ..AlertsReply::default()
    };
    stage.tell("alerts", Answer::Alerts(reply));
    stage.shows(&[
        "wallet-difference is wrong",
        "Nothing is earned until this is put right",
        "3 times, first 2 h 0 min ago, last 1 min ago",
        "Active (1)",
        "All (2)",
    ]);
    stage.hides(&["relay-lost is wrong"]);
    assert_eq!(stage.click("Go there"), [Wish::Open(Pane::Wallet)]);
    let copied = stage.choose("Alerts: Copy the command: wallet-difference is wrong");
    assert_eq!(copied, [Wish::Copy("autopilotctl doctor".into(), "Command")]);
    stage.click("Acknowledge");
    stage.choose("Alerts: Resolved");
    stage.shows(&["relay-lost is wrong"]);
    stage.hides(&[
        "Nothing is earned until this is put right",
        "wallet-difference is wrong",
    ]);
}
