//! Paid first, and then not delivered: owed back, to the buyer's offer by itself, else by hand.
use autopilot_core::{
    Effect, Input,
    input::{Command, OfferedRefund, Request, WalletInput},
    offers::Offer,
    refund::RefundTo,
};
use autopilot_events::{pb, words::Msat};
use autopilot_projections::accounts::Account;

use crate::{
    given::{
        bill, failed, hash, invoiced, job, not_sent, online, published, received, request, sent, signed,
        spendable,
    },
    ledger::Ledger,
};

const DEBT_MSAT: u64 = 1_000;

/// A job that was paid first and then failed; its buyer supplied an offer, or none.
fn debt(refund_offer: &str) -> Ledger {
    let mut ledger = online();
    let quote = Request {
        bid: None,
        refund_offer: refund_offer.to_owned(),
        ..request(1)
    };
    ledger.check(Input::Request(quote), &["job.received", "job.accepted pay-first"]);
    ledger.check(invoiced(1), &["invoice.issued"]);
    ledger.check(
        received(hash(1), DEBT_MSAT),
        &["wallet.payment_received", "job.prepaid", "job.started 1"],
    );
    ledger.check(failed(1, 1, false), &["job.failed worker-died"]);
    ledger.check(signed(1, pb::Purpose::Error), &["event.signed error"]);
    ledger.check(published(1, pb::Purpose::Error, 1), &["event.published error"]);
    assert_eq!(liability(&ledger), -i128::from(DEBT_MSAT));
    ledger
}

fn liability(ledger: &Ledger) -> i128 {
    ledger
        .engine
        .state()
        .accounts
        .balance_msat(Account::LiabilitiesPrepaid)
}

fn offer(network: &str) -> Offer {
    Offer {
        bolt12: "lno1…".to_owned(),
        offer_id: [8; 32],
        payee: Vec::new(),
        amount: None,
        networks: vec![network.to_owned()],
        expires_at_ms: None,
    }
}

fn offered(offer: Result<Offer, String>) -> Input {
    Input::Refund(OfferedRefund { job: job(1), offer })
}

/// The intent that was approved last.
fn intent(ledger: &Ledger) -> Vec<u8> {
    ledger
        .all("offer.approved")
        .last()
        .unwrap()
        .fact
        .correlation
        .clone()
}

fn offer_paid(ledger: &Ledger) -> Input {
    let Input::Wallet(WalletInput::Sent(payment)) = sent(hash(9), DEBT_MSAT) else {
        unreachable!()
    };
    Input::Wallet(WalletInput::Sent(pb::WalletPaymentSent {
        intent_id: intent(ledger),
        ..payment
    }))
}

fn offer_failed(ledger: &Ledger, in_doubt: bool) -> Input {
    Input::Wallet(WalletInput::OfferFailed(pb::OfferFailed {
        intent_id: intent(ledger),
        reason: "no route".to_owned(),
        in_doubt,
    }))
}

const REFUND: &[Effect] = &[];

#[test]
fn a_debt_with_an_offer_is_paid_back_once_and_is_gone() {
    let mut ledger = debt("lno1buyer");
    ledger.owes(&[Effect::Refund { job: job(1) }]);
    ledger.check(spendable(DEBT_MSAT), &["wallet.balance_observed"]);
    ledger.check(offered(Ok(offer("regtest"))), &["no: insufficient-funds"]);
    ledger.owes(&[Effect::Refund { job: job(1) }]);
    ledger.check(spendable(DEBT_MSAT + 5_000), &["wallet.balance_observed"]);
    ledger.check(offered(Ok(offer("regtest"))), &["offer.approved"]);
    ledger.check(offered(Ok(offer("regtest"))), &[]);
    let pays = [Effect::PayOffer {
        intent: hex::encode(intent(&ledger)),
    }];
    ledger.owes(&pays);
    ledger.restart(&["provider.went_offline restart"]);
    ledger.owes(&pays);
    let by_hand = Input::Person(Command::Refund {
        job: job(1),
        to: RefundTo::Offer(offer("regtest"), [3; 16]),
        fee_ceiling: None,
    });
    ledger.check(by_hand, &["no: not-found"]);
    let paid = offer_paid(&ledger);
    ledger.check(paid, &["wallet.payment_sent", "job.refunded"]);
    ledger.owes(REFUND);
    assert_eq!(liability(&ledger), 0);
    let state = ledger.engine.state();
    assert_eq!(state.wallet.withdrawn_msat, 0);
    assert_eq!(state.earnings.earned_msat, 0);
    assert!(state.jobs.get(&job(1)).is_none(), "nothing is owed any more");
}

#[test]
fn without_an_offer_it_stays_owed_until_a_person_pays_it_back() {
    let mut ledger = debt("");
    ledger.owes(REFUND);
    let pay = |amount: u64| {
        Input::Person(Command::Refund {
            job: job(1),
            to: RefundTo::Invoice(bill(7, amount)),
            fee_ceiling: Some(Msat(100)),
        })
    };
    ledger.check(pay(DEBT_MSAT + 1), &["no: invoice-unusable"]);
    const APPROVED: &[&str] = &["payment.approved", "payment.attempted 1"];
    ledger.check(pay(DEBT_MSAT), APPROVED);
    ledger.check(not_sent(hash(7)), &["wallet.payment_failed", "job.refund_failed"]);
    ledger.check(pay(DEBT_MSAT), APPROVED);
    assert_eq!(liability(&ledger), -i128::from(DEBT_MSAT));
    ledger.check(sent(hash(7), DEBT_MSAT), &["wallet.payment_sent", "job.refunded"]);
    assert_eq!(liability(&ledger), 0);
}

#[test]
fn what_fails_is_listed_and_not_tried_again_by_itself() {
    let check = |answer: Result<Offer, String>| {
        let mut ledger = debt("lno1buyer");
        ledger.check(offered(answer), &["job.refund_failed"]);
        ledger.owes(REFUND);
        ledger.check(offered(Ok(offer("regtest"))), &[]);
    };
    check(Err("it is no offer".to_owned()));
    check(Ok(offer("bitcoin")));
    let mut ledger = debt("lno1buyer");
    ledger.check(offered(Ok(offer("regtest"))), &["offer.approved"]);
    let in_doubt = offer_failed(&ledger, true);
    ledger.check(in_doubt, &["offer.failed", "job.refund_failed"]);
    ledger.owes(REFUND);
    // It had gone out after all: the debt is gone, whoever looked away meanwhile.
    let paid = offer_paid(&ledger);
    ledger.check(paid, &["wallet.payment_sent", "job.refunded"]);
    assert_eq!(liability(&ledger), 0);
}
