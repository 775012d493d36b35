//! Pages of the history are those that a look at every row gives, whatever the filter and wherever they begin.
use autopilot_events::{Event, pb};
use autopilot_projections::rows::Role;
use autopilot_store_sqlite::{
    Commit,
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
