//! The long run and the kill rounds, small: the same code that lives through thousands of jobs.
use autopilot_host::sandbox::ChainKind;
use autopilot_world_tests::life::{
    kills::{self, Victim},
    long,
};

/// Two rounds, a stop between them, and a world that goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_life_under_restarts_goes_on_where_it_stopped() {
    let folder = tempfile::Builder::new().prefix("ap").tempdir_in("/tmp").unwrap();
    let plan = long::Plan {
        jobs: 16,
        round_jobs: 8,
        seed: 3,
        state: folder.path().to_owned(),
    };
    let mut asked = 0;
    let stop_after_one = || {
        asked += 1;
        asked > 1
    };
    let half = long::live(&plan, stop_after_one, |_| {}).await.unwrap();
    assert_eq!((half.rounds, half.tally.asked), (1, 8), "{half:?}");
    let whole = long::live(&plan, || false, |_| {}).await.unwrap();
    assert_eq!((whole.rounds, whole.tally.asked), (2, 16), "{whole:?}");
    assert!(whole.sound, "{:?}", whole.problems);
    assert!(
        whole.tally.paid > 0 && whole.blows.values().sum::<u32>() >= 4,
        "{whole:?}"
    );
    assert_eq!(whole.tally.paid_msat, whole.tally.settled_msat, "{whole:?}");
    let lines = std::fs::read_to_string(folder.path().join("rounds.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 2);
}

/// Both machines lose their power while jobs are under way, as far as their ledgers go: their wallets stop in order, and
/// no channel is lost.
#[tokio::test(flavor = "multi_thread")]
async fn losses_of_power_under_load_lose_and_double_nothing() {
    let folder = tempfile::Builder::new().prefix("ap").tempdir_in("/tmp").unwrap();
    let plan = kills::Plan {
        rounds: 2,
        seed: 1,
        state: folder.path().to_owned(),
        victims: vec![Victim::ProviderPower, Victim::BuyerPower],
        chain: ChainKind::Bitcoind,
    };
    let summary = kills::live(&plan, || false, |_| {}).await.unwrap();
    assert_eq!((summary.rounds, summary.problems.len()), (2, 0), "{summary:?}");
    let tally = &summary.tally;
    assert!(
        tally.paid > 0 && tally.paid_msat == tally.settled_msat,
        "{summary:?}"
    );
    assert!(
        summary.victims.values().all(|toll| toll.duplicates == 0),
        "{summary:?}"
    );
}
