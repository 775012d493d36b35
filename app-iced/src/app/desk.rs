//! The panes that are open: here, and as the host knows them for everybody who drives it.
use autopilot_host::desk::Pane;
use autopilot_proto::control::v1::{PaneRequest, PanesReply};
use iced::{Task, widget::operation};

use super::{App, Message};
use crate::{
    face::{Answer, Link},
    panes::Screens,
};

impl App {
    /// Opens a pane here, and tells the host.
    pub(super) fn open(&mut self, pane: Pane) -> Task<Message> {
        let opened = self.grid.open(pane);
        let told = self.tell_desk(pane, true);
        let began = match opened {
            true => self.began(pane),
            false => Task::none(),
        };
        let focus = Screens::field(pane).map_or(Task::none(), operation::focus);
        Task::batch([told, began, focus])
    }

    /// Closes a pane here, and tells the host.
    pub(super) fn close(&mut self, pane: Pane) -> Task<Message> {
        self.grid.close(pane);
        self.tell_desk(pane, false)
    }

    pub(super) fn maximize(&mut self) -> Task<Message> {
        if let Some(pane) = self.grid.front() {
            self.grid.maximize(pane);
        }
        Task::none()
    }

    pub(super) fn next_pane(&mut self) -> Task<Message> {
        self.grid.next();
        self.grid
            .front()
            .map_or(Task::none(), |pane| self.tell_desk(pane, true))
    }

    fn began(&mut self, pane: Pane) -> Task<Message> {
        let (scene, screens) = scene_and_screens!(self);
        let action = screens.opened(pane, &scene);
        self.act(action)
    }

    fn tell_desk(&mut self, pane: Pane, open: bool) -> Task<Message> {
        if !self.introduced {
            // The host hears of all of them once it answers.
            return Task::none();
        }
        self.unconfirmed += 1;
        let request = PaneRequest {
            id: pane.id().to_owned(),
        };
        let told = self.face.ask(move |mut host| async move {
            match open {
                true => host.open_pane(request).await,
                false => host.close_pane(request).await,
            }
        });
        told.map(Message::Confirmed)
    }

    pub(super) fn confirmed(&mut self, answer: Answer<PanesReply>) -> Task<Message> {
        self.unconfirmed = self.unconfirmed.saturating_sub(1);
        match answer {
            Ok(panes) => {
                self.views.newer_panes(panes);
                self.follow_desk()
            }
            // What it did not hear of is no reason to close a pane: it is told of all of them anew. One that is gone says so
            // in the bar.
            Err(_) => {
                self.introduced = false;
                Task::none()
            }
        }
    }

    /// The panes are as the host knows them, once it knows what was done here.
    pub(super) fn follow_desk(&mut self) -> Task<Message> {
        if self.views.link != Link::Up {
            // A host that comes back hears of the panes anew.
            self.introduced = false;
            return Task::none();
        }
        let Some(panes) = &self.views.panes.value else {
            return Task::none();
        };
        if !self.introduced {
            return self.introduce();
        }
        if self.unconfirmed > 0 {
            return Task::none();
        }
        let lines = &panes.panes;
        let named = |open: bool| {
            let lines = lines.iter().filter(move |line| line.open == open);
            lines.filter_map(|line| Pane::of_id(&line.id)).collect::<Vec<_>>()
        };
        let front = lines
            .iter()
            .find(|line| line.focused)
            .and_then(|line| Pane::of_id(&line.id));
        let (open, closed) = (named(true), named(false));
        closed.into_iter().for_each(|pane| self.grid.close(pane));
        let here = self.grid.open_panes();
        let mut began = Vec::new();
        for pane in open.into_iter().filter(|pane| !here.contains(pane)) {
            self.grid.open(pane);
            began.push(self.began(pane));
        }
        if let Some(front) = front {
            self.grid.open(front);
        }
        Task::batch(began)
    }

    /// Tells the host of the panes that are open here: those of the last time, or the first ones.
    fn introduce(&mut self) -> Task<Message> {
        self.introduced = true;
        let mut open = self.grid.open_panes();
        if open.is_empty() {
            open = vec![Pane::GoOnline];
        }
        // The one in front last, so that it is in front there too.
        let front = self.grid.front();
        open.sort_by_key(|pane| Some(*pane) == front);
        let told: Vec<_> = open
            .into_iter()
            .map(|pane| {
                self.grid.open(pane);
                Task::batch([self.tell_desk(pane, true), self.began(pane)])
            })
            .collect();
        Task::batch(told)
    }

    /// Explains why a job is or is not paid, in the history.
    pub(super) fn explain(&mut self, job: String) -> Task<Message> {
        let opened = self.open(Pane::JobHistory);
        let (scene, screens) = scene_and_screens!(self);
        let action = screens.explain(job, &scene);
        Task::batch([opened, self.act(action)])
    }
}
