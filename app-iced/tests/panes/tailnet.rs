use autopilot_app::panes::{
    Wish,
    tailnet_status::{Message, TailnetStatus},
};
use autopilot_proto::control::v1::{TailnetDevice, TailnetReply, watch_update::Answer};

use crate::stage::{NOW_MS, Stage, trouble};

fn tailnet(state: &str, sentence: &str) -> TailnetReply {
    TailnetReply {
        state: state.into(),
        sentence: sentence.into(),
        name: "home.example.ts.net".into(),
        looked_at_ms: Some(NOW_MS - 60_000),
        ..TailnetReply::default()
    }
}

#[test]
fn it_loads_breaks_is_not_installed_or_lists() {
    let mut stage = Stage::<TailnetStatus>::new();
    stage.shows(&["Loading"]);
    stage.break_view("tailnet");
    stage.shows(&["the ledger can't be read now"]);
    stage.tell("tailnet", Answer::Tailnet(tailnet("unknown", "")));
    stage.shows(&["Loading"]);
    stage.tell(
        "tailnet",
        Answer::Tailnet(tailnet("not-installed", "it is not installed")),
    );
    stage.shows(&["it is not installed", "Nothing needs it"]);
    stage.tell("tailnet", Answer::Tailnet(tailnet("trouble", "it hangs")));
    stage.shows(&["it hangs", "Earning does not need it"]);
    let device = TailnetDevice {
        name: "laptop".into(),
        os: "linux".into(),
        address: "100.64.0.7".into(),
        this: true,
        last_seen_ms: Some(NOW_MS - 7_200_000),
        ..TailnetDevice::default()
    };
    let up = TailnetReply {
        devices: vec![device],
        ..tailnet("up", "")
    };
    stage.tell("tailnet", Answer::Tailnet(up));
    stage.shows(&[
        "home.example.ts.net",
        "laptop",
        "this machine",
        "last seen 2 h 0 min ago",
        "looked at 1 min ago",
    ]);
    assert_eq!(stage.click("Copy"), [Wish::Copy("100.64.0.7".into(), "Address")]);
}

#[test]
fn a_look_by_hand_is_shown_until_the_watch_is_newer() {
    let mut stage = Stage::<TailnetStatus>::new();
    stage.tell(
        "tailnet",
        Answer::Tailnet(tailnet("not-installed", "it is not installed")),
    );
    stage.click("Refresh");
    stage.shows(&["Looking …"]);
    stage.update(Message::Seen(Err(trouble())));
    stage.shows(&["the ledger can't be read now", "it is not installed"]);
    let newer = TailnetReply {
        looked_at_ms: Some(NOW_MS),
        ..tailnet("up", "")
    };
    stage.update(Message::Seen(Ok(newer)));
    stage.shows(&["looked at just now", "No device is in it."]);
    let newest = TailnetReply {
        looked_at_ms: Some(NOW_MS),
        ..tailnet("trouble", "it hangs")
    };
    stage.tell("tailnet", Answer::Tailnet(newest));
    stage.shows(&["it hangs"]);
}
