//! `wait`: what ends it, and how far it looks.
use std::{sync::atomic::Ordering, time::Duration};

use autopilot_proto::control::v1::FactLine;

use super::{control::check, host, support::Home};

#[tokio::test(flavor = "multi_thread")]
async fn waiting_ends_when_a_fact_brings_it_about_or_time_runs_out() {
    let home = Home::empty();
    let (host, _served) = host::serve(home.path());
    let late = check(
        home.path(),
        &["wait", "provider-online", "--timeout", "1"],
        6,
        "timeout",
    )
    .await;
    assert!(late.stderr.contains("no relay is connected"), "{}", late.stderr);
    let (path, facts, online) = (home.path().to_owned(), host.facts.clone(), host.online.clone());
    let waiting =
        tokio::spawn(
            async move { check(&path, &["wait", "provider-online", "--timeout", "60"], 0, "").await },
        );
    while facts.receiver_count() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    online.store(true, Ordering::SeqCst);
    facts
        .send(FactLine {
            sequence: 8,
            ..Default::default()
        })
        .unwrap();
    let met = waiting.await.unwrap().json();
    assert_eq!(
        (&met["condition"], &met["met"]),
        (&"provider-online".into(), &true.into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_jobs_looks_through_every_page_and_no_further_than_asked() {
    let home = Home::empty();
    let (_host, _served) = host::serve(home.path());
    let paid = check(home.path(), &["wait", "job-paid", "--timeout", "20"], 0, "")
        .await
        .json();
    assert_eq!(paid["id"], format!("{:064x}", 2));
    check(
        home.path(),
        &["wait", "job-paid", "--after", "3", "--timeout", "1"],
        6,
        "timeout",
    )
    .await;
    check(
        home.path(),
        &["wait", "job-delivered", "--after", "3", "--timeout", "20"],
        0,
        "",
    )
    .await;
    check(
        home.path(),
        &["wait", "job-present", "deadbeef", "--timeout", "20"],
        0,
        "",
    )
    .await;
    check(
        home.path(),
        &["wait", "job-paid", "deadbeef", "--timeout", "20"],
        4,
        "job-over",
    )
    .await;
    check(
        home.path(),
        &["wait", "job-present", "12345678", "--timeout", "1"],
        6,
        "timeout",
    )
    .await;
    check(home.path(), &["wait", "receive-ready", "--timeout", "20"], 0, "").await;
    check(
        home.path(),
        &["wait", "model-ready", "--timeout", "1"],
        6,
        "timeout",
    )
    .await;
}
