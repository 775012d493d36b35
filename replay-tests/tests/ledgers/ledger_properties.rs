//! Same facts, same order: same digests, however they were batched, read, compacted or resumed.
use std::{path::Path, process::Command};

use autopilot_events::{Event, Head, Recorded};
use autopilot_projections::{
    State,
    accounts::postings,
    movements::{Movements, Told},
    report::{Report, Window},
};
use autopilot_replay_tests::stories::{End, Story, history, weave};
use autopilot_store_sqlite::{Commit, Snapshot, Store, rows::HistoryFold};
use proptest::{prelude::*, sample::Index};

fn config(cases: u32) -> ProptestConfig {
    // Each case waits for the disk many times; more of them with PROPTEST_CASES.
    let cases = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(cases);
    ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..ProptestConfig::default()
    }
}

fn fold(facts: &[Recorded]) -> State {
    let mut state = State::default();
    facts.iter().for_each(|fact| state.apply(fact));
    state
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

async fn open(path: &Path) -> Store {
    Store::open(path, &mut |_| {}).await.unwrap().0
}

async fn replayed(store: &Store, from: &Head, mut state: State) -> (State, Head) {
    let head = store
        .reader()
        .replay(from, &mut |_| {}, |fact| state.apply(fact))
        .await
        .unwrap();
    (state, head)
}

fn snapshot(state: &State, head: Head) -> Snapshot {
    Snapshot::new(State::label(), 1, head, state.to_snapshot())
}

/// What Python makes of a ledger, with its own BLAKE3.
pub fn python(path: &Path) -> serde_json::Value {
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools/ledger_verify.py");
    let output = Command::new("python3")
        .arg(tool)
        .arg(path)
        .env("LEDGER_VERIFY_PURE", "1")
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

proptest! {
    #![proptest_config(config(24))]

    #[test]
    fn digests_do_not_depend_on_how_facts_were_batched_or_read(
        facts in history(40),
        sizes in proptest::collection::vec(1_usize..20, 1..16),
        cut in any::<Index>(),
        reopen in any::<Index>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let expected = fold(&facts);
        let mut rows = HistoryFold::default();
        facts.iter().for_each(|fact| rows.apply(fact));
        let cut = cut.index(facts.len());
        let reopen = reopen.index(facts.len()) as u64;

        block_on(async {
            // Appended in batches, with a restart on the way, and a snapshot somewhere.
            let mut store = open(&path).await;
            let mut rest = facts.as_slice();
            let mut reopened = false;
            for size in sizes.iter().cycle() {
                let (batch, more) = rest.split_at((*size).min(rest.len()));
                if batch.is_empty() {
                    break;
                }
                let head = store.append(Commit { facts: batch, ..Commit::default() }).await.unwrap();
                prop_assert_eq!(head, batch.last().unwrap().head());
                if head.sequence > reopen && !reopened {
                    drop(store);
                    store = open(&path).await;
                    reopened = true;
                }
                rest = more;
            }
            let head = facts.last().unwrap().head();
            prop_assert_eq!(store.head(), head);

            // One by one from the start.
            let (state, end) = replayed(&store, &Head::empty(), State::default()).await;
            prop_assert_eq!(end, head);
            prop_assert_eq!(state.digests(), expected.digests());

            // From a snapshot taken anywhere, through its bytes.
            let at = fold(&facts[..=cut]);
            store.put_snapshot(&snapshot(&at, facts[cut].head())).await.unwrap();
            let kept = store.reader().snapshot(&State::label(), 1).await.unwrap().unwrap();
            let resumed = State::from_snapshot(&kept.bytes).unwrap();
            prop_assert_eq!(&resumed, &at);
            let (state, _) = replayed(&store, &kept.head, resumed).await;
            prop_assert_eq!(state.digests(), expected.digests());

            // Rows, kept incrementally, are those of a fold over everything.
            prop_assert_eq!(store.reader().history_digest().await.unwrap(), Some((head.sequence, rows.digest())));

            let report = store.reader().verify(&mut |_| {}).await.unwrap();
            prop_assert_eq!((report.broken, report.head), (None, head));
            store.close().await;
            Ok(())
        })?;
        let said = python(&path);
        prop_assert_eq!(&said["ok"], &serde_json::Value::from(true), "{}", said);
        prop_assert_eq!(said["facts"].as_u64(), Some(facts.len() as u64));
        let chain = facts.last().unwrap().chain.to_string();
        prop_assert_eq!(said["chain"].as_str(), Some(chain.as_str()));
    }
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn postings_of_every_fact_balance_and_so_do_the_books(facts in history(60)) {
        for fact in &facts {
            let sum: i128 = postings(&fact.event).iter().map(|posting| posting.amount_msat).sum();
            prop_assert_eq!(sum, 0, "fact {} ({})", fact.fact.sequence, fact.event.kind());
        }
        let state = fold(&facts);
        prop_assert_eq!(state.accounts.balances_msat().map(|(_, amount)| amount).sum::<i128>(), 0);
        let settled: u64 = facts.iter().map(|fact| match &fact.event {
            Event::JobSettled(message) => message.amount_msat,
            _ => 0,
        }).sum();
        prop_assert_eq!(state.earnings.earned_msat, settled, "only settlements are earnings");
    }

    #[test]
    fn movements_tell_every_posting_once(facts in history(60)) {
        let (mut movements, mut sums) = (Movements::default(), std::collections::BTreeMap::new());
        let mut told: Vec<Told> = facts.iter().flat_map(|fact| movements.apply(fact)).collect();
        told.extend(movements.end().map(|movement| Told::Moved(Box::new(movement))));
        let mut last = 0;
        for movement in told.iter().filter_map(|told| match told { Told::Moved(movement) => Some(movement), _ => None }) {
            prop_assert!(movement.sequence > last, "in the order of the facts");
            last = movement.sequence;
            for posting in &movement.postings {
                *sums.entry(posting.account).or_insert(0) += posting.amount_msat;
            }
        }
        let state = fold(&facts);
        let balances: std::collections::BTreeMap<_, _> = state.accounts.balances_msat().collect();
        sums.retain(|_, sum| *sum != 0);
        let moved = balances.into_iter().filter(|(_, sum)| *sum != 0).collect();
        prop_assert_eq!(sums, moved);
        let mut report = Report::of(Window::default());
        told.iter().for_each(|told| report.take(told));
        prop_assert_eq!(report.earned.msat, state.earnings.earned_msat);
        prop_assert_eq!(report.earned.payments, state.earnings.jobs_settled);
    }

    #[test]
    fn a_fact_is_read_back_as_it_was_sealed(facts in history(20)) {
        let mut head = Head::empty();
        for fact in &facts {
            let read = autopilot_events::envelope::open(&head, &fact.bytes).unwrap();
            prop_assert_eq!(&read, fact);
            head = read.head();
        }
    }
}

#[test]
fn compaction_changes_no_digest() {
    let stories: Vec<Story> = (0..120).map(|n| Story::Job(1_000 + n, End::Paid)).collect();
    let facts = weave(&stories, &[(3, 10), (1, 5), (6, 700)]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    block_on(async {
        let mut store = open(&path).await;
        for facts in facts.chunks(7) {
            store
                .append(Commit {
                    facts,
                    ..Commit::default()
                })
                .await
                .unwrap();
        }
        assert!(store.compaction_due());
        let middle = facts[facts.len() / 2].head();
        let before = replayed(&store, &middle, State::default()).await;
        let done = store.compact().await.unwrap();
        assert_eq!(done.facts, facts.len() as u64);
        assert!(done.segments * 16 < done.blocks, "{done:?}");
        assert_eq!(replayed(&store, &middle, State::default()).await, before);
        let (state, _) = replayed(&store, &Head::empty(), State::default()).await;
        assert_eq!(state.digests(), fold(&facts).digests());
        store.close().await;
    });
    assert_eq!(python(&path)["ok"], true);
}
