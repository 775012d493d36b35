//! Money that a person sends away.
use autopilot_core::{
    Effect, Input,
    input::{Bill, Command, WalletInput},
    offers::{Offer, OfferWish},
};
use autopilot_events::{pb, words::Msat};
use autopilot_projections::accounts::Account;

use crate::{
    given::{bill, hash, not_sent, offline, online, policy, sent},
    ledger::NOON_MS,
};

const APPROVED: &[&str] = &["payment.approved", "payment.attempted 1"];

fn pay(bill: Bill, amount: Option<u64>) -> Input {
    Input::Person(Command::Pay {
        bill,
        amount: amount.map(Msat),
        fee_ceiling: Msat(50),
        resolution: None,
    })
}

#[track_caller]
fn refused(bill: Bill, amount: Option<u64>, code: &str) {
    offline(policy()).check(pay(bill, amount), &[&format!("no: {code}")]);
}

#[test]
fn an_invoice_that_cannot_be_paid_is_refused() {
    let amountless = || Bill {
        amount: None,
        ..bill(1, 0)
    };
    refused(
        Bill {
            expires_at_ms: NOON_MS,
            ..bill(1, 10)
        },
        None,
        "invoice-unusable",
    );
    refused(
        Bill {
            network: "bitcoin".to_owned(),
            ..bill(1, 10)
        },
        None,
        "invoice-unusable",
    );
    refused(bill(1, 10), Some(11), "invoice-unusable");
    refused(amountless(), None, "invoice-unusable");
    refused(amountless(), Some(0), "invoice-unusable");
    refused(bill(1, 0), None, "invoice-unusable");
    refused(bill(1, 100_001), None, "insufficient-funds");
    refused(amountless(), Some(100_001), "insufficient-funds");
    offline(policy()).check(pay(bill(1, 10), Some(10)), APPROVED);
    offline(policy()).check(pay(amountless(), Some(100_000)), APPROVED);
    let mut own = online();
    own.delivered(1);
    own.check(pay(bill(1, 10), None), &["no: invoice-unusable"]);
}

#[test]
fn a_withdrawal_is_approved_once_and_ends_with_the_wallet_s_word() {
    let mut ledger = offline(policy());
    ledger.check(pay(bill(1, 10_000), None), APPROVED);
    ledger.owes(&[Effect::Pay {
        payment_hash: hash(1),
        attempt: 1,
    }]);
    ledger.check(pay(bill(1, 10_000), None), &["no: already-paid"]);
    ledger.restart(&[]);
    ledger.owes(&[Effect::Pay {
        payment_hash: hash(1),
        attempt: 1,
    }]);
    ledger.check(sent(hash(1), 10_000), &["wallet.payment_sent"]);
    ledger.check(sent(hash(1), 10_000), &["duplicate"]);
    ledger.check(sent(hash(1), 10_001), &["conflict"]);
    ledger.owes(&[]);
    let state = ledger.engine.state();
    assert_eq!(state.accounts.balance_msat(Account::EquityWithdrawals), 10_000);
    assert_eq!(state.accounts.balance_msat(Account::ExpensesFees), 3);
    assert_eq!(state.accounts.balance_msat(Account::AssetsLightning), -10_003);
    assert_eq!(
        (state.wallet.sent_msat, state.wallet.withdrawn_msat),
        (10_000, 10_000)
    );
}

#[test]
fn a_failed_withdrawal_is_not_tried_again_by_itself() {
    let mut ledger = offline(policy());
    ledger.check(pay(bill(1, 10_000), None), APPROVED);
    ledger.check(not_sent(hash(1)), &["wallet.payment_failed"]);
    ledger.check(not_sent(hash(1)), &[]);
    ledger.owes(&[]);
    ledger.check(pay(bill(1, 10_000), None), APPROVED);
}

#[test]
fn an_onchain_payment_has_one_outcome() {
    let approved = |amount_sat| pb::OnchainApproved {
        intent_id: vec![4; 16],
        address: "bcrt1q".to_owned(),
        amount_sat,
        resolution: None,
    };
    let send = |amount_sat| Input::Person(Command::SendOnchain(approved(amount_sat)));
    let mut ledger = offline(policy());
    ledger.check(send(Some(51)), &["no: insufficient-funds"]);
    ledger.check(send(Some(50)), &["onchain.approved"]);
    ledger.owes(&[Effect::SendOnchain {
        intent: "04".repeat(16),
    }]);
    let sent = pb::OnchainSent {
        intent_id: vec![4; 16],
        txid: "ab".to_owned(),
        amount_sat: 50,
    };
    let sent = || Input::Wallet(WalletInput::OnchainSent(sent.clone()));
    ledger.check(sent(), &["onchain.sent"]);
    ledger.check(sent(), &[]);
    ledger.owes(&[]);
    let failed = pb::OnchainFailed {
        intent_id: vec![4; 16],
        reason: "no".to_owned(),
    };
    ledger.check(Input::Wallet(WalletInput::OnchainFailed(failed.clone())), &[]);
    assert_eq!(
        ledger
            .engine
            .state()
            .accounts
            .balance_msat(Account::EquityWithdrawals),
        50_000
    );
    let mut all = offline(policy());
    all.check(send(None), &["onchain.approved"]);
    all.check(
        Input::Wallet(WalletInput::OnchainFailed(failed)),
        &["onchain.failed"],
    );
    all.owes(&[]);
}

fn offer_wish(amount: Option<u64>) -> OfferWish {
    OfferWish {
        intent_id: [6; 16],
        offer: Offer {
            bolt12: "lno1…".to_owned(),
            offer_id: [8; 32],
            payee: Vec::new(),
            amount: None,
            networks: vec!["regtest".to_owned()],
            expires_at_ms: None,
        },
        amount: amount.map(Msat),
        fee_ceiling: Msat(50),
        purpose: pb::PaymentPurpose::Withdrawal,
        job_id: Vec::new(),
        resolution: None,
    }
}

fn to_offer(wish: OfferWish) -> Input {
    Input::Person(Command::PayOffer(wish))
}

fn offer_failed(in_doubt: bool) -> Input {
    Input::Wallet(WalletInput::OfferFailed(pb::OfferFailed {
        intent_id: vec![6; 16],
        reason: "no answer".to_owned(),
        in_doubt,
    }))
}

fn offer_paid() -> Input {
    let Input::Wallet(WalletInput::Sent(payment)) = sent(hash(9), 10_000) else {
        unreachable!()
    };
    Input::Wallet(WalletInput::Sent(pb::WalletPaymentSent {
        intent_id: vec![6; 16],
        ..payment
    }))
}

#[test]
fn an_offer_that_cannot_be_paid_is_refused() {
    let check = |change: fn(&mut OfferWish), code: &str| {
        let mut wish = offer_wish(Some(10));
        change(&mut wish);
        offline(policy()).check(to_offer(wish), &[&format!("no: {code}")]);
    };
    check(|wish| wish.amount = None, "invoice-unusable");
    check(|wish| wish.amount = Some(Msat(0)), "invoice-unusable");
    check(|wish| wish.offer.amount = Some(Msat(11)), "invoice-unusable");
    check(
        |wish| wish.offer.networks = vec!["bitcoin".to_owned()],
        "invoice-unusable",
    );
    check(
        |wish| wish.offer.expires_at_ms = Some(NOON_MS),
        "invoice-unusable",
    );
    check(|wish| wish.amount = Some(Msat(100_001)), "insufficient-funds");
}

#[test]
fn an_offer_is_paid_once_for_an_intent() {
    let mut ledger = offline(policy());
    let owed = [Effect::PayOffer {
        intent: "06".repeat(16),
    }];
    ledger.check(to_offer(offer_wish(Some(10_000))), &["offer.approved"]);
    ledger.owes(&owed);
    ledger.check(to_offer(offer_wish(Some(10_000))), &["no: already-paid"]);
    ledger.restart(&[]);
    ledger.owes(&owed);
    ledger.check(offer_paid(), &["wallet.payment_sent"]);
    ledger.check(offer_paid(), &["duplicate"]);
    ledger.check(offer_failed(false), &[]);
    ledger.owes(&[]);
    let state = ledger.engine.state();
    assert_eq!(state.wallet.withdrawn_msat, 10_000);
    assert_eq!(state.accounts.balance_msat(Account::AssetsLightning), -10_003);
}

#[test]
fn an_offer_in_doubt_is_never_asked_again_and_can_still_turn_out_paid() {
    let mut ledger = offline(policy());
    ledger.check(to_offer(offer_wish(Some(10_000))), &["offer.approved"]);
    ledger.check(offer_failed(true), &["offer.failed"]);
    ledger.check(offer_failed(true), &[]);
    ledger.owes(&[]);
    ledger.restart(&[]);
    ledger.owes(&[]);
    ledger.check(offer_paid(), &["wallet.payment_sent"]);
    assert_eq!(ledger.engine.state().wallet.sent_msat, 10_000);
}
