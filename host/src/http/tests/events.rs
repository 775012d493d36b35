//! Facts as they come.
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use super::{World, price};

fn numbers(page: &Value) -> Vec<u64> {
    let events = page["events"].as_array().unwrap();
    events
        .iter()
        .map(|event| event["sequence"].as_u64().unwrap())
        .collect()
}

#[tokio::test]
async fn a_page_waits_for_its_first_fact() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(&folder.path().join("home")).await;
    let head = world.head();
    let first = world.get("/v1/events").await;
    assert_eq!(numbers(&first.body), Vec::from_iter(1..=head));
    assert_eq!(first.body["events"][0]["type"], "ledger.opened");

    let empty = world.get(&format!("/v1/events?after={head}")).await;
    assert_eq!(
        (numbers(&empty.body), &empty.body["after"]),
        (vec![], &head.into())
    );
    let path = format!("/v1/events?after={head}&wait_s=30");
    let began = Instant::now();
    let (page, ()) = tokio::join!(world.get(&path), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        world.record(price(1)).await;
    });
    assert_eq!(numbers(&page.body), [head + 1]);
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "it waits for a fact, not for the time"
    );
    assert_eq!(world.get("/v1/events?after=x").await.code(), "invalid-argument");
    world.stop().await;
}

/// Reads numbers of events off a stream until there are `count`, then breaks it off.
async fn streamed(world: &World, last: Option<u64>, count: usize, pause: Duration) -> Vec<u64> {
    let manifest = world.manifest();
    let mut stream = TcpStream::connect(&manifest.address).await.unwrap();
    let resume = last
        .map(|last| format!("Last-Event-ID: {last}\r\n"))
        .unwrap_or_default();
    let request = format!(
        "GET /v1/events HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nAccept: text/event-stream\r\n{resume}\r\n",
        manifest.address, manifest.token
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut lines = BufReader::with_capacity(64, stream).lines();
    let mut seen = Vec::new();
    while seen.len() < count {
        let line = lines.next_line().await.unwrap().expect("the stream goes on");
        if let Some(id) = line.strip_prefix("id: ") {
            seen.push(id.trim().parse().unwrap());
            tokio::time::sleep(pause).await;
        }
    }
    seen
}

#[tokio::test]
async fn a_stream_under_a_burst_has_no_gap_and_goes_on_where_it_broke_off() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(&folder.path().join("home")).await;
    const BURST: u64 = 3_000;
    let last = world.head() + BURST;
    let burst = async {
        for number in 0..BURST {
            world.record(price(number)).await;
        }
    };
    let slow = async {
        let mut seen = streamed(&world, None, 500, Duration::from_millis(1)).await;
        while *seen.last().unwrap() < last {
            let after = *seen.last().unwrap();
            let left = usize::try_from(last - after).unwrap();
            seen.extend(streamed(&world, Some(after), left.min(700), Duration::ZERO).await);
        }
        seen
    };
    let fast = streamed(&world, None, usize::try_from(last).unwrap(), Duration::ZERO);
    let ((), slow, fast) = tokio::join!(burst, slow, fast);
    assert_eq!(slow, Vec::from_iter(1..=last));
    assert_eq!(fast, slow);
    world.stop().await;
}
