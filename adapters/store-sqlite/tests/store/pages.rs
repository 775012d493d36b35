//! Pages of the history are those that a look at every row gives, whatever the filter and wherever they begin.
use autopilot_events::{Event, pb};
use autopilot_projections::rows::Role;
use autopilot_store_sqlite::{
    Commit, Search,
    rows::{HistoryQuery, HistoryRow},
};

use super::support::{Pen, World};

fn id(n: u64) -> Vec<u8> {
    blake3::hash(&n.to_le_bytes()).as_bytes().to_vec()
}

/// Jobs and purchases in seven states of work and money, told one after the other.
fn stories(pen: &mut Pen) -> Vec<autopilot_events::Recorded> {
    let mut facts = Vec::new();
    for n in 0..210 {
        let (job, stream) = (id(n), format!("job/{n}"));
        let mut tell = |event: Event| facts.push(pen.write(event, &stream, ""));
        if n % 7 == 6 {
            tell(
                pb::PurchaseRequested {
                    purchase_id: job,
                    native_id: id(n),
                    ..Default::default()
                }
                .into(),
            );
            continue;
        }
        let received = pb::JobReceived {
            job_id: job.clone(),
            native_id: id(n),
            requester: id(n % 3),
            kind: 5_000 + (n % 5) as u32,
            ..Default::default()
        };
        tell(received.into());
        let told: [Event; 5] = [
            pb::JobAccepted {
                job_id: job.clone(),
                policy_digest: id(0),
                price_msat: n,
                ..Default::default()
            }
            .into(),
            pb::JobStarted {
                job_id: job.clone(),
                attempt: 1,
            }
            .into(),
            pb::JobExecuted {
                job_id: job.clone(),
                receipt: Some(pb::Receipt {
                    model: if n % 2 == 0 { "Qwen2-0.5B" } else { "SmolLM2" }.to_owned(),
                    ..Default::default()
                }),
                ..Default::default()
            }
            .into(),
            pb::JobDelivered {
                job_id: job.clone(),
                event_id: id(n),
                ..Default::default()
            }
            .into(),
            pb::JobSettled {
                job_id: job,
                payment_hash: id(n),
                amount_msat: n,
                ..Default::default()
            }
            .into(),
        ];
        told.into_iter().take((n % 7) as usize).for_each(tell);
    }
    facts
}

fn looked_for(all: &[HistoryRow], query: &HistoryQuery) -> Vec<HistoryRow> {
    let fits = |row: &&HistoryRow| {
        query
            .role
            .is_none_or(|role| row.role.as_deref() == Some(role.name()))
            && (query.work.is_none() || row.work == query.work)
            && (query.money.is_none() || row.money == query.money)
            && query.before.is_none_or(|before| row.first_sequence < before)
            && query.after.is_none_or(|after| row.first_sequence > after)
    };
    let mut rows: Vec<_> = all.iter().filter(fits).cloned().collect();
    let limit = query.limit as usize;
    if query.after.is_some() && query.before.is_none() {
        rows.drain(..rows.len().saturating_sub(limit));
    }
    rows.truncate(limit);
    rows
}

#[tokio::test]
async fn every_filter_gives_the_rows_that_a_look_at_all_of_them_gives() {
    let world = World::new();
    let (mut store, opened) = world.open().await;
    let facts = stories(&mut Pen::at(opened.head));
    for commit in facts.chunks(37) {
        store
            .append(Commit {
                facts: commit,
                ..Commit::default()
            })
            .await
            .unwrap();
    }
    let reader = store.reader();
    let every = HistoryQuery {
        limit: 1_000,
        ..HistoryQuery::default()
    };
    let (all, at) = reader.history(&every).await.unwrap();
    assert_eq!((all.len(), at), (210, facts.len() as u64));
    assert!(all.is_sorted_by(|a, b| a.first_sequence > b.first_sequence));

    let (middle, limit) = (all[105].first_sequence, 9);
    let works = [
        None,
        Some("received"),
        Some("running"),
        Some("delivered"),
        Some("requested"),
        Some("no-such"),
    ];
    let mut found = 0;
    for role in [None, Some(Role::Provider), Some(Role::Buyer)] {
        for work in works {
            for money in [None, Some("priced"), Some("settled")] {
                for (before, after) in [
                    (None, None),
                    (Some(middle), None),
                    (None, Some(middle)),
                    (Some(middle), Some(1)),
                ] {
                    let query = HistoryQuery {
                        role,
                        work: work.map(str::to_owned),
                        money: money.map(str::to_owned),
                        before,
                        after,
                        search: None,
                        limit,
                    };
                    let (rows, _) = reader.history(&query).await.unwrap();
                    assert_eq!(rows, looked_for(&all, &query), "{query:?}");
                    found += rows.len();
                }
            }
        }
    }
    assert!(found > 500, "{found} rows were compared");
    store.close().await;
}

/// Every row that a search finds, page by page.
async fn all_found(
    reader: &autopilot_store_sqlite::Reader,
    search: &Search,
    work: Option<&str>,
) -> Vec<HistoryRow> {
    let mut query = HistoryQuery {
        search: Some(search.clone()),
        work: work.map(str::to_owned),
        limit: 7,
        ..HistoryQuery::default()
    };
    let mut all = Vec::new();
    loop {
        let (rows, _) = reader.history(&query).await.unwrap();
        query.before = rows.last().map(|row| row.first_sequence);
        let full = rows.len() == 7;
        all.extend(rows);
        if !full {
            return all;
        }
    }
}

#[tokio::test]
async fn a_search_finds_what_a_look_at_all_rows_finds_also_in_a_ledger_of_an_earlier_program() {
    let world = World::new();
    let (mut store, opened) = world.open().await;
    let facts = stories(&mut Pen::at(opened.head));
    for commit in facts.chunks(37) {
        store
            .append(Commit {
                facts: commit,
                ..Commit::default()
            })
            .await
            .unwrap();
    }
    let every = HistoryQuery {
        limit: 1_000,
        ..HistoryQuery::default()
    };
    let (all, _) = store.reader().history(&every).await.unwrap();
    for round in 0..2 {
        let reader = store.reader();
        let with = |fits: &dyn Fn(&HistoryRow) -> bool| -> Vec<HistoryRow> {
            all.iter().filter(|row| fits(row)).cloned().collect()
        };
        for row in all.iter().step_by(23) {
            let digits = row.native_id.unwrap().to_string()[..9].to_owned();
            let found = all_found(&reader, &Search::Id(digits.clone()), None).await;
            let wanted = with(&|other| {
                other
                    .native_id
                    .is_some_and(|id| id.to_string().starts_with(&digits))
                    || other
                        .counterparty
                        .is_some_and(|id| id.to_string().starts_with(&digits))
            });
            assert_eq!(found, wanted, "round {round}: {digits}");
            let job = row.job_id.to_string();
            assert!(all_found(&reader, &Search::Id(job), None).await.contains(row));
        }
        let buyer = all[0..6].iter().find_map(|row| row.counterparty).unwrap();
        let digits = buyer.to_string()[..8].to_owned();
        let running = with(&|row| row.counterparty == Some(buyer) && row.work.as_deref() == Some("running"));
        assert!(running.len() > 7, "more than a page");
        assert_eq!(
            all_found(&reader, &Search::Id(digits), Some("running")).await,
            running
        );
        let kind = all_found(&reader, &Search::Kind(5_003), None).await;
        assert_eq!(kind, with(&|row| row.kind == Some(5_003)));
        let models = all_found(&reader, &Search::Model("qwen".to_owned()), None)
            .await
            .len()
            + all_found(&reader, &Search::Model("SMOL".to_owned()), None)
                .await
                .len();
        let executed = facts
            .iter()
            .filter(|fact| matches!(fact.event, Event::JobExecuted(_)))
            .count();
        assert_eq!(models, executed);
        assert!(
            all_found(&reader, &Search::Model("nothing".to_owned()), None)
                .await
                .is_empty()
        );
        store.close().await;
        // An earlier program kept no such entries: they are made at the next start.
        world.cut("DELETE FROM history_search").await;
        (store, _) = world.open().await;
    }
    store.close().await;
}

#[tokio::test]
async fn facts_are_found_behind_blocks_of_any_length() {
    let world = World::new();
    let (mut store, _) = world.open().await;
    let mut pen = Pen::at(store.head());
    let mut all = Vec::new();
    // Two are longer than what is read for a page at once; the small ones become a segment.
    for count in [4_000, 900, 4_000].into_iter().chain([1, 2, 3].repeat(60)) {
        let block: Vec<_> = (0..count).map(|_| pen.next()).collect();
        let commit = Commit {
            facts: &block,
            ..Commit::default()
        };
        store.append(commit).await.unwrap();
        all.extend(block);
    }
    let reader = store.reader();
    let ends = [0, 3_999, 4_000, 4_001, 4_900, 8_899, 8_900, 8_901, 9_001, 9_259];
    for compacted in [false, true] {
        if compacted {
            assert!(store.compact().await.unwrap().segments > 0);
        }
        for after in ends {
            let found = reader.facts(after as u64, 5).await.unwrap();
            assert_eq!(found, all[after..all.len().min(after + 5)], "after {after}");
        }
        for after in [4_000, 4_001, 8_900, 8_950] {
            let mut read = Vec::new();
            let keep = |fact: &autopilot_events::Recorded| read.push(fact.clone());
            let from = all[after - 1].head();
            let head = reader.replay(&from, &mut |_| {}, keep).await.unwrap();
            assert_eq!((read.as_slice(), head), (&all[after..], store.head()));
        }
    }
    assert!(reader.facts(all.len() as u64, 5).await.unwrap().is_empty());
}

/// Blocks are merged while somebody follows the facts, over and over across the place that he stands at.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_follows_misses_nothing_while_blocks_are_merged() {
    const FACTS: usize = 3_000;
    let world = World::new();
    let (mut store, _) = world.open().await;
    let (reader, mut pen) = (store.reader(), Pen::at(store.head()));
    let all: Vec<_> = (0..FACTS).map(|_| pen.next()).collect();
    let writing = async {
        for (fact, n) in all.iter().zip(1..) {
            let commit = Commit {
                facts: std::slice::from_ref(fact),
                ..Commit::default()
            };
            store.append(commit).await.unwrap();
            if n % 20 == 0 {
                store.compact().await.unwrap();
            }
        }
    };
    let following = async {
        let mut seen: Vec<autopilot_events::Recorded> = Vec::new();
        while seen.len() < FACTS {
            seen.extend(reader.facts(seen.len() as u64, 7).await.unwrap());
            tokio::task::yield_now().await;
        }
        seen
    };
    let ((), seen) = tokio::join!(writing, following);
    assert_eq!(seen, all);
}
