//! Windowed purchases: offers are collected, the cheapest wins, of equal ones the earliest, and losers are told.
use autopilot_core::{
    Effect, Input,
    input::{AnswerKind, Command},
};
use autopilot_events::{
    Event, pb,
    words::{EventId, Msat},
};

use crate::{
    given::{answer, bill, buy, hash, job, offline, policy, purchase, result, sent},
    ledger::{Ledger, NOON_MS},
};

const WINDOW_MS: i64 = 20_000;
const COLLECTED: &[&str] = &["purchase.offered result"];

fn bought(ceiling_msat: u64) -> Ledger {
    let mut ledger = offline(policy());
    let terms = pb::PurchaseRequested {
        choose_at_ms: NOON_MS + WINDOW_MS,
        pay_first_ceiling_msat: ceiling_msat,
        ..purchase(1)
    };
    ledger.check(buy(1, terms), &["purchase.requested", "event.signed request"]);
    ledger
}

/// Provider `provider`'s result for `msat`.
fn offer(provider: u8, event: u8, msat: u64) -> Input {
    let invoice = Some(Ok(bill(provider, msat)));
    answer(1, provider, event, AnswerKind::Result(Ok(())), invoice)
}

fn tell(event: u8) -> Effect {
    let mut result = [event; 32];
    result[0] = 0xA0;
    Effect::TellLoser {
        purchase: job(1),
        result: EventId(result),
    }
}

fn owed(ledger: &Ledger) -> Vec<Effect> {
    let mut effects = ledger.engine.outstanding();
    effects.retain(|effect| !matches!(effect, Effect::Publish { .. }));
    effects
}

#[test]
fn the_cheapest_wins_and_of_equal_ones_the_earliest() {
    let mut ledger = bought(0);
    for (provider, msat) in [(10, 4_000), (11, 3_000), (12, 3_000), (13, 4_999)] {
        ledger.check(offer(provider, provider, msat), COLLECTED);
    }
    ledger.check(offer(14, 14, 5_001), &["purchase.rejected over-budget"]);
    // Nothing is paid within the window, and a restart forgets no offer.
    assert_eq!(owed(&ledger), []);
    ledger.restart(&[]);
    ledger.later(WINDOW_MS - 1, &[]);
    ledger.later(
        1,
        &[
            "purchase.won",
            "payment.approved",
            "payment.attempted 1",
            "purchase.rejected lost-race",
            "purchase.rejected lost-race",
            "purchase.rejected lost-race",
        ],
    );
    let Event::PurchaseWon(won) = &ledger.all("purchase.won")[0].event else {
        unreachable!()
    };
    assert_eq!((won.provider[0], won.amount_msat), (11, 3_000));
    let pay = Effect::Pay {
        payment_hash: hash(11),
        attempt: 1,
    };
    assert_eq!(owed(&ledger), [tell(10), tell(12), tell(13), pay]);
    ledger.check(offer(15, 15, 1_000), &["purchase.rejected lost-race"]);
    // The winner's result is here already: paid is over.
    ledger.check(
        sent(hash(11), 3_000),
        &["wallet.payment_sent", "purchase.paid", "purchase.closed paid"],
    );
    ledger.check(offer(16, 16, 1_000), &["purchase.rejected late-result-unpaid"]);
}

#[test]
fn without_an_offer_in_the_window_the_first_one_after_it_wins() {
    let mut ledger = bought(0);
    ledger.later(WINDOW_MS, &[]);
    ledger.check(
        result(1, 10, 1, 50),
        &[
            "purchase.won",
            "purchase.offered result",
            "payment.approved",
            "payment.attempted 1",
        ],
    );
}

#[test]
fn after_the_window_nothing_jumps_the_queue_before_the_tick() {
    let mut ledger = bought(0);
    ledger.check(offer(10, 10, 4_000), COLLECTED);
    ledger.now_ms += WINDOW_MS;
    ledger.check(offer(11, 11, 1_000), &["purchase.rejected lost-race"]);
    ledger.later(0, &["purchase.won", "payment.approved", "payment.attempted 1"]);
}

#[test]
fn an_offer_to_be_paid_first_competes_by_its_price_within_its_ceiling() {
    let mut ledger = bought(3_500);
    let first = |provider: u8, msat: u64| {
        answer(
            1,
            provider,
            provider,
            AnswerKind::PaymentRequired,
            Some(Ok(bill(provider, msat))),
        )
    };
    ledger.check(first(9, 3_501), &["purchase.rejected over-budget"]);
    ledger.check(first(10, 2_000), &["purchase.offered payment-required"]);
    ledger.check(offer(11, 11, 3_000), COLLECTED);
    ledger.later(
        WINDOW_MS,
        &[
            "purchase.won",
            "payment.approved",
            "payment.attempted 1",
            "purchase.rejected lost-race",
        ],
    );
    ledger.check(sent(hash(10), 2_000), &["wallet.payment_sent", "purchase.paid"]);
    ledger.check(
        offer(10, 20, 2_000),
        &["purchase.offered result", "purchase.closed paid"],
    );
}

#[test]
fn invoices_that_cannot_be_paid_at_the_choice_are_left_out() {
    let mut ledger = bought(0);
    let mut short = bill(10, 1_000);
    short.expires_at_ms = NOON_MS + WINDOW_MS;
    ledger.check(
        answer(1, 10, 10, AnswerKind::Result(Ok(())), Some(Ok(short.clone()))),
        COLLECTED,
    );
    // The same invoice in another provider's hands is none of his.
    ledger.check(
        answer(1, 12, 12, AnswerKind::Result(Ok(())), Some(Ok(short))),
        &["purchase.rejected reused-invoice"],
    );
    ledger.later(
        WINDOW_MS,
        &[
            "purchase.closed no offer could still be paid at the window's end",
            "purchase.rejected lost-race",
        ],
    );
    assert_eq!(owed(&ledger), [tell(10)]);
}

#[test]
fn a_cancelled_window_tells_those_who_worked() {
    let mut ledger = bought(0);
    ledger.check(offer(10, 10, 4_000), COLLECTED);
    ledger.check(
        Input::Person(Command::CancelPurchase(job(1))),
        &[
            "purchase.closed cancelled",
            "purchase.rejected lost-race",
            "event.abandoned request",
        ],
    );
    assert_eq!(owed(&ledger), [tell(10)]);
    let late = pb::PurchaseRequested {
        choose_at_ms: NOON_MS + 60_000,
        ..purchase(2)
    };
    ledger.check(buy(2, late), &["no: policy-invalid"]);
}

/// While the window is open, the owner would pay by hand what may be chosen at its end: one of the two would be too much.
#[test]
fn an_invoice_that_may_be_chosen_is_not_paid_by_hand() {
    let mut ledger = bought(0);
    ledger.check(offer(10, 10, 4_000), COLLECTED);
    let pay = Command::Pay {
        bill: bill(10, 4_000),
        amount: None,
        fee_ceiling: Msat(1),
        resolution: None,
    };
    ledger.check(Input::Person(pay.clone()), &["no: still-needed"]);
    ledger.check(
        Input::Person(Command::CancelPurchase(job(1))),
        &[
            "purchase.closed cancelled",
            "purchase.rejected lost-race",
            "event.abandoned request",
        ],
    );
    ledger.check(Input::Person(pay), &["payment.approved", "payment.attempted 1"]);
}
