use autopilot_app::panes::{
    Wish,
    relay_connections::{Message, RelayConnections},
};
use autopilot_proto::control::v1::{RelayLine, RelaysReply, watch_update::Answer};

use crate::stage::{NOW_MS, Stage, trouble};

#[test]
fn it_loads_breaks_is_empty_or_lists() {
    let mut stage = Stage::<RelayConnections>::new();
    stage.shows(&["Loading"]);
    stage.break_view("relays");
    stage.shows(&["the ledger can't be read now"]);
    stage.tell("relays", Answer::Relays(RelaysReply::default()));
    stage.shows(&["No relay is configured"]);
    let relay = |relay: &str, state: &str| RelayLine {
        relay: relay.into(),
        state: state.into(),
        latency_ms: Some(40),
        last_seen_s: Some(NOW_MS / 1_000 - 60),
        last_error: "reset by\npeer".into(),
        accepted: 7,
        refused: 2,
        ..RelayLine::default()
    };
    let reply = RelaysReply {
        relays: vec![relay("wss://one", "connected"), relay("wss://two", "silent")],
    };
    stage.tell("relays", Answer::Relays(reply));
    stage.shows(&[
        "wss://one",
        "40 ms",
        "1 min ago",
        "7 taken, 2 refused",
        "reset by peer",
        "answers nothing",
    ]);
}

#[test]
fn relays_are_added_tried_anew_and_removed_after_a_second_word() {
    let mut stage = Stage::<RelayConnections>::new();
    let relay = RelayLine {
        relay: "wss://one".into(),
        state: "disconnected".into(),
        ..RelayLine::default()
    };
    let reply = RelaysReply { relays: vec![relay] };
    stage.tell("relays", Answer::Relays(reply.clone()));
    stage.shows(&["No relay serves now"]);
    stage.update(Message::Typed("one".into()));
    stage.shows(&["an address begins with wss:// or ws://"]);
    stage.update(Message::Typed("wss://one".into()));
    stage.choose("Relays: add the typed one");
    stage.update(Message::Done("added", Err(trouble())));
    stage.shows(&["the ledger can't be read now", "look at the disk"]);
    stage.click("Add");
    let said = stage.update(Message::Done("added", Ok(reply)));
    assert!(matches!(&said[..], [Wish::Say(toast)] if toast.words == "added"));
    stage.click("Remove");
    stage.shows(&["Requests that only this relay carries are heard no more."]);
    stage.choose("Relays: keep it");
    stage.hides(&["Remove it"]);
    stage.choose("Relays: remove wss://one");
    stage.click("Remove it");
    stage.choose("Relays: try wss://one anew");
}
