//! Money that comes in: bound by payment hash alone, counted once, and told apart from gifts.
use autopilot_core::{
    Effect, Input,
    input::{Command, WalletInput},
};
use autopilot_events::pb::{self, Purpose};
use autopilot_projections::{
    accounts::Account,
    jobs::{Money, Work},
};

use crate::given::{done, event, failed, hash, job, online, published, received, request, signed};

const SETTLED: &[&str] = &["wallet.payment_received", "job.settled 1000"];

#[test]
fn the_same_amount_under_another_hash_is_no_earning() {
    let mut ledger = online();
    ledger.delivered(1);
    ledger.check(received(hash(200), 1_000), &["wallet.payment_received"]);
    let state = ledger.engine.state();
    assert_eq!(state.earnings.earned_msat, 0);
    assert_eq!(state.accounts.balance_msat(Account::EquityUnbound), -1_000);
    assert_eq!(state.jobs.get(&job(1)).unwrap().money, Money::Invoiced);
    ledger.check(received(hash(1), 1_000), SETTLED);
    assert_eq!(
        ledger
            .engine
            .state()
            .accounts
            .balance_msat(Account::AssetsLightning),
        2_000
    );
}

#[test]
fn a_payment_counts_once_however_often_the_wallet_tells_it() {
    let mut ledger = online();
    ledger.delivered(1);
    ledger.check(received(hash(1), 1_000), SETTLED);
    ledger.check(received(hash(1), 1_000), &["duplicate"]);
    ledger.restart(&["provider.went_offline restart"]);
    ledger.check(received(hash(1), 1_000), &["duplicate"]);
    // The same hash with another amount is a conflict, never "ok".
    ledger.check(received(hash(1), 1_001), &["conflict"]);
    assert_eq!(ledger.engine.state().earnings.earned_msat, 1_000);
}

#[test]
fn money_is_dated_by_the_wallet_and_counted_as_it_arrived() {
    let mut ledger = online();
    ledger.delivered(1);
    ledger.now_ms += 50_000;
    ledger.check(
        received(hash(1), 1_500),
        &["wallet.payment_received", "job.settled 1500"],
    );
    let earnings = &ledger.engine.state().earnings;
    assert_eq!(earnings.first_settled_at_ms, Some(crate::ledger::NOON_MS + 5_000));
    assert_eq!(earnings.earned_msat, 1_500);
}

#[test]
fn a_late_payment_still_finds_its_job() {
    let mut ledger = online();
    ledger.delivered(1);
    ledger.later(4_200_000, &["invoice.expired", "liveness.recorded"]);
    assert!(ledger.engine.state().jobs.get(&job(1)).is_none());
    ledger.reopen(0);
    ledger.check(received(hash(1), 1_000), SETTLED);
    assert_eq!(ledger.engine.state().earnings.earned_msat, 1_000);
    ledger.owes(&[]);
}

#[test]
fn an_invoice_runs_out_only_after_a_grace() {
    let mut ledger = online();
    ledger.delivered(1);
    ledger.later(4_199_999, &["liveness.recorded"]);
    ledger.check(received(hash(1), 1_000), SETTLED);
    ledger.later(1, &["milestone.reached 1"]);
    assert_eq!(ledger.engine.state().earnings.invoices_expired, 0);
}

#[test]
fn success_is_said_after_delivery_and_payment_whichever_comes_first() {
    let mut ledger = online();
    ledger.executed(1);
    ledger.check(signed(1, Purpose::Result), &["event.signed result"]);
    // A relay that took the result and said that it did not.
    ledger.check(received(hash(1), 1_000), SETTLED);
    ledger.owes(&[Effect::Publish {
        event: event(1, Purpose::Result),
    }]);
    ledger.check(
        published(1, Purpose::Result, 1),
        &["job.delivered", "event.published result"],
    );
    ledger.owes(&[Effect::Sign {
        job: job(1),
        purpose: Purpose::Success as i32,
    }]);
}

#[test]
fn a_quote_is_worked_once_it_is_paid() {
    let mut ledger = online();
    ledger.quoted(1);
    ledger.owes(&[Effect::Sign {
        job: job(1),
        purpose: Purpose::PaymentRequired as i32,
    }]);
    ledger.check(
        signed(1, Purpose::PaymentRequired),
        &["event.signed payment-required"],
    );
    ledger.check(
        published(1, Purpose::PaymentRequired, 1),
        &["event.published payment-required"],
    );
    ledger.owes(&[]);
    ledger.check(received(hash(200), 1_000), &["wallet.payment_received"]);
    ledger.owes(&[]);
    ledger.now_ms += 59_999;
    ledger.check(
        received(hash(1), 1_000),
        &["wallet.payment_received", "job.prepaid", "job.started 1"],
    );
    // It is owed whatever the hour, and begun again after a restart.
    ledger.later(600_000, &[]);
    ledger.restart(&["provider.went_offline restart", "job.started 2"]);
    ledger.check(failed(1, 2, true), &["job.started 3"]);
    ledger.check(done(1, 3), &["job.executed"]);
    ledger.owes(&[Effect::Sign {
        job: job(1),
        purpose: Purpose::Result as i32,
    }]);
    // Earned with the delivery, not before.
    assert_eq!(ledger.engine.state().earnings.earned_msat, 0);
    ledger.check(signed(1, Purpose::Result), &["event.signed result"]);
    ledger.check(
        published(1, Purpose::Result, 1),
        &["job.delivered", "job.settled 1000", "event.published result"],
    );
    assert_eq!(ledger.engine.state().earnings.earned_msat, 1_000);
}

#[test]
fn a_quote_that_is_not_taken_ends_and_a_payment_that_still_comes_is_a_debt_in_sight() {
    let mut ledger = online();
    ledger.quoted(1);
    ledger.later(59_999, &[]);
    ledger.later(1, &["job.failed quote-not-taken"]);
    ledger.later(1, &[]);
    ledger.check(signed(1, Purpose::Error), &["event.signed error"]);
    ledger.check(published(1, Purpose::Error, 1), &["event.published error"]);
    ledger.check(
        received(hash(1), 1_000),
        &["wallet.payment_received", "job.prepaid"],
    );
    ledger.later(1, &[]);
    let debt = ledger
        .engine
        .state()
        .jobs
        .get(&job(1))
        .expect("a debt stays in sight");
    assert_eq!((debt.work, debt.money), (Work::Failed, Money::Prepaid));
    // Without a payment the invoice runs out, and all is forgotten.
    let mut unpaid = online();
    unpaid.quoted(1);
    unpaid.later(60_000, &["job.failed quote-not-taken"]);
    unpaid.check(signed(1, Purpose::Error), &["event.signed error"]);
    unpaid.check(published(1, Purpose::Error, 1), &["event.published error"]);
    unpaid.later(12_539_999, &["liveness.recorded"]);
    unpaid.later(1, &["invoice.expired"]);
    assert_eq!(unpaid.engine.state().jobs.open().count(), 0);
    // What comes even later, by a clock that was wrong, bought no work: it is bound to nothing, and no earning.
    unpaid.check(received(hash(1), 1_000), &["wallet.payment_received"]);
    let books = &unpaid.engine.state().accounts;
    assert_eq!(books.balance_msat(Account::EquityUnbound), -1_000);
    assert_eq!(unpaid.engine.state().earnings.earned_msat, 0);
}

#[test]
fn paid_first_and_not_delivered_is_a_debt_in_sight() {
    let mut ledger = online();
    ledger.quoted(1);
    ledger.check(
        received(hash(1), 1_000),
        &["wallet.payment_received", "job.prepaid", "job.started 1"],
    );
    ledger.check(Input::Person(Command::Abort(job(1))), &["job.failed aborted"]);
    ledger.check(signed(1, Purpose::Error), &["event.signed error"]);
    ledger.check(published(1, Purpose::Error, 1), &["event.published error"]);
    ledger.later(86_400_000, &["liveness.recorded"]);
    ledger.reopen(3);
    assert_eq!(
        ledger.engine.state().jobs.get(&job(1)).unwrap().money,
        Money::Prepaid
    );
}

#[test]
fn grants_deposits_and_gifts_are_no_earnings() {
    let mut ledger = online();
    let opened = pb::WalletChannelOpened {
        channel_id: "1".to_owned(),
        counterparty: vec![3; 33],
        capacity_msat: 100_000_000,
        granted_msat: 1_000_000,
        funded_msat: 5_000_000,
        ..Default::default()
    };
    let input = || Input::Wallet(WalletInput::ChannelOpened(opened.clone()));
    ledger.check(input(), &["wallet.channel_opened"]);
    ledger.check(input(), &["duplicate"]);
    ledger.check(received(hash(200), 70_000), &["wallet.payment_received"]);
    let closed = pb::WalletChannelClosed {
        channel_id: "1".to_owned(),
        reason: "cooperative".to_owned(),
        last_balance_msat: 6_070_000,
        ..Default::default()
    };
    ledger.check(
        Input::Wallet(WalletInput::ChannelClosed(closed.clone())),
        &["wallet.channel_closed"],
    );
    ledger.check(Input::Wallet(WalletInput::ChannelClosed(closed)), &["duplicate"]);
    let state = ledger.engine.state();
    let balance = |account| state.accounts.balance_msat(account);
    assert_eq!(state.earnings.earned_msat, 0);
    assert_eq!(balance(Account::IncomeJobs), 0);
    assert_eq!(balance(Account::EquityGrants), -1_000_000);
    assert_eq!(
        balance(Account::AssetsOpening),
        -5_000_000,
        "its funding is not on chain yet"
    );
    assert_eq!(balance(Account::EquityUnbound), -70_000);
    assert_eq!(balance(Account::AssetsLightning), 0);
    assert_eq!(balance(Account::AssetsClosing), 6_070_000);
    assert_eq!(state.wallet.granted_msat, 1_000_000);
    assert!(state.wallet.channels.is_empty());
}

#[test]
fn the_same_figures_again_are_no_fact() {
    let mut ledger = online();
    ledger.check(crate::given::spendable(100_000), &[]);
    ledger.check(crate::given::spendable(100_001), &["wallet.balance_observed"]);
    // The very first figures are a fact even when all are zero.
    crate::ledger::Ledger::empty().check(
        Input::Wallet(WalletInput::Balances(pb::WalletBalanceObserved::default())),
        &["wallet.balance_observed"],
    );
}

#[test]
fn a_cancelled_quote_that_is_paid_all_the_same_is_owed_and_starts_nothing() {
    let mut ledger = online();
    ledger.quoted(1);
    ledger.check(crate::given::cancelled(1, 1), &["job.failed cancelled"]);
    ledger.check(
        received(hash(1), 1_000),
        &["wallet.payment_received", "job.prepaid"],
    );
    ledger.owes(&[]);
    ledger.check(
        Input::Request(request(2)),
        &["job.received", "job.accepted work-first", "job.started 1"],
    );
}
