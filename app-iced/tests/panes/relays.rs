use autopilot_app::panes::relay_connections::RelayConnections;
use autopilot_proto::control::v1::{RelayLine, RelaysReply, watch_update::Answer};

use crate::stage::{NOW_MS, Stage};

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
