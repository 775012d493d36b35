//! What a pane is, what it is given, and what it may ask for.
use autopilot_host::{desk::Pane, secrets::Key};
use iced::Task;
use jiff::tz::TimeZone;

use crate::{
    design::Element,
    face::{Face, Views},
    shell::toast::Toast,
    words::Amounts,
};

/// What a pane is given: views to read, a way to command, and how things are written.
pub struct Scene<'a> {
    /// The newest answers.
    pub views: &'a Views,
    /// The way to the host.
    pub face: &'a Face,
    /// The home folder.
    pub home: &'a std::path::Path,
    /// What opens the identity, where it was opened here.
    pub key: Option<&'a Key>,
    /// How amounts are shown.
    pub amounts: &'a Amounts,
    /// The clock, in milliseconds since the Unix epoch.
    pub now_ms: i64,
    /// The time zone of the person.
    pub zone: &'a TimeZone,
}

/// What a pane asks of its parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Open another pane.
    Open(Pane),
    /// Say something for a moment.
    Say(Toast),
    /// Put something into the clipboard and say what.
    Copy(String, &'static str),
    /// Explain why a job is or is not paid.
    Explain(String),
    /// Go online, or offline.
    Toggle,
}

/// What comes of a message: work that goes on, and wishes to the parent.
pub struct Action<M> {
    /// Ends in further messages.
    pub task: Task<M>,
    /// For the parent.
    pub wishes: Vec<Wish>,
}

impl<M> Action<M> {
    /// Nothing.
    pub fn none() -> Action<M> {
        Action {
            task: Task::none(),
            wishes: Vec::new(),
        }
    }

    /// A wish.
    pub fn wish(wish: Wish) -> Action<M> {
        Action {
            wishes: vec![wish],
            ..Action::none()
        }
    }

    /// And a wish.
    #[must_use]
    pub fn and(mut self, wish: Wish) -> Action<M> {
        self.wishes.push(wish);
        self
    }
}

impl<M: Send + 'static> Action<M> {
    /// The same in the parent's words.
    pub fn map<N: Send + 'static>(self, f: impl FnMut(M) -> N + Send + 'static) -> Action<N> {
        Action {
            task: self.task.map(f),
            wishes: self.wishes,
        }
    }
}

/// A pane.
pub trait Screen: Default {
    /// What can happen in it.
    type Message: Clone + std::fmt::Debug + Send + 'static;

    /// Views that it shows, beside those that are always watched.
    const VIEWS: &'static [&'static str] = &[];

    /// The field that the keyboard is in when it comes to the front: its name, which no other pane has.
    const FIELD: Option<&'static str> = None;

    /// It was opened.
    fn opened(&mut self, _scene: &Scene<'_>) -> Action<Self::Message> {
        Action::none()
    }

    /// Views changed while it was open.
    fn news(&mut self, _scene: &Scene<'_>) -> Action<Self::Message> {
        Action::none()
    }

    /// Something happened in it.
    fn update(&mut self, message: Self::Message, scene: &Scene<'_>) -> Action<Self::Message>;

    /// What it shows.
    fn view<'a>(&'a self, scene: &Scene<'a>) -> Element<'a, Self::Message>;

    /// What can be done in it, for the keyboard.
    fn actions(&self, _scene: &Scene<'_>) -> Vec<(String, Self::Message)> {
        Vec::new()
    }
}
