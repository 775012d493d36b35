//! What all rounds cost.
use std::collections::BTreeMap;

use serde::Serialize;

use super::{Round, Victim};
use crate::life::tally::Tally;

/// All rounds in short.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// Of all draws.
    pub seed: u64,
    /// Rounds.
    pub rounds: u32,
    /// For each victim.
    pub victims: BTreeMap<Victim, Toll>,
    /// Everything asked, paid, lost.
    pub tally: Tally,
    /// What did not hold.
    pub problems: Vec<String>,
}

/// What kills of one process cost.
#[derive(Debug, Default, Serialize)]
pub struct Toll {
    /// Kills.
    pub kills: u32,
    /// Those that cost a channel.
    pub force_closed: u32,
    /// Jobs done and not paid for, or paid and not settled.
    pub lost_jobs: u64,
    /// Jobs worked twice, or paid twice.
    pub duplicates: u64,
    /// Median time until connected again, in milliseconds.
    pub connected_median_ms: u64,
    /// Median time until whole, in milliseconds.
    pub whole_median_ms: u64,
    /// Longest time until whole, in milliseconds.
    pub whole_slowest_ms: u64,
    /// Writes to the ledger's file that were lost or torn.
    pub writes_lost: u64,
}

pub(super) fn summary(seed: u64, rounds: &[Round]) -> Summary {
    let mut of_victims: BTreeMap<Victim, Vec<&Round>> = BTreeMap::new();
    for round in rounds {
        of_victims.entry(round.victim).or_default().push(round);
    }
    Summary {
        seed,
        rounds: u32::try_from(rounds.len()).unwrap_or(u32::MAX),
        victims: of_victims
            .into_iter()
            .map(|(victim, rounds)| (victim, toll(&rounds)))
            .collect(),
        tally: Tally::sum(rounds.iter().map(|round| &round.tally)),
        problems: rounds.iter().flat_map(|round| round.problems.clone()).collect(),
    }
}

fn toll(rounds: &[&Round]) -> Toll {
    let sorted = |of: &dyn Fn(&Round) -> u64| {
        let mut all: Vec<u64> = rounds.iter().map(|round| of(round)).collect();
        all.sort_unstable();
        all
    };
    let (connected, whole) = (
        sorted(&|round| round.connected_ms),
        sorted(&|round| round.whole_ms),
    );
    let median = |all: &[u64]| all.get(all.len() / 2).copied().unwrap_or(0);
    let tallies = || rounds.iter().map(|round| &round.tally);
    Toll {
        kills: u32::try_from(rounds.len()).unwrap_or(u32::MAX),
        force_closed: u32::try_from(tallies().filter(|tally| tally.closes() > 0).count()).unwrap_or(u32::MAX),
        lost_jobs: tallies()
            .map(|t| t.paid_not_settled + t.delivered.saturating_sub(t.settled))
            .sum(),
        duplicates: tallies().map(|t| t.double_work + t.double_payment).sum(),
        connected_median_ms: median(&connected),
        whole_median_ms: median(&whole),
        whole_slowest_ms: whole.last().copied().unwrap_or(0),
        writes_lost: rounds
            .iter()
            .filter_map(|round| round.loss)
            .map(|loss| loss.lost + loss.torn)
            .sum(),
    }
}
