//! What is wrong: raised by facts, acknowledged by a person, active again when it happens again, over by facts alone.
use autopilot_core::{
    Input,
    input::{Command, Request, WalletInput},
};
use autopilot_events::pb::{self, Purpose};
use autopilot_projections::alerts::{Severity, Standing};

use crate::{
    given::{
        failed, hash, invoiced, not_sent, offline, online, policy, published, received, request, sent, signed,
    },
    ledger::{Ledger, NOON_MS},
};

fn reconciled(difference_msat: i64) -> Input {
    Input::Wallet(WalletInput::Reconciled(pb::WalletReconciled {
        difference_msat,
        ..pb::WalletReconciled::default()
    }))
}

fn known(id: &str) -> Input {
    Input::Person(Command::AcknowledgeAlert(id.to_owned()))
}

/// How an alert stands, how grave it is, how often it happened and whether earning is possible meanwhile.
#[track_caller]
fn check(ledger: &Ledger, id: &str, expected: (Standing, Severity, u64, bool)) {
    let alert = ledger.engine.state().alerts.get(id);
    let alert = alert.unwrap_or_else(|| panic!("no alert {id}"));
    let found = (
        alert.standing,
        alert.said.severity,
        alert.times,
        alert.said.can_earn,
    );
    assert_eq!(found, expected, "{alert:?}");
    assert!(
        !alert.said.what.is_empty() && !alert.said.next.is_empty(),
        "{alert:?}"
    );
}

fn fail(ledger: &mut Ledger, n: u8) {
    ledger.check(
        Input::Request(request(n)),
        &["job.received", "job.accepted work-first", "job.started 1"],
    );
    ledger.check(failed(n, 1, false), &["job.failed worker-died"]);
}

#[test]
fn a_difference_is_known_until_it_happens_again_and_over_when_wallet_and_ledger_agree() {
    const ID: &str = "wallet-difference";
    let mut ledger = offline(policy());
    ledger.check(known(ID), &["no: not-found"]);
    ledger.check(reconciled(7), &["wallet.reconciled"]);
    check(&ledger, ID, (Standing::Active, Severity::Critical, 1, true));
    ledger.check(known(ID), &["alert.acknowledged"]);
    check(&ledger, ID, (Standing::Acknowledged, Severity::Critical, 1, true));
    ledger.check(known(ID), &[]);
    ledger.restart(&[]);
    check(&ledger, ID, (Standing::Acknowledged, Severity::Critical, 1, true));
    ledger.check(reconciled(7), &["wallet.reconciled"]);
    check(&ledger, ID, (Standing::Active, Severity::Critical, 2, true));
    ledger.check(reconciled(0), &["wallet.reconciled"]);
    check(&ledger, ID, (Standing::Resolved, Severity::Critical, 2, true));
    ledger.check(known(ID), &["no: already-so"]);
    // It begins anew.
    ledger.check(reconciled(-3), &["wallet.reconciled"]);
    check(&ledger, ID, (Standing::Active, Severity::Critical, 1, true));
}

#[test]
fn three_failures_of_a_kind_in_a_row_are_no_accident_and_a_delivery_ends_them() {
    const ID: &str = "job-failures/worker-died";
    let mut ledger = online();
    fail(&mut ledger, 1);
    fail(&mut ledger, 2);
    assert!(ledger.engine.state().alerts.get(ID).is_none());
    fail(&mut ledger, 3);
    check(&ledger, ID, (Standing::Active, Severity::Warning, 1, true));
    ledger.delivered(4);
    check(&ledger, ID, (Standing::Resolved, Severity::Warning, 1, true));
    fail(&mut ledger, 5);
    check(&ledger, ID, (Standing::Resolved, Severity::Warning, 1, true));
}

#[test]
fn what_is_owed_to_a_buyer_is_said_until_nobody_is_owed() {
    let mut ledger = online();
    let quote = Request {
        bid: None,
        ..request(1)
    };
    ledger.check(Input::Request(quote), &["job.received", "job.accepted pay-first"]);
    ledger.check(invoiced(1), &["invoice.issued"]);
    ledger.check(
        received(hash(1), 1_000),
        &["wallet.payment_received", "job.prepaid", "job.started 1"],
    );
    ledger.check(failed(1, 1, false), &["job.failed worker-died"]);
    check(&ledger, "debts", (Standing::Active, Severity::Warning, 1, true));
    ledger.check(signed(1, Purpose::Error), &["event.signed error"]);
    ledger.check(published(1, Purpose::Error, 1), &["event.published error"]);
    let bill = crate::given::bill(100, 1_000);
    let back = Command::Refund {
        job: crate::given::job(1),
        to: autopilot_core::refund::RefundTo::Invoice(bill),
        fee_ceiling: None,
    };
    ledger.check(Input::Person(back), &["payment.approved", "payment.attempted 1"]);
    ledger.check(sent(hash(100), 1_000), &["wallet.payment_sent", "job.refunded"]);
    check(&ledger, "debts", (Standing::Resolved, Severity::Warning, 1, true));
}

#[test]
fn the_last_channel_gone_stops_earning_and_a_failed_payment_does_not() {
    let mut ledger = offline(policy());
    let opened = |id: &str| {
        Input::Wallet(WalletInput::ChannelOpened(pb::WalletChannelOpened {
            channel_id: id.to_owned(),
            counterparty: vec![2; 33],
            capacity_msat: 100_000_000,
            ..pb::WalletChannelOpened::default()
        }))
    };
    let closed = |id: &str| {
        Input::Wallet(WalletInput::ChannelClosed(pb::WalletChannelClosed {
            channel_id: id.to_owned(),
            reason: "the peer did".to_owned(),
            ..pb::WalletChannelClosed::default()
        }))
    };
    ledger.check(opened("a"), &["wallet.channel_opened"]);
    ledger.check(opened("b"), &["wallet.channel_opened"]);
    ledger.check(closed("a"), &["wallet.channel_closed"]);
    check(
        &ledger,
        "channel-closed",
        (Standing::Active, Severity::Warning, 1, true),
    );
    ledger.check(closed("b"), &["wallet.channel_closed"]);
    check(
        &ledger,
        "channel-closed",
        (Standing::Active, Severity::Critical, 2, false),
    );
    ledger.check(opened("c"), &["wallet.channel_opened"]);
    check(
        &ledger,
        "channel-closed",
        (Standing::Resolved, Severity::Critical, 2, false),
    );

    let pay = Command::Pay {
        bill: crate::given::bill(50, 5_000),
        amount: None,
        fee_ceiling: autopilot_events::words::Msat(100),
        resolution: None,
    };
    ledger.check(Input::Person(pay), &["payment.approved", "payment.attempted 1"]);
    ledger.check(not_sent(hash(50)), &["wallet.payment_failed"]);
    check(
        &ledger,
        "payment-failed",
        (Standing::Active, Severity::Info, 1, true),
    );
}

#[test]
fn invoices_that_run_out_one_after_the_other_are_said_until_somebody_pays() {
    let mut ledger = online();
    for n in 1..=3 {
        ledger.delivered(n);
    }
    ledger.now_ms = NOON_MS + 3_600_000 + autopilot_core::tick::EXPIRY_GRACE_MS;
    let expired = "invoice.expired";
    ledger.later(0, &[expired, expired, expired, "liveness.recorded"]);
    check(
        &ledger,
        "invoices-unpaid",
        (Standing::Active, Severity::Warning, 1, true),
    );
}
