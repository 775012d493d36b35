//! Sats whose words nobody has: said with the first ones, louder as they grow, and at the policy's sum earning stops.
use autopilot_events::{Event, Recorded, words::Msat};
use serde::{Deserialize, Serialize};

use super::{Alerts, Said, Severity};
use crate::{State, accounts::postings};

const ID: &str = "backup-missing";

/// Where no sum stops earning, it is a warning from here on.
pub const NAG_WITHOUT_STOP_MSAT: u64 = 10_000_000;

/// What the words protect, and whether anybody has them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Backup {
    done: bool,
    earned: bool,
    held_msat: i128,
    stop_msat: u64,
    /// How loud it was said last.
    said: Option<Severity>,
}

/// The sum that is held without a backup, where by the policy in force it is too much to go on earning.
pub fn backup_needed(state: &State) -> Option<u64> {
    let stop_msat = state.provider.policy.as_ref()?.backup_stop_msat;
    let held_msat = u64::try_from(state.accounts.held_msat()).unwrap_or(0);
    (stop_msat > 0 && held_msat >= stop_msat && state.custody.backups == 0).then_some(held_msat)
}

pub(super) fn apply(alerts: &mut Alerts, fact: &Recorded) {
    let backup = &mut alerts.backup;
    match &fact.event {
        Event::IdentityBackedUp(_) => backup.done = true,
        Event::PolicyChanged(m) => {
            backup.stop_msat = m.policy.as_ref().map_or(0, |policy| policy.backup_stop_msat);
        }
        Event::JobSettled(_) => backup.earned = true,
        _ => {}
    }
    for posting in postings(&fact.event) {
        if posting.account.is_asset() {
            backup.held_msat += posting.amount_msat;
        }
    }
    let level = level(backup);
    if level == backup.said {
        return;
    }
    backup.said = level;
    let held = Msat(u64::try_from(backup.held_msat).unwrap_or(0));
    let stop = Msat(backup.stop_msat);
    let Some(severity) = level else {
        return alerts.resolve(ID, fact);
    };
    let what = match severity {
        Severity::Critical => format!(
            "this wallet holds {held} whose words nobody has: from {stop} on earning stops until they are backed up"
        ),
        Severity::Warning => {
            format!("this wallet holds {held}, and the words that open it were never backed up")
        }
        Severity::Info => {
            "the first sats are here: the words that unlock custody of them were never backed up".to_owned()
        }
    };
    let said = Said {
        severity,
        what,
        next: "autopilotctl identity backup".to_owned(),
        can_earn: severity != Severity::Critical,
    };
    alerts.raise(ID, fact, said);
}

fn level(backup: &Backup) -> Option<Severity> {
    let held_msat = u64::try_from(backup.held_msat).unwrap_or(0);
    let warn_msat = match backup.stop_msat {
        0 => NAG_WITHOUT_STOP_MSAT,
        stop_msat => (stop_msat / 10).min(NAG_WITHOUT_STOP_MSAT),
    };
    match held_msat {
        _ if backup.done => None,
        held if backup.stop_msat > 0 && held >= backup.stop_msat => Some(Severity::Critical),
        _ if !backup.earned => None,
        held if held >= warn_msat => Some(Severity::Warning),
        _ => Some(Severity::Info),
    }
}
