//! Money that a person sends away.
use autopilot_core::{
    Effect, Input,
    input::{Bill, Command, WalletInput},
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
