//! The real store over a faulty disk: what it acknowledged is there after every loss of power, and what is there holds.
#![allow(clippy::unwrap_used)] // In tests a panic is the verdict.
use std::path::Path;

use autopilot_events::{Head, Recorded};
use autopilot_faulty_vfs::{Fault, Loss, Refusal, install, plan, power_off};
use autopilot_projections::State;
use autopilot_replay_tests::{
    Pen,
    stories::{End, Story, drafts},
};
use autopilot_simulator::chance::Chance;
use autopilot_store_sqlite::{AppendError, Commit, OpenError, Store, rows::HistoryFold};

/// Ledgers, and losses of power in the life of each.
const LEDGERS: u64 = 24;
const LOSSES: u64 = 14;

fn ledger(seed: u64) -> Vec<Recorded> {
    let mut pen = Pen::default();
    let mut chance = Chance::of(seed);
    let ends = [End::Paid, End::PaidFirst, End::Expired, End::Abandoned];
    let mut facts = Vec::new();
    for number in 0..160 {
        let end = chance.pick(&ends).copied().unwrap_or(End::Paid);
        let story = match chance.below(4) {
            0 => Story::Purchase(1_000 + number, true),
            _ => Story::Job(1_000 + number, end),
        };
        let told = drafts(&story, seed * 1_000 + number);
        facts.extend(told.into_iter().map(|draft| pen.write(draft, 1_700_000_000_000)));
    }
    facts
}

fn some_fault(chance: &mut Chance) -> Option<Fault> {
    let at = chance.below(120);
    let times = 1 + chance.below(6);
    Some(match chance.below(10) {
        0..6 => Fault::PowerOff { at },
        6 => Fault::Refuse {
            at,
            times,
            how: Refusal::Full,
        },
        7 => Fault::Refuse {
            at,
            times,
            how: Refusal::Write,
        },
        8 => Fault::Refuse {
            at,
            times,
            how: Refusal::Sync,
        },
        _ => return None,
    })
}

/// What one run of a program did before it ended, one way or another.
#[derive(Default)]
struct Lived {
    refused_opens: u64,
    failed_commits: u64,
    commits: u64,
}

/// Opens, appends and compacts until something fails or enough is done; says up to where it was acknowledged.
async fn run(
    path: &Path,
    facts: &[Recorded],
    acknowledged: u64,
    chance: &mut Chance,
    lived: &mut Lived,
) -> u64 {
    let (mut store, opened) = match Store::open(path, &mut |_| {}).await {
        Ok(opened) => opened,
        // While the disk refuses, the ledger may not open; but it is never called broken.
        Err(OpenError::ChainBroken(broken)) => panic!("a sound ledger is called broken: {broken:?}"),
        Err(_) => {
            lived.refused_opens += 1;
            return acknowledged;
        }
    };
    holds(&opened.head, facts, acknowledged);
    let mut head = opened.head;
    for _ in 0..1 + chance.below(30) {
        let rest = &facts[usize::try_from(head.sequence).unwrap()..];
        let size = usize::try_from(1 + chance.below(9)).unwrap().min(rest.len());
        let commit = Commit {
            facts: &rest[..size],
            ..Commit::default()
        };
        if size == 0 {
            break;
        }
        match store.append(commit).await {
            Ok(durable) => {
                lived.commits += 1;
                head = durable;
            }
            // Nothing of the commit was kept, and the store may be asked again.
            Err(AppendError::DiskFull) => {
                lived.failed_commits += 1;
                break;
            }
            Err(error) => {
                lived.failed_commits += 1;
                assert!(matches!(error, AppendError::Failed { .. }), "{error}");
                let again = store.append(commit).await;
                assert!(
                    matches!(again, Err(AppendError::Failed { .. })),
                    "a store that failed stops"
                );
                break;
            }
        }
        // A failed compaction changes nothing that is acknowledged.
        if chance.one_in(12) && store.compact().await.is_err() {
            break;
        }
    }
    store.close().await;
    head.sequence
}

/// The ledger ends at or behind what was acknowledged, and it is the same one.
fn holds(head: &Head, facts: &[Recorded], acknowledged: u64) {
    assert!(
        head.sequence >= acknowledged,
        "{} of {acknowledged} acknowledged facts are left",
        head.sequence
    );
    let same = match head.sequence {
        0 => Head::empty(),
        last => facts[usize::try_from(last - 1).unwrap()].head(),
    };
    assert_eq!(*head, same);
}

/// A sound disk again: everything is whole, and the indexes and rows are those of the facts.
async fn check(path: &Path, facts: &[Recorded], acknowledged: u64) -> u64 {
    plan(None);
    let (store, opened) = Store::open(path, &mut |_| {}).await.unwrap();
    holds(&opened.head, facts, acknowledged);
    assert!(
        opened.rebuilt_rows.is_empty(),
        "rows and facts commit together: {:?}",
        opened.rebuilt_rows
    );
    let reader = store.reader();
    let report = reader.verify(&mut |_| {}).await.unwrap();
    assert_eq!((report.broken, report.head), (None, opened.head));
    let (mut state, mut rows) = (State::default(), HistoryFold::default());
    let each = |fact: &Recorded| {
        assert_eq!(
            fact.bytes,
            facts[usize::try_from(fact.fact.sequence - 1).unwrap()].bytes
        );
        state.apply(fact);
        rows.apply(fact);
    };
    reader.replay(&Head::empty(), &mut |_| {}, each).await.unwrap();
    if opened.head.sequence > 0 {
        assert_eq!(
            reader.history_digest().await.unwrap(),
            Some((opened.head.sequence, rows.digest()))
        );
    }
    let balance: i128 = state.accounts.balances_msat().map(|(_, msat)| msat).sum();
    assert_eq!(balance, 0);
    store.close().await;
    opened.head.sequence
}

#[tokio::test]
async fn what_was_acknowledged_survives_every_loss_of_power() {
    install();
    let losses = [Loss::All, Loss::Nothing, Loss::Tail, Loss::Some];
    let mut lived = Lived::default();
    for seed in 0..LEDGERS {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let (facts, mut chance, mut acknowledged) = (ledger(seed), Chance::of(seed), 0);
        for _ in 0..LOSSES {
            plan(some_fault(&mut chance));
            acknowledged = run(&path, &facts, acknowledged, &mut chance, &mut lived).await;
            let loss = *chance.pick(&losses).unwrap();
            power_off(loss, |n| chance.below(n)).unwrap();
            // Else the next fault meets the recovery itself.
            if chance.one_in(2) {
                acknowledged = check(&path, &facts, acknowledged).await;
                power_off(Loss::All, |n| chance.below(n)).unwrap();
            }
        }
        check(&path, &facts, acknowledged).await;
        power_off(Loss::All, |n| chance.below(n)).unwrap();
    }
    let Lived {
        refused_opens,
        failed_commits,
        commits,
    } = lived;
    println!("{commits} commits, {failed_commits} failed, {refused_opens} opens refused");
    assert!(
        commits > LEDGERS * 20 && failed_commits > LEDGERS && refused_opens > 0,
        "the disk was faulty"
    );
}
