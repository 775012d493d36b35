//! Round sums are celebrated once, and who holds much without a copy of the words earns no more.
use autopilot_core::{
    Input,
    input::{Command, WalletInput},
    policy::{BACKUP_STOP_MSAT, default_policy},
};
use autopilot_events::{pb, words::Msat};
use autopilot_projections::alerts::{Severity, Standing};

use crate::{
    given::{PRICE_MSAT, hash, online, online_with, policy, received, request},
    ledger::Ledger,
};

fn celebrate(sats: u64) -> Input {
    Input::Person(Command::Celebrate(sats))
}

fn to_celebrate(ledger: &Ledger) -> Vec<u64> {
    let open = ledger.engine.state().milestones.to_celebrate();
    open.map(|(sats, _)| sats).collect()
}

/// A deposit over Lightning that no job is bound to.
fn deposit(ledger: &mut Ledger, n: u8, msat: u64) {
    ledger.check(received(hash(n), msat), &["wallet.payment_received"]);
}

#[test]
fn a_round_sum_is_reached_once_and_celebrated_once() {
    let mut ledger = online();
    ledger.delivered(1);
    ledger.check(celebrate(1), &["no: not-found"]);
    ledger.later(1_000, &[]);
    ledger.check(
        received(hash(1), PRICE_MSAT - 1),
        &["wallet.payment_received", "job.settled 999"],
    );
    ledger.later(1_000, &[]);
    ledger.delivered(2);
    // One sat and more at once: every sum that lies below is reached.
    ledger.check(
        received(hash(2), 26_001),
        &["wallet.payment_received", "job.settled 26001"],
    );
    ledger.later(
        1_000,
        &[
            "milestone.reached 1",
            "milestone.reached 10",
            "milestone.reached 25",
        ],
    );
    ledger.later(1_000, &[]);
    assert_eq!(to_celebrate(&ledger), [1, 10, 25]);
    ledger.check(celebrate(10), &["milestone.celebrated 10"]);
    ledger.check(celebrate(10), &[]);
    assert_eq!(to_celebrate(&ledger), [1, 25]);
    // A restart folds the facts again and records none.
    ledger.restart(&["provider.went_offline restart"]);
    ledger.later(1_000, &[]);
    assert_eq!(to_celebrate(&ledger), [1, 25]);
}

#[test]
fn from_the_policy_s_sum_on_nothing_is_earned_until_the_words_are_backed_up() {
    let mut ledger = online_with(pb::Policy {
        backup_stop_msat: 50_000,
        ..policy()
    });
    deposit(&mut ledger, 200, 49_999);
    ledger.check(
        Input::Request(request(1)),
        &["job.received", "job.accepted work-first", "job.started 1"],
    );
    deposit(&mut ledger, 201, 1);
    let alert = ledger.engine.state().alerts.get("backup-missing").unwrap();
    assert_eq!(
        (alert.said.severity, alert.said.can_earn),
        (Severity::Critical, false)
    );
    ledger.check(
        Input::Request(autopilot_core::input::Request {
            targeted: true,
            ..request(2)
        }),
        &["job.received", "job.refused backup-needed"],
    );
    let refused = ledger.all("job.refused");
    let autopilot_events::Event::JobRefused(refused) = &refused[0].event else {
        unreachable!()
    };
    assert_eq!(refused.setting, "backup");
    assert!(
        !refused.detail.contains("50"),
        "no stranger learns what is held: {}",
        refused.detail
    );
    let standing = ledger.engine.standing(ledger.now_ms);
    assert!(
        !standing.can_earn() && standing.sentence().contains("never backed up"),
        "{standing:?}"
    );
    let offline = Command::GoOffline {
        reason: "asked".to_owned(),
    };
    ledger.check(Input::Person(offline), &["provider.went_offline asked"]);
    let online = || Input::Person(Command::GoOnline { run_id: vec![6; 16] });
    ledger.check(online(), &["no: not-ready"]);

    let done = pb::IdentityBackedUp {
        to: "file".to_owned(),
    };
    ledger.check(Input::Person(Command::NoteBackup(done)), &["identity.backed_up"]);
    let alert = ledger.engine.state().alerts.get("backup-missing").unwrap();
    assert_eq!(alert.standing, Standing::Resolved);
    ledger.check(online(), &["provider.went_online"]);
    deposit(&mut ledger, 202, 1_000_000);
    assert!(ledger.engine.standing(ledger.now_ms).can_earn());
}

#[test]
fn no_sum_stops_a_policy_without_one_and_the_first_policy_has_a_high_one() {
    let mut ledger = online_with(pb::Policy {
        backup_stop_msat: 0,
        ..policy()
    });
    deposit(&mut ledger, 200, BACKUP_STOP_MSAT * 5);
    assert!(ledger.engine.standing(ledger.now_ms).can_earn());
    assert_eq!(default_policy(1).backup_stop_msat, BACKUP_STOP_MSAT);
}

#[test]
fn the_nag_begins_beside_the_first_sats_and_grows_louder_with_the_sum() {
    let said = |ledger: &Ledger| {
        let alert = ledger.engine.state().alerts.get("backup-missing");
        alert.map(|alert| (alert.said.severity, alert.standing))
    };
    let mut ledger = online_with(pb::Policy {
        backup_stop_msat: 10_000_000,
        ..policy()
    });
    deposit(&mut ledger, 200, 10_000);
    assert_eq!(said(&ledger), None, "nothing was earned");
    ledger.delivered(1);
    ledger.check(
        received(hash(1), PRICE_MSAT),
        &["wallet.payment_received", "job.settled 1000"],
    );
    assert_eq!(said(&ledger), Some((Severity::Info, Standing::Active)));
    let known = Command::AcknowledgeAlert("backup-missing".to_owned());
    ledger.check(Input::Person(known), &["alert.acknowledged"]);
    deposit(&mut ledger, 201, 10_000);
    assert_eq!(
        said(&ledger),
        Some((Severity::Info, Standing::Acknowledged)),
        "no louder than it was"
    );
    deposit(&mut ledger, 202, 1_000_000);
    assert_eq!(said(&ledger), Some((Severity::Warning, Standing::Active)));
    deposit(&mut ledger, 203, 9_000_000);
    assert_eq!(said(&ledger), Some((Severity::Critical, Standing::Active)));
    // What was sent away needs no copy of the words.
    let pay = Command::Pay {
        bill: crate::given::bill(90, 9_990_000),
        amount: None,
        fee_ceiling: Msat(100),
        resolution: None,
    };
    ledger.check(crate::given::spendable(20_000_000), &["wallet.balance_observed"]);
    ledger.check(Input::Person(pay), &["payment.approved", "payment.attempted 1"]);
    let sent = pb::WalletPaymentSent {
        payment_id: vec![90; 32],
        payment_hash: hash(90).to_vec(),
        amount_msat: 9_990_000,
        settled_at_ms: ledger.now_ms,
        ..pb::WalletPaymentSent::default()
    };
    ledger.check(Input::Wallet(WalletInput::Sent(sent)), &["wallet.payment_sent"]);
    assert_eq!(said(&ledger), Some((Severity::Info, Standing::Active)));
}
