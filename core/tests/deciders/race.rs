//! A purchase in race mode: one winner, one payment, and losers that are told once.
use autopilot_core::{
    Effect, Input,
    input::{AnswerKind, Command},
};
use autopilot_events::{
    pb::{self, Purpose},
    words::EventId,
};
use autopilot_projections::accounts::Account;

use crate::{
    given::{
        answer, bill, buy, event, hash, job, not_sent, offline, online, policy, published, purchase, result,
        sent, signed,
    },
    ledger::Ledger,
};

const WON: &[&str] = &[
    "purchase.won",
    "purchase.offered result",
    "payment.approved",
    "payment.attempted 1",
];

fn bought() -> Ledger {
    let mut ledger = offline(policy());
    ledger.check(
        buy(1, purchase(1)),
        &["purchase.requested", "event.signed request"],
    );
    ledger.owes(&[Effect::Publish {
        event: event(1, Purpose::Request),
    }]);
    ledger.check(published(1, Purpose::Request, 2), &["event.published request"]);
    ledger.owes(&[]);
    ledger
}

fn told(answer: u8, purpose: Purpose) -> Input {
    let mut about = vec![answer; 32];
    about[0] = 0xA0;
    let Input::Signed(event) = signed(1, purpose) else {
        unreachable!()
    };
    Input::Signed(pb::EventSigned {
        event_id: vec![answer; 32],
        about,
        ..event
    })
}

fn tell(answer: u8) -> Effect {
    let mut result = [answer; 32];
    result[0] = 0xA0;
    Effect::TellLoser {
        purchase: job(1),
        result: EventId(result),
    }
}

#[test]
fn the_first_valid_result_wins_and_is_paid_once() {
    let mut ledger = bought();
    ledger.check(result(1, 10, 1, 50), WON);
    let pay = Effect::Pay {
        payment_hash: hash(50),
        attempt: 1,
    };
    ledger.owes(std::slice::from_ref(&pay));
    ledger.check(result(1, 10, 1, 50), &["duplicate"]);
    ledger.check(result(1, 10, 2, 51), &["purchase.rejected duplicate-result"]);
    ledger.restart(&[]);
    ledger.owes(&[pay]);
    ledger.check(
        sent(hash(50), 4_000),
        &["wallet.payment_sent", "purchase.paid", "purchase.closed paid"],
    );
    ledger.check(sent(hash(50), 4_000), &["duplicate"]);
    ledger.owes(&[Effect::Receipt { purchase: job(1) }]);
    let state = ledger.engine.state();
    assert_eq!(state.accounts.balance_msat(Account::ExpensesJobs), 4_000);
    assert_eq!(state.accounts.balance_msat(Account::ExpensesFees), 3);
    assert_eq!(state.accounts.balance_msat(Account::EquityWithdrawals), 0);
    assert_eq!((state.wallet.withdrawn_msat, state.purchases.paid_count), (0, 1));
    assert_eq!(state.purchases.open().count(), 0);
}

#[test]
fn losers_are_told_once_each_until_it_is_signed() {
    let mut ledger = bought();
    ledger.check(result(1, 10, 1, 50), WON);
    let pay = Effect::Pay {
        payment_hash: hash(50),
        attempt: 1,
    };
    ledger.check(result(1, 11, 2, 51), &["purchase.rejected lost-race"]);
    ledger.owes(&[tell(2), pay.clone()]);
    ledger.restart(&[]);
    ledger.owes(&[tell(2), pay]);
    ledger.check(
        sent(hash(50), 4_000),
        &["wallet.payment_sent", "purchase.paid", "purchase.closed paid"],
    );
    // It is over, and results still come.
    ledger.check(result(1, 12, 3, 52), &["purchase.rejected late-result-unpaid"]);
    ledger.check(result(1, 10, 4, 53), &[]);
    let receipt = Effect::Receipt { purchase: job(1) };
    ledger.owes(&[tell(2), tell(3), receipt.clone()]);
    ledger.check(told(2, Purpose::LostRace), &["event.signed lost-race"]);
    ledger.check(told(2, Purpose::LostRace), &[]);
    ledger.owes(&[
        tell(3),
        receipt.clone(),
        Effect::Publish {
            event: EventId([2; 32]),
        },
    ]);
    let taken = Input::Published {
        event_id: EventId([2; 32]),
        accepted: 1,
        tried: 1,
    };
    ledger.check(taken, &["event.published lost-race"]);
    ledger.owes(&[tell(3), receipt]);
    ledger.check(told(9, Purpose::LostRace), &[]);
    assert_eq!(ledger.all("purchase.won").len(), 1);
}

#[test]
fn a_purchase_without_an_answer_ends_at_its_deadline_and_later_results_are_not_paid() {
    let mut ledger = bought();
    ledger.later(59_999, &[]);
    ledger.later(1, &["purchase.closed no valid result in time"]);
    ledger.later(1, &[]);
    ledger.check(result(1, 10, 1, 50), &["purchase.rejected late-result-unpaid"]);
    ledger.owes(&[tell(1)]);
    assert_eq!(ledger.engine.state().purchases.unpaid_count, 1);
    // An unknown purchase, and no result: nothing to say.
    ledger.check(result(2, 10, 2, 51), &[]);
    ledger.check(
        answer(1, 11, 3, AnswerKind::Status("processing".to_owned()), None),
        &[],
    );
}

#[test]
fn what_is_no_result_or_bears_no_invoice_does_not_win() {
    let mut ledger = bought();
    let none = AnswerKind::Result(Err("its signature is of another key".to_owned()));
    ledger.check(
        answer(1, 10, 1, none, Some(Ok(bill(50, 4_000)))),
        &["purchase.rejected invalid-result"],
    );
    ledger.check(
        answer(1, 10, 2, AnswerKind::Result(Ok(())), None),
        &["purchase.rejected no-invoice"],
    );
    let bad = Some(Err("no checksum".to_owned()));
    ledger.check(
        answer(1, 10, 3, AnswerKind::Result(Ok(())), bad),
        &["purchase.rejected bad-invoice"],
    );
    for (event, status) in [(4, "processing"), (5, "error"), (6, "success"), (7, "partial")] {
        let kind = AnswerKind::Status(status.to_owned());
        ledger.check(
            answer(1, 10, event, kind, Some(Ok(bill(50, 4_000)))),
            &[&format!("purchase.offered {status}")],
        );
    }
    ledger.owes(&[]);
    ledger.check(result(1, 10, 8, 50), WON);
}

#[test]
fn a_failed_payment_is_tried_a_few_times_and_then_the_purchase_ends() {
    let mut ledger = bought();
    ledger.check(result(1, 10, 1, 50), WON);
    let mut attempt = 1;
    loop {
        ledger.owes(&[Effect::Pay {
            payment_hash: hash(50),
            attempt,
        }]);
        ledger.restart(&[]);
        let lines = ledger.submit(not_sent(hash(50)));
        if lines == ["wallet.payment_failed", "purchase.closed the payment failed"] {
            break;
        }
        attempt += 1;
        let next = format!("payment.attempted {attempt}");
        assert_eq!(lines, ["wallet.payment_failed", "payment.approved", &next]);
    }
    assert!((2..=10).contains(&attempt), "{attempt} attempts");
    ledger.check(not_sent(hash(50)), &[]);
    ledger.owes(&[]);
    assert_eq!(ledger.engine.state().purchases.unpaid_count, 1);
}

#[test]
fn a_payment_that_failed_and_then_went_through_is_the_purchase_s_price() {
    let mut ledger = bought();
    ledger.check(result(1, 10, 1, 50), WON);
    ledger.now_ms += 60_000;
    ledger.check(
        not_sent(hash(50)),
        &["wallet.payment_failed", "purchase.closed the payment failed"],
    );
    ledger.check(sent(hash(50), 4_000), &["wallet.payment_sent", "purchase.paid"]);
    let state = ledger.engine.state();
    assert_eq!(state.accounts.balance_msat(Account::ExpensesJobs), 4_000);
    assert_eq!(state.accounts.balance_msat(Account::EquityWithdrawals), 0);
    assert_eq!(state.purchases.paid_count, 1);
}

/// Whether the invoice of an answer is still one after the host has looked it up.
fn is_handed_on(ledger: &Ledger, answer: Input) -> bool {
    let Input::Answer(answer) = ledger.looked_up(answer) else {
        panic!("it is an answer");
    };
    answer.invoice.unwrap().is_ok()
}

/// The wallet pays a hash once: an invoice that won a purchase is no offer to another, open or over.
#[test]
fn an_invoice_that_won_before_wins_nothing_else() {
    let mut ledger = bought();
    ledger.check(result(1, 20, 20, 7), WON);
    ledger.check(
        sent(hash(7), 5_000),
        &["wallet.payment_sent", "purchase.paid", "purchase.closed paid"],
    );
    ledger.check(
        buy(2, purchase(2)),
        &["purchase.requested", "event.signed request"],
    );
    ledger.check(result(2, 20, 21, 7), &["purchase.rejected reused-invoice"]);
    // Long after that the deciders have forgotten it, and the ledger's index has not.
    assert!(!is_handed_on(&ledger, result(2, 20, 22, 7)));
    assert!(is_handed_on(&ledger, result(2, 20, 22, 8)));
}

#[test]
fn an_invoice_whose_payment_failed_wins_nothing_else_either() {
    let mut ledger = bought();
    ledger.check(result(1, 20, 20, 7), WON);
    ledger.now_ms += 60_000;
    ledger.check(
        not_sent(hash(7)),
        &["wallet.payment_failed", "purchase.closed the payment failed"],
    );
    // It may go through after all.
    assert!(!is_handed_on(&ledger, result(2, 20, 22, 7)));
}

#[test]
fn an_approved_payment_outlives_the_deadline() {
    let mut ledger = bought();
    ledger.check(result(1, 10, 1, 50), WON);
    ledger.later(3_600_000, &[]);
    ledger.owes(&[Effect::Pay {
        payment_hash: hash(50),
        attempt: 1,
    }]);
    ledger.check(
        sent(hash(50), 4_000),
        &["wallet.payment_sent", "purchase.paid", "purchase.closed paid"],
    );
}

#[test]
fn a_flood_of_answers_hides_no_valid_result() {
    let mut ledger = bought();
    let mut recorded = 0;
    for n in 0..200 {
        recorded += ledger
            .submit(answer(1, n, n, AnswerKind::Status("processing".to_owned()), None))
            .len();
    }
    assert_eq!(recorded, 64);
    ledger.check(answer(1, 10, 201, AnswerKind::Result(Ok(())), None), &[]);
    ledger.check(result(1, 10, 202, 50), WON);
    ledger.check(result(1, 11, 203, 51), &[]);
    ledger.check(
        sent(hash(50), 4_000),
        &["wallet.payment_sent", "purchase.paid", "purchase.closed paid"],
    );
}

#[test]
fn a_person_stops_waiting_as_long_as_nothing_is_approved() {
    let stop = || Input::Person(Command::CancelPurchase(job(1)));
    offline(policy()).check(stop(), &["no: not-found"]);
    let mut ledger = bought();
    ledger.check(stop(), &["purchase.closed cancelled"]);
    ledger.check(stop(), &["no: not-found"]);
    ledger.check(result(1, 10, 1, 50), &["purchase.rejected late-result-unpaid"]);
    let mut won = bought();
    won.check(result(1, 10, 1, 50), WON);
    won.check(stop(), &["no: too-late"]);
    // A request that no relay took yet goes nowhere.
    let mut unsent = offline(policy());
    unsent.check(
        buy(1, purchase(1)),
        &["purchase.requested", "event.signed request"],
    );
    unsent.check(stop(), &["purchase.closed cancelled", "event.abandoned request"]);
    unsent.check(published(1, Purpose::Request, 1), &[]);
    unsent.owes(&[]);
}

#[test]
fn our_own_request_that_a_relay_sends_back_is_no_job() {
    let mut ledger = online();
    ledger.check(
        buy(1, purchase(1)),
        &["purchase.requested", "event.signed request"],
    );
    let mut echo = crate::given::request(1);
    echo.requester.0 = crate::given::OWN_KEY;
    ledger.check(Input::Request(echo.clone()), &[]);
    // One that this ledger did not make is refused, not worked and paid in a circle.
    echo.native_id = EventId([2; 32]);
    ledger.check(Input::Request(echo), &["job.received", "job.refused own-job"]);
}
