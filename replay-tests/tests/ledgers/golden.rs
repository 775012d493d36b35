//! Golden ledgers: `golden/<name>.facts` are the bytes of blocks, as some release wrote them; `<name>.json` are the digests
//! that they gave. A digest that changes under an unchanged version fails, for good: `UPDATE_GOLDEN=1` writes what is new
//! (a further version of a fold, a ledger with types that none has yet) and changes nothing.
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use autopilot_events::{
    Head, Recorded,
    catalogue::CATALOGUE,
    chain::{frames, push_frame},
    envelope::open,
    tree::{Edge, leaf},
};
use autopilot_projections::State;
use autopilot_replay_tests::{
    Pen,
    specimens::specimens,
    stories::{End, Story, weave},
};
use autopilot_store_sqlite::{Commit, Store, rows::HistoryFold};
use serde_json::{Value, json};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn updating() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some()
}

/// Every golden ledger by name, read from its bytes.
fn ledgers() -> BTreeMap<String, Vec<Recorded>> {
    let mut ledgers = BTreeMap::new();
    let Ok(entries) = std::fs::read_dir(folder()) else {
        return ledgers;
    };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.extension().is_none_or(|extension| extension != "facts") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let (mut head, mut facts) = (Head::empty(), Vec::new());
        for frame in frames(&bytes) {
            let fact = open(&head, frame.unwrap()).unwrap();
            head = fact.head();
            facts.push(fact);
        }
        ledgers.insert(path.file_stem().unwrap().to_string_lossy().into_owned(), facts);
    }
    ledgers
}

/// What a ledger gives: everything that may not change while its version stays.
fn given(facts: &[Recorded]) -> BTreeMap<String, Value> {
    let (mut state, mut rows, mut edge) = (State::default(), HistoryFold::default(), Edge::default());
    for fact in facts {
        state.apply(fact);
        rows.apply(fact);
        edge.push(leaf(&fact.bytes), &mut |_| {});
    }
    let mut given: BTreeMap<String, Value> = state
        .digests()
        .into_iter()
        .map(|(label, digest)| (label, json!(digest.to_string())))
        .collect();
    given.insert("history/1".to_owned(), json!(rows.digest().to_string()));
    given.insert(
        "chain/1".to_owned(),
        json!(facts.last().unwrap().chain.to_string()),
    );
    given.insert("tree/1".to_owned(), json!(edge.root().to_string()));
    given
}

/// All stories, and one fact of each type that none tells.
pub fn everything() -> Vec<Recorded> {
    let mut stories = vec![Story::Unknown, Story::Presence(3), Story::Deposit(70_000)];
    stories
        .extend([End::Paid, End::PaidFirst, End::Expired, End::Abandoned].map(|end| Story::Job(9_000, end)));
    stories.extend([
        Story::Refused(12),
        Story::Failed(2),
        Story::Channel(900_000, 40_000, true),
    ]);
    stories.extend([true, false].map(|paid| Story::Purchase(4_000, paid)));
    stories.extend([true, false].map(|arrives| Story::Withdrawal(2_000, arrives)));
    stories.extend([true, false].map(Story::Onchain));
    let mut facts = weave(&stories, &[(3, 1_000), (1, -500), (6, 70_000)]);
    let mut pen = Pen::behind(&facts);
    for draft in specimens() {
        facts.push(pen.write(draft, 1_700_001_000_000));
    }
    facts
}

fn types(facts: &[Recorded]) -> BTreeSet<(&str, u32)> {
    facts
        .iter()
        .map(|fact| (fact.fact.r#type.as_str(), fact.fact.version))
        .collect()
}

/// Writes a further ledger where none has every type of the catalogue, and further digests; never another one.
fn update() {
    std::fs::create_dir_all(folder()).unwrap();
    let whole = |facts: &Vec<Recorded>| {
        let found = types(facts);
        CATALOGUE
            .iter()
            .all(|(kind, version, _)| found.contains(&(*kind, *version)))
    };
    let known = ledgers();
    if !known.values().any(whole) {
        let mut block = Vec::new();
        everything()
            .iter()
            .for_each(|fact| push_frame(&mut block, &fact.bytes));
        let name = format!("format1-{:02}.facts", known.len() + 1);
        std::fs::write(folder().join(name), block).unwrap();
    }
    for (name, facts) in ledgers() {
        let path = folder().join(format!("{name}.json"));
        let kept = std::fs::read(&path).unwrap_or_else(|_| b"{}".to_vec());
        let mut kept: BTreeMap<String, Value> = serde_json::from_slice(&kept).unwrap();
        for (label, digest) in given(&facts) {
            let before = kept.entry(label.clone()).or_insert(digest.clone());
            assert_eq!(
                *before, digest,
                "{name}: {label} changed; a changed fold is a new version"
            );
        }
        std::fs::write(
            path,
            format!("{}\n", serde_json::to_string_pretty(&kept).unwrap()),
        )
        .unwrap();
    }
}

#[test]
fn golden_ledgers_give_the_digests_that_they_always_gave() {
    if updating() {
        update();
    }
    let ledgers = ledgers();
    assert!(!ledgers.is_empty());
    for (name, facts) in &ledgers {
        let kept = std::fs::read(folder().join(format!("{name}.json"))).unwrap();
        let kept: BTreeMap<String, Value> = serde_json::from_slice(&kept).unwrap();
        for (label, digest) in given(facts) {
            let before = kept.get(&label);
            let before = before.unwrap_or_else(|| panic!("{name}: {label} is new; run with UPDATE_GOLDEN=1"));
            assert_eq!(
                *before, digest,
                "{name}: {label} changed; a changed fold is a new version"
            );
        }
    }
}

#[test]
fn some_golden_ledger_has_every_type_of_the_catalogue() {
    let ledgers = ledgers();
    let missing = |facts: &Vec<Recorded>| -> Vec<&str> {
        let found = types(facts);
        let unmet = CATALOGUE
            .iter()
            .filter(|(kind, version, _)| !found.contains(&(*kind, *version)));
        unmet.map(|(kind, _, _)| *kind).collect()
    };
    let least = ledgers.values().map(missing).min_by_key(Vec::len).unwrap();
    assert!(
        least.is_empty(),
        "no golden ledger has {least:?}: a specimen each, then UPDATE_GOLDEN=1"
    );
}

#[tokio::test]
async fn golden_ledgers_are_stored_and_verified_by_both_programs() {
    for (name, facts) in ledgers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let (mut store, _) = Store::open(&path, &mut |_| {}).await.unwrap();
        for facts in facts.chunks(7) {
            let commit = Commit {
                facts,
                ..Commit::default()
            };
            store.append(commit).await.unwrap();
        }
        let report = store.reader().verify(&mut |_| {}).await.unwrap();
        assert_eq!(
            (report.broken, report.head),
            (None, facts.last().unwrap().head()),
            "{name}"
        );
        store.close().await;
        let said = crate::ledger_properties::python(&path);
        assert_eq!(said["ok"], true, "{name}: {said}");
        assert_eq!(said["root"], given(&facts)["tree/1"], "{name}");
        assert_eq!(said["chain"], given(&facts)["chain/1"], "{name}");
    }
}
