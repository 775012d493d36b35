//! Before the desk: the first run, a locked identity, a home that can't be used. And the model that is fetched meanwhile.
use autopilot_host::{
    models::Source,
    secrets::Key,
    setup::{Fetch, Fetched},
};
use autopilot_proto::control::v1::ModelRequest;
use iced::{Task, futures::SinkExt, stream, task};

use super::{App, Begin, Message};
use crate::{
    engine::Engine,
    first_run::{self, FirstRun},
    shell::toast::Toast,
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

/// A model on its way: gone with this, and gone on with later.
pub(super) struct Fetching {
    pub(super) last: Fetched,
    source: Source,
    _task: task::Handle,
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
        let (task, prepared) = first_run.update(message);
        let task = task.map(Message::FirstRun);
        match prepared {
            Some(prepared) => {
                let fetching = prepared.fetch.map(|source| self.fetch(source));
                let started = self.start_host(prepared.key);
                Task::batch([task, started, fetching.unwrap_or_else(Task::none)])
            }
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

    /// Fetches a model; dropping what this keeps stops it, and what came is kept.
    fn fetch(&mut self, source: Source) -> Task<Message> {
        let (home, wanted) = (self.home.clone(), source.clone());
        let steps = stream::channel(1, async move |mut told| {
            let fetch = Fetch::begin(home, wanted);
            let mut watch = fetch.watch();
            loop {
                let now = watch.borrow_and_update().clone();
                let over = now.ended.is_some();
                if told.send(now).await.is_err() || over || watch.changed().await.is_err() {
                    return;
                }
            }
        });
        let (task, handle) = Task::stream(steps).map(Message::Fetched).abortable();
        self.fetching = Some(Fetching {
            last: Fetched::default(),
            source,
            _task: handle.abort_on_drop(),
        });
        task
    }

    pub(super) fn fetched(&mut self, fetched: Fetched) -> Task<Message> {
        let ended = fetched.ended.clone();
        if let Some(fetching) = &mut self.fetching {
            fetching.last = fetched;
        }
        match ended {
            None | Some(Err(_)) => Task::none(),
            Some(Ok(_)) => {
                self.fetching = None;
                let said = self.say(Toast::good("The model is here"));
                let action = "warm".to_owned();
                let warm = self
                    .face
                    .ask(move |mut host| async move { host.model(ModelRequest { action }).await });
                Task::batch([said, warm.map(|_| Message::Noted)])
            }
        }
    }

    /// Goes on with a fetch that ended early.
    pub(super) fn fetch_again(&mut self) -> Task<Message> {
        match self.fetching.take() {
            Some(fetching) => self.fetch(fetching.source),
            None => Task::none(),
        }
    }
}
