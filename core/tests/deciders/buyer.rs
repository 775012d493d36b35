//! What a purchase accepts: budget, network, time, hash, provider, and paying first within a ceiling of its own.
use autopilot_core::{
    Input,
    input::{AnswerKind, Bill, Command},
};
use autopilot_events::{pb, words::Msat};

use crate::{
    given::{answer, bill, buy, hash, job, offline, online, policy, purchase, result, sent, spendable},
    ledger::{Ledger, NOON_MS},
};

const BOUGHT: &[&str] = &["purchase.requested", "event.signed request"];
const WON: &[&str] = &[
    "purchase.won",
    "purchase.offered result",
    "payment.approved",
    "payment.attempted 1",
];
const PAID_FIRST: &[&str] = &[
    "purchase.won",
    "purchase.offered payment-required",
    "payment.approved",
    "payment.attempted 1",
];
const TARGET: u8 = 10;

fn bought(terms: pb::PurchaseRequested) -> Ledger {
    let mut ledger = offline(policy());
    ledger.check(buy(1, terms), BOUGHT);
    ledger
}

/// A result with this invoice, on a fresh ledger.
#[track_caller]
fn with_invoice(invoice: Bill, expected: &[&str]) {
    bought(purchase(1)).check(
        answer(1, TARGET, 1, AnswerKind::Result(Ok(())), Some(Ok(invoice))),
        expected,
    );
}

#[test]
fn an_invoice_is_held_against_budget_network_and_time() {
    with_invoice(bill(50, 5_000), WON);
    with_invoice(bill(50, 5_001), &["purchase.rejected over-budget"]);
    with_invoice(
        Bill {
            network: "bitcoin".to_owned(),
            ..bill(50, 1)
        },
        &["purchase.rejected foreign-network"],
    );
    with_invoice(
        Bill {
            expires_at_ms: NOON_MS,
            ..bill(50, 1)
        },
        &["purchase.rejected expired-invoice"],
    );
    with_invoice(
        Bill {
            expires_at_ms: NOON_MS + 1,
            ..bill(50, 1)
        },
        WON,
    );
    with_invoice(
        Bill {
            amount: None,
            ..bill(50, 1)
        },
        &["purchase.rejected amountless-invoice"],
    );
    with_invoice(
        Bill {
            amount: Some(Msat(0)),
            ..bill(50, 1)
        },
        &["purchase.rejected amountless-invoice"],
    );
}

#[test]
fn the_approval_names_payee_hash_and_ceiling() {
    let mut ledger = bought(purchase(1));
    ledger.check(result(1, TARGET, 1, 50), WON);
    let approved = ledger.all("payment.approved");
    let autopilot_events::Event::PaymentApproved(m) = &approved[0].event else {
        unreachable!()
    };
    let expected = pb::PaymentApproved {
        payment_hash: hash(50).to_vec(),
        payee: vec![2; 33],
        amount_msat: 4_000,
        fee_ceiling_msat: 100,
        purpose: pb::PaymentPurpose::Purchase as i32,
        purchase_id: job(1).to_vec(),
        bolt11: "lnbcrt50".to_owned(),
        resolution: None,
    };
    assert_eq!(*m, expected);
}

#[test]
fn a_payment_hash_is_paid_for_one_thing_only() {
    let mut ledger = bought(purchase(1));
    ledger.check(buy(2, purchase(2)), BOUGHT);
    ledger.check(result(1, TARGET, 1, 50), WON);
    // While it is under way, and after it went through.
    ledger.check(result(2, TARGET, 2, 50), &["purchase.rejected reused-invoice"]);
    // A person pays it already.
    let mut paying = bought(purchase(1));
    let pay = Command::Pay {
        bill: bill(50, 4_000),
        amount: None,
        fee_ceiling: Msat(1),
        resolution: None,
    };
    paying.check(Input::Person(pay), &["payment.approved", "payment.attempted 1"]);
    paying.check(result(1, TARGET, 1, 50), &["purchase.rejected reused-invoice"]);
    // Our own invoice, handed back to us.
    let mut circle = online();
    circle.delivered(3);
    circle.check(buy(1, purchase(1)), BOUGHT);
    circle.check(result(1, TARGET, 1, 3), &["purchase.rejected reused-invoice"]);
}

#[test]
fn a_targeted_purchase_hears_only_the_one_asked() {
    let mut ledger = bought(pb::PurchaseRequested {
        provider: vec![TARGET; 32],
        ..purchase(1)
    });
    ledger.check(result(1, 11, 1, 50), &["purchase.rejected not-asked"]);
    ledger.check(result(1, TARGET, 2, 51), WON);
    let mut late = bought(pb::PurchaseRequested {
        provider: vec![TARGET; 32],
        ..purchase(1)
    });
    late.later(60_000, &["purchase.closed no valid result in time"]);
    late.check(result(1, 11, 1, 50), &[]);
    late.check(
        result(1, TARGET, 2, 51),
        &["purchase.rejected late-result-unpaid"],
    );
}

#[test]
fn a_targeted_purchase_ends_when_the_one_asked_refuses() {
    let refusal = |provider: u8| answer(1, provider, 1, AnswerKind::Status("error".to_owned()), None);
    let mut ledger = bought(pb::PurchaseRequested {
        provider: vec![TARGET; 32],
        ..purchase(1)
    });
    ledger.check(refusal(11), &["purchase.rejected not-asked"]);
    ledger.check(
        answer(1, TARGET, 2, AnswerKind::Status("error".to_owned()), None),
        &["purchase.offered error", "purchase.closed its provider refused"],
    );
    ledger.check(
        result(1, TARGET, 3, 51),
        &["purchase.rejected late-result-unpaid"],
    );
    // Of an open one somebody else may still answer; and what is approved is paid.
    let mut open = bought(purchase(1));
    open.check(refusal(11), &["purchase.offered error"]);
    open.check(result(1, TARGET, 2, 51), WON);
    let mut approved = bought(pb::PurchaseRequested {
        provider: vec![TARGET; 32],
        ..purchase(1)
    });
    approved.check(result(1, TARGET, 2, 51), WON);
    approved.check(refusal(TARGET), &["purchase.offered error"]);
}

#[test]
fn after_the_deadline_nothing_wins_even_before_the_next_tick() {
    let mut ledger = bought(purchase(1));
    ledger.now_ms += 60_000;
    ledger.check(result(1, TARGET, 1, 50), &["purchase.rejected late"]);
}

/// A `payment-required` that asks for `asked_msat`, where `ceiling_msat` is approved for paying first.
#[track_caller]
fn pay_first(ceiling_msat: u64, asked_msat: u64, expected: &[&str]) -> Ledger {
    let mut ledger = bought(pb::PurchaseRequested {
        pay_first_ceiling_msat: ceiling_msat,
        ..purchase(1)
    });
    let invoice = Some(Ok(bill(50, asked_msat)));
    ledger.check(
        answer(1, TARGET, 1, AnswerKind::PaymentRequired, invoice),
        expected,
    );
    ledger
}

#[test]
fn paying_first_needs_a_ceiling_of_its_own() {
    pay_first(0, 1, &["purchase.offered payment-required"]);
    pay_first(2_000, 2_000, PAID_FIRST);
    pay_first(2_000, 2_001, &["purchase.rejected over-budget"]);
    // The budget holds all the same.
    pay_first(9_000, 5_000, PAID_FIRST);
    pay_first(9_000, 5_001, &["purchase.rejected over-budget"]);
}

#[test]
fn paid_first_the_result_closes_and_its_absence_is_seen() {
    let paid = &["wallet.payment_sent", "purchase.paid"];
    let mut ledger = pay_first(2_000, 2_000, PAID_FIRST);
    ledger.check(sent(hash(50), 2_000), paid);
    let others = answer(1, 11, 2, AnswerKind::PaymentRequired, Some(Ok(bill(51, 1_000))));
    ledger.check(others, &["purchase.offered payment-required"]);
    ledger.check(result(1, 11, 3, 52), &["purchase.rejected late-result-unpaid"]);
    let given = answer(1, TARGET, 4, AnswerKind::Result(Ok(())), None);
    ledger.check(given, &["purchase.offered result", "purchase.closed paid"]);
    let mut cheated = pay_first(2_000, 2_000, PAID_FIRST);
    cheated.check(sent(hash(50), 2_000), paid);
    cheated.later(60_000, &["purchase.closed paid, and no result came"]);
    // The result may be there before the wallet's word.
    let mut quick = pay_first(2_000, 2_000, PAID_FIRST);
    let given = answer(1, TARGET, 4, AnswerKind::Result(Ok(())), None);
    quick.check(given, &["purchase.offered result"]);
    quick.check(
        sent(hash(50), 2_000),
        &["wallet.payment_sent", "purchase.paid", "purchase.closed paid"],
    );
}

#[test]
fn a_purchase_needs_a_budget_time_and_money() {
    let mut ledger = offline(policy());
    let terms = |budget_msat| pb::PurchaseRequested {
        budget_msat,
        ..purchase(1)
    };
    ledger.check(buy(1, terms(0)), &["no: policy-invalid"]);
    ledger.check(
        buy(
            1,
            pb::PurchaseRequested {
                deadline_ms: NOON_MS,
                ..purchase(1)
            },
        ),
        &["no: policy-invalid"],
    );
    ledger.check(buy(1, terms(100_001)), &["no: insufficient-funds"]);
    ledger.check(buy(1, terms(u64::MAX)), &["no: insufficient-funds"]);
    ledger.check(buy(1, terms(60_000)), BOUGHT);
    // What is promised to an open purchase can't be promised again.
    let second = pb::PurchaseRequested {
        budget_msat: 40_001,
        ..purchase(2)
    };
    ledger.check(buy(2, second.clone()), &["no: insufficient-funds"]);
    ledger.check(spendable(100_001), &["wallet.balance_observed"]);
    ledger.check(buy(2, second), BOUGHT);
    let third = pb::PurchaseRequested {
        budget_msat: u64::MAX,
        ..purchase(3)
    };
    ledger.check(buy(3, third), &["no: insufficient-funds"]);
}

#[test]
fn the_same_request_is_bought_once() {
    let mut ledger = bought(purchase(1));
    ledger.check(buy(1, purchase(1)), &["no: already-so"]);
    ledger.check(result(1, TARGET, 1, 50), WON);
    ledger.check(buy(1, purchase(1)), &["no: already-so"]);
    ledger.check(
        sent(hash(50), 4_000),
        &["wallet.payment_sent", "purchase.paid", "purchase.closed paid"],
    );
    ledger.check(buy(1, purchase(1)), &["no: already-so"]);
}
