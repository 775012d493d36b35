//! A host that is driven over HTTP: what the snapshot shows, what the events tell and what the session's log has are the same.
use std::{fs, time::Duration};

use autopilot_host::http::Manifest;
use autopilot_proto::control::v1 as pb;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep},
};

use super::starting::{Host, NO_BLOCKS};

const PATIENCE: Duration = Duration::from_secs(20);

/// One request; answered with status and document.
async fn asked(manifest: &Manifest, line: &str, body: &str) -> (u16, Value) {
    let Manifest { address, token, .. } = manifest;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let request = format!(
        "{line} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let (head, document) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(document).unwrap_or_default())
}

async fn command(manifest: &Manifest, order: Value) -> (u16, Value) {
    asked(manifest, "POST /v1/commands", &order.to_string()).await
}

#[tokio::test]
async fn snapshot_events_and_the_session_log_agree() {
    let mut host = Host::start(NO_BLOCKS);
    let mut client = host.client().await;
    let manifest = Manifest::read(&host.home.control_manifest()).expect("a host that answers has one");

    let (status, refused) = command(&manifest, json!({"command": "go-online", "key": "1"})).await;
    assert_eq!(
        (status, refused["error"]["code"].as_str()),
        (422, Some("not-ready")),
        "{refused}"
    );
    let policy = pb::Policy {
        min_price_msat: 21_000,
        kinds: vec![5050],
        max_input_bytes: 10_000,
        max_in_flight: 1,
        per_buyer_per_hour: 10,
        global_per_hour: 100,
        unpaid_jobs_per_buyer: 3,
        unpaid_jobs_total: 10,
        order: "work-first".into(),
        accept_open: true,
        accept_targeted: true,
        max_output_tokens: 100,
        invoice_expiry_s: 600,
        ..pb::Policy::default()
    };
    let (status, set) = command(
        &manifest,
        json!({"command": "set-policy", "key": "2", "params": {"policy": policy}}),
    )
    .await;
    assert_eq!(status, 200, "{set}");
    let (status, _) = command(
        &manifest,
        json!({"command": "open-pane", "params": {"id": "pane.wallet"}}),
    )
    .await;
    assert_eq!(status, 200);

    let (_, snapshot) = asked(&manifest, "GET /v1/snapshot", "").await;
    let revision = snapshot["revision"].as_u64().unwrap();
    let views = &snapshot["views"];
    let (_, page) = asked(&manifest, "GET /v1/events?limit=1000", "").await;
    let events = page["events"].as_array().unwrap();
    assert!(events.len() as u64 >= revision);

    // The log has each of them as the events had it, one a line.
    let deadline = Instant::now() + PATIENCE;
    let log = loop {
        let text = fs::read_to_string(host.home.logs_dir().join("latest.jsonl")).unwrap_or_default();
        let lines: Vec<Value> = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        if lines.len() >= events.len() {
            break lines;
        }
        assert!(
            Instant::now() < deadline,
            "{} of {} facts",
            lines.len(),
            events.len()
        );
        sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(&log[..events.len()], events.as_slice());

    // The snapshot is what these facts come to.
    let last = |kind: &str| {
        events
            .iter()
            .rfind(|event| event["type"] == kind)
            .unwrap_or(&Value::Null)
    };
    assert_eq!(
        last("policy.changed")["payload"]["policy"]["min_price_msat"],
        21_000
    );
    assert_eq!(views["status"]["price_msat"], 21_000);
    assert_eq!(views["status"]["state"], "offline");
    assert!(last("provider.went_online").is_null());
    let answered: Vec<_> = events
        .iter()
        .filter(|event| event["type"] == "control.answered")
        .collect();
    assert_eq!(answered.len(), 2, "a pane leaves no fact");
    assert_eq!(answered[0]["payload"]["code"], refused["error"]["code"]);
    let basis = views["status"]["basis"]["sequence"].as_u64().unwrap();
    let at = events.iter().find(|event| event["sequence"] == basis).unwrap();
    assert_eq!(views["status"]["basis"]["chain"], at["chain"]);

    // The socket shows the same as HTTP.
    let panes = client.panes(pb::PanesRequest {}).await.unwrap().into_inner();
    let open = |panes: &Value| {
        let lines = panes["panes"].as_array().unwrap().iter();
        lines
            .filter(|line| line["open"] == true)
            .map(|line| line["id"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(open(&views["panes"]), ["pane.wallet"]);
    assert_eq!(open(&serde_json::to_value(panes).unwrap()), ["pane.wallet"]);

    let (status, _) = command(&manifest, json!({"command": "stop"})).await;
    assert_eq!(status, 200, "whoever asks for the end is answered");
    let file = host.home.control_manifest();
    host.ended().await;
    assert!(!file.exists());
}
