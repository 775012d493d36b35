//! What a round leaves, and all of them in short.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Blow;
use crate::life::{growth::Growth, tally::Tally};

/// One blow as it happened.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Struck {
    /// What was done.
    pub blow: Blow,
    /// After so many purchases of the round were over.
    pub after: u32,
    /// Until provider and buyer were connected again, in milliseconds.
    pub connected_ms: u64,
}

/// One round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Round {
    /// From 1.
    pub round: u32,
    /// Of all draws.
    pub seed: u64,
    /// Digest of the programs.
    pub programs: String,
    /// What the round brought.
    pub tally: Tally,
    /// Purchases asked in all rounds so far.
    pub jobs: u64,
    /// What was done to the world.
    pub blows: Vec<Struck>,
    /// From its first order to its last end, in milliseconds.
    pub duration_ms: u64,
    /// Facts in each ledger.
    pub facts: BTreeMap<String, u64>,
    /// Bytes on disk.
    pub bytes: BTreeMap<String, u64>,
    /// Resident memory at the end of the round, in KiB.
    pub rss_kib: BTreeMap<String, u64>,
    /// The replay of each ledger gives the digests of the live views, and the wallets agree with the ledgers.
    pub sound: bool,
    /// What did not hold.
    pub problems: Vec<String>,
}

/// All rounds in short.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// Of all draws.
    pub seed: u64,
    /// Rounds.
    pub rounds: u32,
    /// Everything asked, paid, lost.
    pub tally: Tally,
    /// Blows by kind.
    pub blows: BTreeMap<String, u32>,
    /// Every round was sound.
    pub sound: bool,
    /// What did not hold.
    pub problems: Vec<String>,
    /// Bytes on disk over jobs.
    pub bytes: Vec<Growth>,
    /// Resident memory in KiB over jobs.
    pub rss_kib: Vec<Growth>,
    /// Figures whose later jobs cost more than the earlier ones.
    pub uneven: Vec<String>,
}

pub(super) fn summary(seed: u64, rounds: &[Round]) -> Summary {
    let grown = |of: &dyn Fn(&Round) -> &BTreeMap<String, u64>| -> Vec<Growth> {
        let names: std::collections::BTreeSet<&String> =
            rounds.iter().flat_map(|round| of(round).keys()).collect();
        let points = |name: &String| -> Vec<(f64, f64)> {
            let point = |round: &Round| Some((round.jobs as f64, *of(round).get(name)? as f64));
            rounds.iter().filter_map(point).collect()
        };
        names
            .into_iter()
            .filter_map(|name| Growth::of(name, &points(name)))
            .collect()
    };
    let (bytes, rss_kib) = (grown(&|round| &round.bytes), grown(&|round| &round.rss_kib));
    let uneven = bytes.iter().chain(&rss_kib).filter(|growth| !growth.is_even());
    let mut blows = BTreeMap::new();
    for struck in rounds.iter().flat_map(|round| &round.blows) {
        *blows.entry(format!("{:?}", struck.blow)).or_default() += 1;
    }
    Summary {
        seed,
        rounds: u32::try_from(rounds.len()).unwrap_or(u32::MAX),
        tally: Tally::sum(rounds.iter().map(|round| &round.tally)),
        blows,
        sound: rounds.iter().all(|round| round.sound),
        problems: rounds.iter().flat_map(|round| round.problems.clone()).collect(),
        uneven: uneven.map(|growth| growth.what.clone()).collect(),
        bytes,
        rss_kib,
    }
}
