//! A hostile relay beside an honest one. Whatever it does, each job is worked once and paid once, and the provider
//! says what the relay did.
use autopilot_hostile_relay::{HostileRelay, Message, event_under, forgeries, noise};
use autopilot_proto::control::v1::RelayLine;
use autopilot_world_tests::{questions::sound, stage::PRICE_MSAT};
use nostr_sdk::prelude::*;

use super::scene::{Facts, Manner, PATIENCE, Scene, as_value, stream, tag};
use crate::programs::support::{ctl, json, refused};

/// Requests of the flood. More than a lane holds.
const FLOOD: usize = 600;
/// Messages of the largest push of forgeries.
const FORGERIES: u64 = 7;

struct Case {
    name: &'static str,
    manner: Manner,
    /// What is sent unasked, given the true job before anybody else has it.
    sends: fn(&Event) -> Vec<Message>,
    /// How the provider's view of the relay changes.
    shows: fn(&RelayLine, &RelayLine) -> bool,
    /// Kind and words of a line in the journal.
    journal: (&'static str, &'static str),
}

fn nothing(_: &Event) -> Vec<Message> {
    Vec::new()
}

fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "tampers, resends with altered content, wrong signatures",
            manner: Manner::Lies,
            sends: |job| {
                let other = Keys::generate().public_key().to_hex();
                let forged = forgeries(&as_value(job), &other);
                forged
                    .iter()
                    .map(|forged| event_under("requests", forged))
                    .collect()
            },
            shows: |before, now| now.forged == before.forged + FORGERIES,
            journal: ("relay.forged", "id or signature is wrong"),
        },
        Case {
            name: "no JSON, foreign subscriptions, words that nobody asked for",
            manner: Manner::Lies,
            sends: |job| noise(&as_value(job)),
            shows: |before, now| now.forged >= before.forged + 5,
            journal: ("relay.unreadable", "no relay message: this is no JSON"),
        },
        Case {
            name: "the same event over and over, under every subscription",
            manner: Manner::Lies,
            sends: |job| {
                let event = as_value(job);
                let names = ["requests", "answers", "cancels", "announcements"];
                names
                    .iter()
                    .cycle()
                    .take(40)
                    .map(|name| event_under(name, &event))
                    .collect()
            },
            shows: |before, now| now.delivered == before.delivered + 10 && now.forged == before.forged + 30,
            journal: ("relay.duplicate", ""),
        },
        Case {
            name: "an oversized frame",
            manner: Manner::Lies,
            sends: |_| vec![Message::text("x".repeat(3_000_000))],
            shows: |_, now| now.last_error.contains("too long"),
            journal: ("relay.connection", "too long"),
        },
        Case {
            name: "says OK and keeps nothing",
            manner: Manner::Lies,
            sends: nothing,
            shows: |before, now| now.accepted >= before.accepted + 2,
            journal: ("relay.accepted", "kind 6050"),
        },
        Case {
            name: "refuses everything",
            manner: Manner::Refuses,
            sends: nothing,
            shows: |before, now| now.refused >= before.refused + 2 && now.last_error.contains("pay me first"),
            journal: ("relay.refused", "blocked: pay me first"),
        },
        Case {
            name: "hangs",
            manner: Manner::Hangs,
            sends: nothing,
            shows: |before, now| now.refused > before.refused && now.last_error == "timeout",
            journal: ("relay.refused", "timeout"),
        },
        Case {
            name: "drops the connection whenever something is published",
            manner: Manner::Drops,
            sends: nothing,
            shows: |before, now| now.refused > before.refused,
            journal: ("relay.refused", "not connected"),
        },
    ]
}

async fn check(scene: &mut Scene, case: &Case) {
    eprintln!("a relay that does this: {}", case.name);
    *scene.manner.lock().unwrap() = Manner::Lies;
    let url = scene.hostile.url.clone();
    if scene.relay(&url).await.state == "silent" {
        scene.hostile.hang_up();
    }
    let before = scene
        .relay_when("connected", |line| line.state == "connected")
        .await;
    *scene.manner.lock().unwrap() = case.manner;
    let job = scene.job(&format!("Say one word. ({})", case.name), Vec::new());
    let messages = (case.sends)(&job);
    if !messages.is_empty() {
        scene.hostile.push(messages);
        scene
            .relay_when(case.name, |now| (case.shows)(&before, now))
            .await;
    }
    scene.buy(&job).await;
    scene
        .relay_when(case.name, |now| (case.shows)(&before, now))
        .await;
    let (kind, words) = case.journal;
    scene.journal(kind, None, words).await;
    let status = scene.status().await;
    assert_eq!(
        (status.state.as_str(), status.can_earn, status.earning.as_str()),
        ("online", true, "yes"),
        "{}: {status:?}",
        case.name
    );
    let honest = scene.stage.world.relays[0].clone();
    let honest = scene.relay(&honest).await;
    assert_eq!(
        (honest.forged, honest.refused),
        (0, 0),
        "{}: {honest:?}",
        case.name
    );
    for (kind, count) in [("job.received", 1), ("job.executed", 1), ("job.settled", 1)] {
        assert_eq!(
            scene.facts.all(kind, &stream(&job)).len(),
            count,
            "{}: {kind}",
            case.name
        );
    }
}

/// Ancient, old, and from the future: what was never asked for leaves no fact, what was is refused by a recorded rule.
async fn dates(scene: &mut Scene) {
    let before = scene
        .relay_when("connected", |line| line.state == "connected")
        .await;
    let now_s = Timestamp::now().as_secs();
    let dated = |at_s: u64| {
        EventBuilder::new(Kind::Custom(5050), "")
            .tag(tag(&["i", "an old story", "text"]))
            .tag(tag(&["bid", &PRICE_MSAT.to_string()]))
            .custom_created_at(Timestamp::from_secs(at_s))
            .sign_with_keys(&scene.keys)
            .unwrap()
    };
    let ancient = [0, 1_500_000_000, now_s - 3 * 3_600].map(dated);
    let old = dated(now_s - 300);
    let future = [now_s + 3_600, now_s + 100 * 365 * 86_400, u64::MAX].map(dated);
    let all = ancient.iter().chain([&old]).chain(&future);
    scene.hostile.push(
        all.map(|event| event_under("requests", &as_value(event)))
            .collect(),
    );
    scene.facts.until("job.refused", &stream(&old)).await;
    let why = scene.why(&old).await;
    assert!(
        why.contains("(expired; ") && why.contains("it ran out 2"),
        "{why}"
    );
    for event in &future {
        scene.facts.until("job.refused", &stream(event)).await;
        let why = scene.why(event).await;
        assert!(
            why.contains("(clock-skew; ") && why.contains("it is dated"),
            "{why}"
        );
    }
    let now = scene
        .relay_when("nobody asked", |now| now.forged == before.forged + 3)
        .await;
    assert_eq!(now.delivered, before.delivered + 4, "{now:?}");
    scene
        .journal(
            "relay.unreadable",
            Some(&ancient[0].id.to_hex()),
            "nobody asked for this event",
        )
        .await;
    for event in &ancient {
        assert!(scene.facts.all("job.received", &stream(event)).is_empty());
        let stranger = ctl(
            scene.stage.world.provider.home.path(),
            &["why", &event.id.to_hex(), "--json"],
        )
        .await;
        assert_eq!(
            (stranger.code, stranger.error().as_str()),
            (5, "not-found"),
            "{stranger:?}"
        );
    }
}

/// More valid requests at once than a lane holds: what is over is counted, and a real job is served meanwhile.
async fn flood(scene: &mut Scene) {
    let before = scene
        .relay_when("connected", |line| line.state == "connected")
        .await;
    let spammer = Keys::generate();
    let cheap = |n: usize| {
        EventBuilder::new(Kind::Custom(5050), "")
            .tag(tag(&["i", &format!("spam {n}"), "text"]))
            .tag(tag(&["bid", "1"]))
            .sign_with_keys(&spammer)
            .unwrap()
    };
    let spam: Vec<Message> = (0..FLOOD)
        .map(|n| event_under("requests", &as_value(&cheap(n))))
        .collect();
    scene.facts.catch_up().await;
    let known = scene.facts.all("job.refused", "").len();
    let skipped_before = scene.skipped().await;
    scene.hostile.push(spam);
    let job = scene.job("A real job in a flood.", Vec::new());
    scene.buy(&job).await;
    scene
        .relay_when("the flood", |now| {
            now.delivered >= before.delivered + FLOOD as u64
        })
        .await;
    // Each request of the flood is on record, or counted among those that found the lane full.
    let told = async {
        loop {
            scene.facts.catch_up().await;
            let recorded = scene.facts.all("job.refused", "").len() - known;
            let skipped = scene.skipped().await - skipped_before;
            if recorded + skipped >= FLOOD {
                return (recorded, recorded + skipped);
            }
        }
    };
    let (recorded, in_all) = tokio::time::timeout(PATIENCE, told)
        .await
        .expect("the flood is told of");
    assert!(recorded > 0 && in_all == FLOOD, "{recorded} of {in_all}");
    assert!(scene.status().await.can_earn);
}

/// Everything that was served is replayed to a provider that has just been started again.
async fn replays_after_a_restart(scene: &mut Scene, served: &[Event]) {
    scene.stage.world.provider.restart(&[]).await.unwrap();
    let status = scene.stage.world.go_online().await.unwrap();
    assert!(status.can_earn, "{status:?}");
    scene.provider = scene.stage.world.provider.client().unwrap();
    scene.facts = Facts::of(&mut scene.provider).await;
    let before = scene
        .relay_when("connected", |line| line.state == "connected")
        .await;
    scene.hostile.push(
        served
            .iter()
            .map(|event| event_under("requests", &as_value(event)))
            .collect(),
    );
    scene
        .relay_when("the replay", |now| {
            now.delivered == before.delivered + served.len() as u64
        })
        .await;
    let after = scene.job("After the replay.", Vec::new());
    scene.buy(&after).await;
    for event in served {
        for kind in ["job.received", "job.started", "invoice.issued", "job.settled"] {
            assert_eq!(
                scene.facts.all(kind, &stream(event)).len(),
                1,
                "{kind} of {}",
                event.id
            );
        }
    }
    scene.journal("relay.duplicate", None, "").await;
}

/// The relay is polite again, and has taken what it was offered once more.
async fn settles_down(scene: &mut Scene) {
    *scene.manner.lock().unwrap() = Manner::Lies;
    let before = scene.relay(&scene.hostile.url.clone()).await;
    scene
        .relay_when("what was missed is taken", |now| {
            now.state == "connected" && now.accepted > before.accepted
        })
        .await;
}

/// Without any relay nothing can be earned, and every face says so.
async fn no_relay_at_all(scene: &mut Scene) {
    scene.stage.world.stop_relays().await;
    let home = scene.stage.world.provider.home.path().to_owned();
    // The hostile one goes too when it is replaced; the new one is not configured anywhere.
    scene.hostile.hang_up();
    scene.hostile = HostileRelay::that_hangs().await;
    let status = scene
        .status_when("no relay", |status| {
            status.relays_connected == 0 && !status.can_earn
        })
        .await;
    assert_eq!(
        (status.state.as_str(), status.earning.as_str()),
        (
            "degraded",
            "no: no relay is connected and answers: check `autopilotctl relays`"
        ),
        "{status:?}"
    );
    let said = json(&home, &["status"]).await;
    assert_eq!(
        (&said["can_earn"], &said["state"]),
        (&false.into(), &"degraded".into())
    );
    let waited = refused(
        &home,
        &["wait", "provider-online", "--timeout", "1"],
        6,
        "timeout",
    )
    .await;
    assert!(waited.words.contains("no relay is connected"), "{waited:?}");
    let doctor = ctl(&home, &["doctor", "--json"]).await.json();
    let checks = doctor["checks"].as_array().unwrap();
    assert!(
        checks.iter().any(|check| check["name"] == "earning"
            && check["state"] != "ok"
            && check["detail"] == status.blockers[0].as_str()),
        "{doctor}"
    );
    json(&home, &["provider", "offline"]).await;
    let again = refused(&home, &["provider", "online"], 4, "not-ready").await;
    assert!(again.words.contains("no relay is connected"), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_relay_costs_nothing_and_is_named() {
    let mut scene = Scene::set().await;
    let mut served = 0;
    for case in &cases() {
        check(&mut scene, case).await;
        served += 1;
    }
    settles_down(&mut scene).await;
    dates(&mut scene).await;
    flood(&mut scene).await;
    served += 1;
    let first = scene.job("To be replayed.", Vec::new());
    scene.buy(&first).await;
    served += 1;
    replays_after_a_restart(&mut scene, std::slice::from_ref(&first)).await;
    served += 1;
    no_relay_at_all(&mut scene).await;
    let home = scene.stage.world.provider.home.path().to_owned();
    scene.stage.world.provider.stop_in_order().await;
    let sound = sound(&home).await.unwrap();
    assert_eq!(
        (sound.settled, sound.settled_msat, sound.difference_msat),
        (served, served * PRICE_MSAT, 0),
        "each job is worked once and paid once"
    );
    scene.stranger.shutdown().await;
    scene.stage.strike().await;
}
