//! Drives the window's own update, view and subscriptions, and reads what is drawn.
use std::{
    borrow::Cow,
    sync::{Arc, Mutex, Once},
    time::{Duration, Instant},
};

use autopilot_app::{
    app::{App, Message},
    command::Command,
    design,
};
use autopilot_host::{desk::Pane, home::Home};
use iced::{
    Element, Size,
    advanced::subscription::into_recipes,
    executor,
    futures::{StreamExt, channel::mpsc},
};
use iced_test::{
    Simulator,
    core::Settings,
    futures::Runtime,
    runtime::{Action, Task, task},
    selector::Candidate,
};

use crate::presets::PATIENCE;

/// The window's usual size, and the smallest one.
pub const USUAL: Size = Size::new(1_360.0, 860.0);
pub const SMALLEST: Size = Size::new(720.0, 480.0);
/// How long one event is waited for before the window is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

type Event = Action<Message>;

/// A window that is driven.
pub struct Pilot {
    pub app: App,
    pub size: Size,
    runtime: Runtime<executor::Default, mpsc::Sender<Event>, Event>,
    events: mpsc::Receiver<Event>,
}

/// A piece of text on the screen: what it says and where, and how much of it can be seen.
#[derive(Clone, Debug)]
pub struct Seen {
    pub text: String,
    pub bounds: iced::Rectangle,
    pub visible: Option<iced::Rectangle>,
}

impl Pilot {
    /// Opens the window on a home folder, as one that finds a host or waits for it.
    pub fn open(home: &Home) -> Pilot {
        let (sender, events) = mpsc::channel(256);
        let runtime = Runtime::new(executor::Default::new().unwrap(), sender);
        let start = autopilot_app::Start {
            home: home.path().to_owned(),
            socket: home.control_socket(),
            begin: autopilot_app::Begin::Attached,
            leash: false,
            ending: autopilot_app::Ending::default(),
        };
        let (app, task) = runtime.enter(|| App::new(start));
        let mut pilot = Pilot {
            app,
            size: USUAL,
            runtime,
            events,
        };
        pilot.run(task);
        pilot
    }

    fn run(&mut self, task: Task<Message>) {
        if let Some(stream) = task::into_stream(task) {
            self.runtime.run(stream.boxed());
        }
        let wanted = self.app.subscription().map(Action::Output);
        self.runtime.track(into_recipes(wanted));
    }

    /// Something happens in the window.
    pub fn does(&mut self, message: Message) {
        let app = &mut self.app;
        let task = self.runtime.enter(|| app.update(message));
        self.run(task);
    }

    /// A command of the palette.
    pub fn command(&mut self, command: Command) {
        self.does(Message::Command(command));
    }

    /// Opens a pane and lets it fill the window.
    pub fn only(&mut self, pane: Pane) {
        self.command(Command::Open(pane));
        self.command(Command::Maximize);
    }

    /// Takes in what comes next. False: nothing came for a while.
    fn step(&mut self) -> bool {
        let events = &mut self.events;
        let next = self
            .runtime
            .block_on(async { tokio::time::timeout(LOOK_AGAIN, events.next()).await });
        match next {
            Ok(Some(Action::Output(message))) => {
                self.does(message);
                true
            }
            // Focus, clipboard and the window itself are not there.
            Ok(Some(_)) => true,
            Ok(None) | Err(_) => false,
        }
    }

    /// Goes on until the screen holds what is wished.
    pub fn until(&mut self, what: &str, holds: impl Fn(&[Seen]) -> bool) -> Vec<Seen> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // Everything that is there is taken in before the screen is drawn.
            while self.step() && Instant::now() < deadline {}
            let seen = self.seen();
            if holds(&seen) {
                return seen;
            }
            assert!(
                Instant::now() < deadline,
                "{what} is not on the screen:\n{}",
                lines(&seen)
            );
        }
    }

    /// Goes on until a piece of text holds these words.
    pub fn reads(&mut self, words: &str) -> Vec<Seen> {
        self.until(words, |seen| says(seen, words))
    }

    /// Goes on for as long as something comes, so that what was asked is answered.
    pub fn settle(&mut self) -> Vec<Seen> {
        while self.step() {}
        self.seen()
    }

    /// Clicks a text, and does what that asks for.
    pub fn click(&mut self, text: &str) {
        let messages: Vec<_> = {
            let mut ui = simulate(self.app.view(), self.size);
            ui.click(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
            ui.into_messages().collect()
        };
        assert!(!messages.is_empty(), "{text:?} does nothing");
        messages.into_iter().for_each(|message| self.does(message));
    }

    /// All text on the screen.
    pub fn seen(&self) -> Vec<Seen> {
        let found = Arc::new(Mutex::new(Vec::new()));
        let into = found.clone();
        let mut ui = simulate(self.app.view(), self.size);
        // Nothing is ever chosen, so that everything is looked at.
        let none = ui.find(move |candidate: Candidate<'_>| {
            let seen = match candidate {
                Candidate::Text {
                    content,
                    bounds,
                    visible_bounds,
                    ..
                } => (content.to_owned(), bounds, visible_bounds),
                Candidate::TextInput {
                    state,
                    bounds,
                    visible_bounds,
                    ..
                } => (state.text().to_owned(), bounds, visible_bounds),
                _ => return None::<()>,
            };
            let (text, bounds, visible) = seen;
            into.lock().unwrap().push(Seen {
                text,
                bounds,
                visible,
            });
            None
        });
        assert!(none.is_err());
        drop(ui);
        Arc::into_inner(found)
            .map(|found| found.into_inner().unwrap())
            .unwrap_or_default()
    }

    /// A picture of it.
    pub fn picture(&self) -> iced_test::simulator::Snapshot {
        simulate(self.app.view(), self.size)
            .snapshot(&self.app.theme())
            .unwrap()
    }
}

/// Whether a piece of text holds these words.
pub fn says(seen: &[Seen], words: &str) -> bool {
    seen.iter().any(|seen| seen.text.contains(words))
}

/// What is on the screen, to be read in a failure.
pub fn lines(seen: &[Seen]) -> String {
    let lines: Vec<_> = seen.iter().map(|seen| format!("  {:?}", seen.text)).collect();
    lines.join("\n")
}

fn simulate<'a>(view: Element<'a, Message>, size: Size) -> Simulator<'a, Message> {
    static FONTS: Once = Once::new();
    let mut fonts: Vec<Cow<'static, [u8]>> = Vec::new();
    // They are loaded for the process, once.
    FONTS.call_once(|| fonts = design::fonts::files());
    let settings = Settings {
        fonts,
        default_font: design::fonts::BODY,
        ..Settings::default()
    };
    Simulator::with_size(settings, size, view)
}
