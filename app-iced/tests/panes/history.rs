use autopilot_app::{
    paging::Ask,
    panes::{
        Wish,
        job_history::{JobHistory, Message},
    },
};
use autopilot_proto::control::v1::{
    ActivityLine, HistoryLine, HistoryReply, InvoiceLine, JobLogReply, Rung, WhyReply,
};

use crate::stage::{NOW_MS, Stage, trouble};

fn line(job: &str, work: &str, money: &str) -> HistoryLine {
    HistoryLine {
        job_id: job.repeat(8),
        role: "provider".into(),
        native_id: "e".repeat(64),
        counterparty: "c".repeat(64),
        kind: 5050,
        first_sequence: 7,
        received_at_ms: NOW_MS - 60_000,
        work: work.into(),
        money: money.into(),
        price_msat: Some(21_000),
        payment_hash: "f".repeat(64),
        reason: "the buyer\nwent away".into(),
        ..HistoryLine::default()
    }
}

fn listed() -> Stage<JobHistory> {
    let mut stage = Stage::<JobHistory>::new();
    let reply = HistoryReply {
        rows: vec![
            line("aaaaaaaa", "delivered", "expired"),
            line("bbbbbbbb", "refused", ""),
        ],
        ..HistoryReply::default()
    };
    stage.update(Message::Page(Ask::default(), Ok(reply)));
    stage
}

fn why() -> WhyReply {
    let rung = |name: &str, reached| Rung {
        name: name.into(),
        reached,
        ..Rung::default()
    };
    WhyReply {
        job_id: "aaaaaaaa".repeat(8),
        rungs: vec![
            rung("delivered", true),
            rung("settled", false),
            rung("success", false),
        ],
        answer: "the invoice ran out unpaid".into(),
        ..WhyReply::default()
    }
}

#[test]
fn it_loads_breaks_is_empty_or_lists() {
    let mut stage = Stage::<JobHistory>::new();
    stage.shows(&["Loading"]);
    stage.update(Message::Page(Ask::default(), Err(trouble())));
    stage.shows(&["the ledger can't be read now", "look at the disk", "Try again"]);
    stage.hides(&["Loading"]);
    stage.update(Message::Page(Ask::default(), Ok(HistoryReply::default())));
    stage.shows(&["No job yet", "Go Online"]);
    listed().shows(&[
        "aaaaaaaaaaaa…",
        "delivered",
        "expired",
        "21 sats",
        "the buyer went away",
    ]);
}

#[test]
fn a_row_opens_why_it_was_not_paid() {
    let mut stage = listed();
    stage.click("aaaaaaaaaaaa…");
    stage.shows(&["Why wasn't I paid?", "Reading its facts"]);
    stage.update(Message::Why("aaaaaaaa".repeat(8), Ok(why())));
    stage.shows(&[
        "the invoice ran out unpaid",
        "reached",
        "missing",
        "not yet",
        "settled",
    ]);
    let log = JobLogReply {
        lines: vec![ActivityLine {
            sentence: "An invoice was issued.".into(),
            sequence: 12,
            ..ActivityLine::default()
        }],
        invoice: Some(InvoiceLine {
            bolt11: "lnbc1".into(),
            state: "expired".into(),
            ..InvoiceLine::default()
        }),
        whole: true,
        ..JobLogReply::default()
    };
    stage.update(Message::Log("aaaaaaaa".repeat(8), Ok(log)));
    stage.shows(&["An invoice was issued.", "fact 12", "Copy invoice"]);
    assert_eq!(
        stage.click("Copy invoice"),
        [Wish::Copy("lnbc1".into(), "Invoice")]
    );
    let copied = stage.choose("Job History: copy payment hash");
    assert_eq!(copied, [Wish::Copy("f".repeat(64), "Payment hash")]);
    stage.click("Close job");
    stage.hides(&["the invoice ran out unpaid"]);
}

#[test]
fn a_job_that_another_pane_names_is_explained() {
    let mut stage = Stage::<JobHistory>::new();
    stage.act(|history, scene| drop(history.explain("0123abcd".into(), scene)));
    stage.update(Message::Why("0123abcd".into(), Err(trouble())));
    stage.shows(&["Why wasn't I paid?", "the ledger can't be read now"]);
}

#[test]
fn filters_ask_anew_and_what_comes_for_the_former_ones_is_dropped() {
    let mut stage = listed();
    stage.click("Bought");
    stage.shows(&["Loading"]);
    let late = HistoryReply {
        rows: vec![line("aaaaaaaa", "delivered", "expired")],
        ..HistoryReply::default()
    };
    stage.update(Message::Page(Ask::default(), Ok(late)));
    stage.shows(&["Loading"]);
    stage.click("More filters");
    stage.shows(&["settled", "refused", "answered"]);
    stage.choose("Job History: money: settled");
    stage.choose("Job History: jobs: All");
}

#[test]
fn an_id_is_judged_as_it_is_typed() {
    let mut stage = listed();
    stage.update(Message::Typed("abc".into()));
    stage.shows(&["an id is found by at least 6 of its digits"]);
    stage.update(Message::Typed("0123abcd".into()));
    stage.choose("Job History: explain the typed job");
    stage.shows(&["0123abcd", "Reading its facts"]);
}

#[test]
fn amounts_can_be_hidden() {
    let mut stage = listed();
    stage.amounts.hidden = true;
    stage.hides(&["21 sats"]);
    stage.shows(&["••••"]);
}

#[test]
fn what_is_searched_is_said_and_can_be_ended() {
    let mut stage = listed();
    stage.update(Message::Typed("qwen".into()));
    stage.click("Search");
    stage.shows(&["Loading", "Only “qwen” is listed"]);
    stage.update(Message::Typed(String::new()));
    stage.click("Search");
    stage.shows(&["Loading"]);
    stage.hides(&["Only “qwen”"]);
}
