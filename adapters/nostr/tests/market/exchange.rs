//! The whole exchange between honest people over two honest relays.

use std::time::{Duration, Instant};

use autopilot_core::ports::market::{
    Bill, FeedbackStatus, Interest, JournalKind, Market, MarketItem, NewFeedback, Notice, RelayState,
};
use autopilot_events::words::Msat;
use autopilot_nostr::RelayConfig;
use nostr::Keys;

use crate::side::{Side, now_s, open_job, relays};
use autopilot_hostile_relay::HostileRelay;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn job_feedback_result_over_two_relays() {
    let (running, urls) = relays(2).await;
    let (mut provider, mut buyer) = (Side::new(&urls).await, Side::new(&urls).await);
    provider.sell().await;
    buyer.buy().await;

    let asked = buyer.ask("say hello").await;
    let job = provider.job(asked.id).await;
    assert_eq!(
        (job.input.as_str(), job.kind, job.bid_msat),
        ("say hello", 5_050, Some(Msat(10_000)))
    );
    assert_eq!((job.open, job.targeted, job.ttl_s), (true, false, 60));
    assert_eq!(job.requester, buyer.market.public_key());
    assert_eq!(
        provider.market.parse(&job.raw).unwrap(),
        MarketItem::Request(Box::new(job.clone()))
    );

    let words = NewFeedback {
        status: FeedbackStatus::Processing,
        reason: String::new(),
        content: String::new(),
        bill: None,
    };
    provider
        .publish(&provider.market.compose_feedback(&job, &words, now_s()).unwrap())
        .await;
    let bill = Bill {
        amount_msat: Msat(10_000),
        bolt11: Some("lnbcrt100n1fake".into()),
    };
    let result = provider
        .market
        .compose_result(&job, "hello", Some(&bill), now_s())
        .unwrap();
    provider.publish(&result).await;
    provider.publish(&result).await;

    let got = buyer.result(asked.id).await;
    assert_eq!((got.content.as_str(), got.native_id), ("hello", result.id));
    assert_eq!((got.bill, got.request_matches), (Some(bill), true));
    assert_eq!(got.customer, Some(buyer.market.public_key()));
    let status = buyer
        .until(|notice| match notice {
            Notice::Observed(seen) => match &seen.item {
                MarketItem::Feedback(feedback) => Some(feedback.status),
                _ => None,
            },
            _ => None,
        })
        .await;
    assert_eq!(status, FeedbackStatus::Processing);

    for relay in provider.market.relays().await {
        assert_eq!(
            (relay.state, relay.accepted, relay.refused),
            (RelayState::Connected, 3, 0),
            "{relay:?}"
        );
        assert!(relay.latency_ms.is_some() && relay.last_seen_s.is_some());
    }
    let journal = provider.market.drain_journal(1_000);
    let accepted = journal
        .entries
        .iter()
        .filter(|entry| entry.what == JournalKind::Accepted)
        .count();
    assert_eq!((accepted, journal.dropped), (6, 0));

    provider.market.close().await;
    buyer.market.close().await;
    for relay in running {
        relay.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn targeted_open_and_for_somebody_else() {
    let (_running, urls) = relays(1).await;
    let (mut provider, buyer) = (Side::new(&urls).await, Side::new(&urls).await);
    let other = Side::new(&urls).await;
    provider.sell().await;

    let mut theirs = open_job("theirs");
    theirs.providers = vec![other.market.public_key()];
    let mut ours = open_job("ours");
    ours.providers = vec![other.market.public_key(), provider.market.public_key()];
    for request in [theirs, ours] {
        buyer
            .publish(&buyer.market.compose_request(&request, now_s()).unwrap())
            .await;
    }
    let last = buyer.ask("anybody's").await;
    provider.job(last.id).await;

    let flags: Vec<_> = provider
        .items()
        .into_iter()
        .filter_map(|item| match item {
            MarketItem::Request(job) => Some((job.input, job.targeted, job.open)),
            _ => None,
        })
        .collect();
    assert_eq!(flags.len(), 2, "{flags:?}");
    assert!(flags.contains(&("ours".into(), true, false)));
    assert!(flags.contains(&("anybody's".into(), false, true)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_and_future_jobs_come_with_their_date() {
    let (_running, urls) = relays(1).await;
    let (mut provider, buyer) = (Side::new(&urls).await, Side::new(&urls).await);
    let dates = [now_s() - 3_000, now_s() + 86_400, now_s() - 7_200];
    let mut asked = Vec::new();
    for date in dates {
        let event = buyer.market.compose_request(&open_job("when?"), date).unwrap();
        buyer.publish(&event).await;
        asked.push(event.id);
    }
    provider.sell().await;
    assert_eq!(provider.job(asked[0]).await.created_at_s, dates[0]);
    assert_eq!(provider.job(asked[1]).await.created_at_s, dates[1]);
    let last = buyer.ask("now").await;
    provider.job(last.id).await;
    assert_eq!(
        provider.items().len(),
        3,
        "what is older than asked for does not come"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_largest_result_that_is_composed_arrives() {
    let (_running, urls) = relays(1).await;
    let (mut provider, mut buyer) = (Side::new(&urls).await, Side::new(&urls).await);
    provider.sell().await;
    buyer.buy().await;
    let asked = buyer.ask(&"question \"?\" ".repeat(500)).await;
    let job = provider.job(asked.id).await;
    let output = "x".repeat(job.result_room_bytes());
    let result = provider
        .market
        .compose_result(&job, &output, None, now_s())
        .unwrap();
    provider.publish(&result).await;
    assert_eq!(buyer.result(asked.id).await.content, output);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn presence_and_cancel() {
    let (_running, urls) = relays(2).await;
    let (mut provider, mut buyer) = (Side::new(&urls).await, Side::new(&urls).await);
    buyer.buy().await;
    provider.sell().await;
    let kinds_of = |notice: &Notice, me| match notice {
        Notice::Observed(seen) => match &seen.item {
            MarketItem::Announcement(offer) if offer.provider == me => Some(offer.kinds.clone()),
            _ => None,
        },
        _ => None,
    };
    let me = provider.market.public_key();
    let offer = provider
        .market
        .compose_announcement(&[5_050], r#"{"name":"test"}"#, now_s())
        .unwrap();
    provider.publish(&offer).await;
    assert_eq!(buyer.until(|notice| kinds_of(notice, me)).await, [5_050]);
    buyer.heard.clear();
    provider
        .publish(&provider.market.compose_withdrawal(now_s()).unwrap())
        .await;
    assert_eq!(buyer.until(|notice| kinds_of(notice, me)).await, [0_u16; 0]);

    let asked = buyer.ask("never mind").await;
    let job = provider.job(asked.id).await;
    let interest = Interest {
        cancels_of: vec![job.native_id],
        ..Interest::default()
    };
    provider.market.watch(interest).await.unwrap();
    buyer
        .publish(
            &buyer
                .market
                .compose_cancel(asked.id, "changed my mind", now_s())
                .unwrap(),
        )
        .await;
    let cancel = provider
        .until(|notice| match notice {
            Notice::Observed(seen) => match &seen.item {
                MarketItem::Cancel(cancel) => Some((**cancel).clone()),
                _ => None,
            },
            _ => None,
        })
        .await;
    assert_eq!(
        (cancel.events, cancel.author),
        (vec![asked.id], buyer.market.public_key())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_and_a_dead_relay_delay_nothing() {
    let (_running, mut urls) = relays(1).await;
    let slow = HostileRelay::that_hangs().await;
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    urls.extend([slow.url.clone(), format!("ws://{free}")]);
    let mut config = RelayConfig::new(&urls);
    config.publish_timeout = Duration::from_secs(4);
    let side = Side::with(Keys::generate(), config).await;
    let event = side.market.compose_request(&open_job("quick"), now_s()).unwrap();

    let started = Instant::now();
    let mut first = None;
    let outcomes = side
        .market
        .publish(&event, |outcome| {
            if outcome.accepted {
                first = Some(started.elapsed());
            }
        })
        .await
        .unwrap();
    let total = started.elapsed();
    assert!(
        first.expect("the honest relay accepts") + Duration::from_secs(2) < total,
        "{first:?} of {total:?}"
    );
    assert!(total < Duration::from_secs(8), "{total:?}");
    let reason = |url: &str| {
        let same = |relay: &str| relay.trim_end_matches('/') == url;
        outcomes
            .iter()
            .find(|outcome| same(&outcome.relay))
            .map(|outcome| outcome.reason.as_str())
            .unwrap()
    };
    assert_eq!((reason(&urls[1]), reason(&urls[2])), ("timeout", "not connected"));
}

/// Kinds that are only previewed are counted, each request once over two relays, and nobody is handed one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn previewed_kinds_are_counted_and_never_handed_out() {
    let (running, urls) = relays(2).await;
    let (mut provider, buyer) = (Side::new(&urls).await, Side::new(&urls).await);
    let interest = Interest {
        request_kinds: vec![5_050],
        requests_since_s: now_s() - 60,
        preview_kinds: vec![5_100, 5_302],
        preview_since_s: now_s() - 60,
        ..Interest::default()
    };
    provider.market.watch(interest).await.unwrap();
    let other = autopilot_events::words::PublicKey(Keys::generate().public_key().to_bytes());
    for (kind, providers) in [
        (5_100, vec![]),
        (5_100, vec![other]),
        (5_302, vec![provider.market.public_key()]),
    ] {
        let new = autopilot_core::ports::market::NewRequest {
            kind,
            providers,
            ..open_job("draw me a sheep")
        };
        let event = buyer.market.compose_request(&new, now_s()).unwrap();
        buyer.publish(&event).await;
    }
    let own = provider.market.compose_request(
        &autopilot_core::ports::market::NewRequest {
            kind: 5_100,
            ..open_job("mine")
        },
        now_s(),
    );
    provider.publish(&own.unwrap()).await;
    let mut seen = Vec::new();
    let until = Instant::now() + crate::side::PATIENCE;
    while seen
        .iter()
        .map(|demand: &autopilot_events::pb::KindDemand| demand.jobs)
        .sum::<u64>()
        < 3
    {
        assert!(Instant::now() < until, "counted in time: {seen:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
        seen.extend(provider.market.drain_demand());
    }
    let asked = buyer.ask("say hello").await;
    assert_eq!(provider.job(asked.id).await.kind, 5_050);
    seen.extend(provider.market.drain_demand());
    let of = |kind: u32| {
        let kinds = seen.iter().filter(|demand| demand.kind == kind);
        kinds.fold((0, 0, 0, 0), |sum, demand| {
            (
                sum.0 + demand.jobs,
                sum.1 + demand.targeted,
                sum.2 + demand.elsewhere,
                sum.3 + demand.bids_msat,
            )
        })
    };
    assert_eq!((of(5_100), of(5_302)), ((2, 0, 1, 10_000), (1, 1, 0, 10_000)));
    assert_eq!(provider.items().len(), 1, "{:?}", provider.heard);
    provider.market.close().await;
    buyer.market.close().await;
    for relay in running {
        relay.shutdown().await;
    }
}
