//! Before the desk: the first run, a locked identity, a home that can't be used.
use autopilot_host::secrets::Key;
use iced::Task;

use super::{App, Begin, Message};
use crate::{
    engine::Engine,
    first_run::{self, FirstRun},
    unlock::{self, Unlock},
};

/// How far the window is.
pub(super) enum Stage {
    /// There is no home yet.
    FirstRun(Box<FirstRun>),
    /// The identity is locked.
    Locked(Box<Unlock>),
    /// The home can't be used: why, and what can be done.
    Broken(String, String),
    /// The host runs, or starts.
    Desk,
}

impl Stage {
    /// Where a window begins.
    pub(super) fn of(begin: Begin, home: &std::path::Path) -> Stage {
        match begin {
            Begin::FirstRun(proposed) => Stage::FirstRun(Box::new(FirstRun::new(home.to_owned(), proposed))),
            Begin::Locked(keyring) => Stage::Locked(Box::new(Unlock::new(home.to_owned(), keyring))),
            Begin::Broken(what, next) => Stage::Broken(what, next),
            Begin::Host(_) | Begin::Attached => Stage::Desk,
        }
    }
}

impl App {
    pub(super) fn in_first_run(&mut self, message: first_run::Message) -> Task<Message> {
        let Stage::FirstRun(first_run) = &mut self.stage else {
            return Task::none();
        };
        let (task, key) = first_run.update(message);
        let task = task.map(Message::FirstRun);
        match key {
            Some(key) => Task::batch([task, self.start_host(key)]),
            None => task,
        }
    }

    pub(super) fn in_unlock(&mut self, message: unlock::Message) -> Task<Message> {
        let Stage::Locked(locked) = &mut self.stage else {
            return Task::none();
        };
        let (task, key) = locked.update(message);
        let task = task.map(Message::Unlock);
        match key {
            Some(key) => Task::batch([task, self.start_host(key)]),
            None => task,
        }
    }

    /// Starts the host beside the window; the desk shows how far it is.
    pub(super) fn start_host(&mut self, key: Key) -> Task<Message> {
        let (engine, events) = Engine::start(self.home.clone(), key.clone(), self.leash);
        if let Ok(mut place) = self.ending.lock() {
            *place = Some(engine.clone());
        }
        self.engine = Some(engine);
        self.key = Some(key);
        self.stage = Stage::Desk;
        events.map(Message::Engine)
    }
}
