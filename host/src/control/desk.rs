//! The desk over control: panes listed, opened and closed.
use autopilot_proto::control::v1 as pb;
use tonic::Status;

use super::{Service, errors, views::basis};
use crate::{
    clock,
    desk::{Layout, Pane, PaneStanding, Setting, standing},
};

impl Service {
    pub(super) async fn answer_panes(&self, _: pb::PanesRequest) -> Result<pb::PanesReply, Status> {
        let layout = self.desk.layout();
        let setting = Setting {
            relays: self.config.relays.len(),
            serves: self.config.model.is_some(),
            tailnet: self.tailnet.known(),
        };
        let (window, revision) = (layout.window, layout.revision);
        self.look(move |engine| pb::PanesReply {
            basis: Some(basis(engine, "local")),
            panes: Pane::ALL
                .iter()
                .map(|pane| line(*pane, &layout, standing(*pane, engine, &setting, clock::now_ms())))
                .collect(),
            window,
            revision,
        })
        .await
    }

    pub(super) async fn answer_open_pane(&self, request: pb::PaneRequest) -> Result<pb::PanesReply, Status> {
        self.desk.open(named(&request.id)?);
        self.answer_panes(pb::PanesRequest {}).await
    }

    pub(super) async fn answer_close_pane(&self, request: pb::PaneRequest) -> Result<pb::PanesReply, Status> {
        self.desk.close(named(&request.id)?);
        self.answer_panes(pb::PanesRequest {}).await
    }
}

fn line(pane: Pane, layout: &Layout, standing: PaneStanding) -> pb::PaneLine {
    pb::PaneLine {
        id: pane.id().to_owned(),
        label: pane.label().to_owned(),
        title: pane.title().to_owned(),
        source: pane.source().to_owned(),
        open: layout.open.contains(&pane),
        focused: layout.focused == Some(pane),
        state: standing.kind.name().to_owned(),
        sentence: standing.sentence,
        next: standing.next,
    }
}

fn named(id: &str) -> Result<Pane, Status> {
    Pane::of_id(id)
        .ok_or_else(|| errors::not_found(format!("there is no pane {id:?}: `autopilotctl pane list`")))
}
