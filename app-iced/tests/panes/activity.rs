use autopilot_app::{
    paging::Ask,
    panes::{
        Wish,
        activity_feed::{ActivityFeed, Message, Scrub},
    },
};
use autopilot_proto::control::v1::{
    ActivityLine, ActivityReply, AtReply, Basis, CheckLedgerReply, EarningsReply, FactLine, at_reply,
    watch_update::Answer,
};

use crate::stage::{NOW_MS, Stage, trouble};

fn feed() -> Stage<ActivityFeed> {
    let mut stage = Stage::<ActivityFeed>::new();
    let line = ActivityLine {
        sequence: 42,
        at_ms: NOW_MS,
        domain: "job".into(),
        source: "wallet".into(),
        sentence: "A job was paid.".into(),
        subject: "ab".repeat(32),
        r#type: "job.settled".into(),
    };
    let reply = ActivityReply {
        lines: vec![line],
        ..ActivityReply::default()
    };
    stage.update(Message::Page(Ask::default(), Ok(reply)));
    stage
}

#[test]
fn it_loads_breaks_is_empty_or_lists() {
    let mut stage = Stage::<ActivityFeed>::new();
    stage.shows(&["Loading"]);
    stage.update(Message::Page(Ask::default(), Err(trouble())));
    stage.shows(&["the ledger can't be read now", "Try again"]);
    stage.update(Message::Page(Ask::default(), Ok(ActivityReply::default())));
    stage.shows(&["Nothing happened yet"]);
    feed().shows(&["A job was paid.", "12:15:00", "wallet"]);
}

#[test]
fn a_line_leads_to_its_proof_and_to_its_job() {
    let mut stage = feed();
    stage.click("A job was paid.");
    stage.shows(&["Fact 42", "Reading the fact"]);
    let fact = FactLine {
        sequence: 42,
        chain: "cafe".repeat(16),
        r#type: "job.settled".into(),
        json: "{\"amount\":1}".into(),
        ..FactLine::default()
    };
    stage.update(Message::Fact(41, Err(trouble())));
    stage.shows(&["Reading the fact"]);
    stage.update(Message::Fact(42, Ok(fact)));
    stage.shows(&[&"cafe".repeat(16), "{\"amount\":1}"]);
    let command = stage.click("Copy the command that refolds to it");
    assert_eq!(
        command,
        [Wish::Copy("autopilotctl ledger replay --at 42".into(), "Command")]
    );
    assert_eq!(
        stage.choose("Activity Feed: Why wasn't I paid?"),
        [Wish::Explain("ab".repeat(32))]
    );
    stage.choose("Activity Feed: close the proof");
    stage.hides(&["Fact 42"]);
}

#[test]
fn the_host_reads_everything_again_when_it_is_asked_to() {
    let mut stage = feed();
    stage.click("A job was paid.");
    stage.click("Read every fact again, now");
    stage.shows(&["The host reads every fact again"]);
    for (over, whole, sentence) in [
        (false, false, "being read again: 6 of 42 facts"),
        (true, true, "whole: all 42 facts were read again"),
        (true, false, "the ledger does not hold: fact 7"),
    ] {
        let sentence = sentence.to_owned();
        stage.update(Message::Checked(Ok(CheckLedgerReply {
            over,
            whole,
            sentence: sentence.clone(),
            ..CheckLedgerReply::default()
        })));
        stage.shows(&[&sentence]);
    }
    stage.update(Message::Checked(Err(trouble())));
    stage.shows(&[&trouble().sentence]);
}

#[test]
fn a_domain_is_chosen_by_click_and_by_keyboard() {
    let mut stage = feed();
    stage.click("Wallet");
    stage.shows(&["Loading"]);
    assert!(stage.actions().contains(&"Activity Feed: All".to_owned()));
    stage.update(Message::Typed("0".into()));
    stage.shows(&["facts have the numbers from 1 on"]);
    stage.update(Message::Typed("7".into()));
    stage.choose("Activity Feed: to the typed fact");
    stage.shows(&["Fact 7"]);
}

#[test]
fn the_past_is_scrubbed_through_and_never_looks_like_the_present() {
    let mut stage = feed();
    let newest = ActivityReply {
        lines: vec![ActivityLine {
            sequence: 500,
            ..ActivityLine::default()
        }],
        ..ActivityReply::default()
    };
    stage.tell("activity", Answer::Activity(newest));
    stage.click("A job was paid.");
    stage.click("Everything as it was after it");
    stage.shows(&[
        "THE PAST",
        "Replay: the ledger after fact 42",
        "Folding the facts up to it",
    ]);
    let reply = AtReply {
        basis: Some(Basis {
            sequence: 42,
            chain: "cafe".repeat(16),
            source: "ledger".into(),
        }),
        at_ms: NOW_MS - 3_600_000,
        answer: Some(at_reply::Answer::Earnings(EarningsReply {
            earned_msat: 9_000,
            ..EarningsReply::default()
        })),
    };
    let answered = |at| Message::Past(Scrub::Answered(at, "earnings", Ok(Box::new(reply.clone()))));
    stage.update(answered(42));
    stage.shows(&[
        "As it was after fact 42",
        "9 sats",
        "1 h 0 min ago",
        &"cafe".repeat(16),
    ]);
    stage.choose("Replay: −10 facts");
    stage.shows(&["the ledger after fact 32", "As it was after fact 42"]);
    stage.click("+1000");
    stage.shows(&["the ledger after fact 500"]);
    stage.update(Message::Past(Scrub::Typed("501".into())));
    stage.shows(&["the ledger does not reach that far", "the ledger after fact 500"]);
    stage.update(Message::Past(Scrub::Answered(500, "earnings", Err(trouble()))));
    stage.shows(&["the ledger can't be read now"]);
    stage.choose("Replay: Wallet as it was");
    stage.shows(&["Folding the facts up to it"]);
    stage.click("Back to the present");
    stage.hides(&["THE PAST"]);
}
