use autopilot_app::{
    paging::Ask,
    panes::{
        Wish,
        job_inbox::{JobInbox, Message},
    },
};
use autopilot_host::desk::Pane;
use autopilot_proto::control::v1::{DemandLine, InboxLine, InboxReply, watch_update::Answer};

use crate::stage::{NOW_MS, Stage, trouble};

fn refused() -> InboxLine {
    InboxLine {
        job_id: "ab".repeat(32),
        native_id: "cd".repeat(32),
        sequence: 5,
        received_at_ms: NOW_MS,
        requester: "ef".repeat(32),
        kind: 5050,
        addressed: "open".into(),
        decision: "refused".into(),
        reason: "price-too-low".into(),
        detail: "it bids\u{1b}[31m less".into(),
        bid_msat: Some(2_000),
        would_pay_msat: 2_000,
        setting: "min_price".into(),
        setting_now: "3 sat".into(),
        setting_needed: "2 sat".into(),
        next: "autopilotctl policy set --min-price 2sat".into(),
        ..InboxLine::default()
    }
}

#[test]
fn it_loads_breaks_is_empty_or_lists() {
    let mut stage = Stage::<JobInbox>::new();
    stage.shows(&["Loading"]);
    stage.update(Message::Page(Ask::default(), Err(trouble())));
    stage.shows(&["the ledger can't be read now", "Try again"]);
    stage.update(Message::Page(Ask::default(), Ok(InboxReply::default())));
    stage.shows(&["No request came yet"]);
}

#[test]
fn a_refusal_names_the_setting_that_would_have_taken_it() {
    let mut stage = Stage::<JobInbox>::new();
    let reply = InboxReply {
        requests: vec![refused()],
        ..InboxReply::default()
    };
    stage.update(Message::Page(Ask::default(), Ok(reply)));
    stage.shows(&["refused", "bids 2 sats", "price-too-low"]);
    stage.click("price-too-low");
    stage.shows(&[
        "min_price 3 sat → 2 sat would have taken it: 2 sats",
        "it bids[31m less",
    ]);
    let copied = stage.click("Copy the command that would take such jobs");
    assert_eq!(copied, [Wish::Copy(refused().next, "Command")]);
    assert_eq!(
        stage.choose("Job Inbox: Why wasn't I paid?"),
        [Wish::Explain("ab".repeat(32))]
    );
    assert!(
        !stage.actions().contains(&"Job Inbox: Decline".to_owned()),
        "it was refused already"
    );
}

#[test]
fn what_is_asked_for_while_offline_is_previewed() {
    let mut stage = Stage::<JobInbox>::new();
    let reply = InboxReply {
        demand_since_ms: NOW_MS - 3_600_000,
        offline: vec![DemandLine {
            kind: 5050,
            jobs: 12,
            bids: 4,
            bids_msat: 40_000,
            highest_bid_msat: 15_000,
            ..DemandLine::default()
        }],
        ..InboxReply::default()
    };
    stage.tell("inbox", Answer::Inbox(reply));
    stage.shows(&[
        "Preview: what is asked for while you are offline",
        "12 requests",
        "4 bids, 40 sats in all, 15 sats at most",
    ]);
    assert_eq!(
        stage.click("Go Online to take such work"),
        [Wish::Open(Pane::GoOnline)]
    );
}
