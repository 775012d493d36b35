use autopilot_app::{
    paging::Ask,
    panes::{
        Wish,
        network_requests::{Field, Message, NetworkRequests, Part},
    },
};
use autopilot_proto::control::v1::{
    BuyModeReply, BuyReply, OfferLine, PurchaseLine, PurchaseReply, PurchasesReply,
};

use crate::stage::{NOW_MS, Stage, trouble};

fn purchase() -> PurchaseLine {
    PurchaseLine {
        purchase_id: "ab".repeat(32),
        requested_at_ms: NOW_MS,
        state: "paid".into(),
        budget_msat: 10_000,
        paid_msat: Some(8_000),
        winner: "cd".repeat(32),
        why_won: "the cheapest in time".into(),
        how: "windowed".into(),
        offers: vec![OfferLine {
            provider: "ef".repeat(32),
            verdict: "lost".into(),
            reason: "dearer".into(),
            amount_msat: Some(9_000),
            ..OfferLine::default()
        }],
        ..PurchaseLine::default()
    }
}

#[test]
fn it_loads_breaks_is_empty_or_lists() {
    let mut stage = Stage::<NetworkRequests>::new();
    stage.shows(&["Loading"]);
    stage.update(Message::Page(Ask::default(), Err(trouble())));
    stage.shows(&["the ledger can't be read now", "Try again"]);
    stage.update(Message::Page(Ask::default(), Ok(PurchasesReply::default())));
    stage.shows(&["Nothing was asked for yet", "New request"]);
    stage.choose("Network Requests: load again");
    let reply = PurchasesReply {
        purchases: vec![purchase()],
        ..PurchasesReply::default()
    };
    stage.update(Message::Page(Ask::default(), Ok(reply)));
    stage.shows(&["paid 8 sats", "the cheapest in time"]);
    stage.click("paid 8 sats");
    stage.shows(&["Terms and offers", "lost", "dearer", "9 sats"]);
    let answer = PurchaseReply {
        state: "paid".into(),
        result: "42\nis the answer".into(),
        ..PurchaseReply::default()
    };
    stage.update(Message::Purchase("ab".repeat(32), Ok(answer)));
    stage.shows(&["42 is the answer"]);
    assert_eq!(
        stage.click("Copy the result"),
        [Wish::Copy("42\nis the answer".into(), "Result")]
    );
    assert_eq!(
        stage.click("Why did I pay, or not?"),
        [Wish::Explain("ab".repeat(32))]
    );
}

#[test]
fn a_request_is_judged_as_typed_reviewed_by_the_host_and_then_approved() {
    let mut stage = Stage::<NetworkRequests>::new();
    stage.click("New request");
    stage.shows(&["What to ask: there is nothing to ask"]);
    stage.update(Message::Typed(Field::Input, "Why?".into()));
    stage.update(Message::Typed(Field::Budget, "1.5".into()));
    stage.shows(&["only whole sats"]);
    stage.update(Message::Typed(Field::Budget, "20".into()));
    stage.click("Review");
    stage.update(Message::Reviewed(Err(trouble())));
    stage.shows(&["the ledger can't be read now", "Review"]);
    stage.update(Message::Reviewed(Ok(())));
    stage.shows(&["Up to 20 sats are paid for an answer, and up to 5 sats for routing."]);
    // What is approved is what was reviewed.
    stage.update(Message::Typed(Field::Budget, "2000".into()));
    stage.hides(&["Approve and send"]);
    stage.update(Message::Reviewed(Ok(())));
    stage.choose("Network Requests: approve");
    let bought = BuyReply {
        purchase_id: "ab".repeat(32),
        ..BuyReply::default()
    };
    let wishes = stage.update(Message::Bought(Ok(bought)));
    assert!(matches!(&wishes[..], [Wish::Say(_)]));
    stage.shows(&["Reading its facts"]);
}

#[test]
fn buy_mode_has_a_kill_switch() {
    let mut stage = Stage::<NetworkRequests>::new();
    stage.update(Message::Part(Part::Mode));
    stage.shows(&["Asking how it stands"]);
    let mode = |state: &str| BuyModeReply {
        state: state.into(),
        spent_msat: 3_000,
        left_msat: 7_000,
        ..BuyModeReply::default()
    };
    stage.update(Message::Mode(Ok(mode("never"))));
    stage.shows(&["It never ran here", "Buy by itself"]);
    stage.update(Message::Mode(Ok(mode("running"))));
    stage.shows(&["3 sats", "7 sats"]);
    stage.hides(&["Buy by itself"]);
    stage.click("Stop buying");
    stage.choose("Network Requests: stop buy mode");
    let wishes = stage.update(Message::Switched(Ok(mode("stopped"))));
    assert!(matches!(&wishes[..], [Wish::Say(_)]));
    stage.shows(&["stopped", "Buy by itself"]);
}
