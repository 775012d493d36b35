//! Panes of worlds that this version does not reach.
use autopilot_app::panes::{Screen, Wish, starter_jobs::StarterJobs, sync_health::SyncHealth};
use autopilot_host::desk::Pane;
use autopilot_proto::control::v1::{PaneLine, PanesReply, watch_update::Answer};

use crate::stage::Stage;

fn panes(lines: Vec<PaneLine>) -> Answer {
    Answer::Panes(PanesReply {
        panes: lines,
        ..PanesReply::default()
    })
}

fn told<S: Screen>(pane: Pane, own: &str) -> Stage<S> {
    let mut stage = Stage::<S>::new();
    stage.shows(&["Loading"]);
    stage.tell("panes", panes(vec![]));
    stage.shows(&[own]);
    let mut line = PaneLine {
        id: pane.id().into(),
        state: "error".into(),
        sentence: "it broke".into(),
        next: "mend it".into(),
        ..PaneLine::default()
    };
    stage.tell("panes", panes(vec![line.clone()]));
    stage.shows(&["it broke", "mend it"]);
    stage.hides(&[own]);
    line.state = "empty".into();
    stage.tell("panes", panes(vec![line]));
    stage
}

#[test]
fn they_say_so_and_where_to_go_instead() {
    let mut sync = told::<SyncHealth>(Pane::SyncHealth, "Nothing is shared between devices");
    assert_eq!(sync.click("See the ledger"), [Wish::Open(Pane::ActivityFeed)]);
    let mut starter = told::<StarterJobs>(Pane::StarterJobs, "No starter program is connected");
    assert_eq!(
        starter.choose("Starter Jobs: see what was asked for"),
        [Wish::Open(Pane::JobInbox)]
    );
}
